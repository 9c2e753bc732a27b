//! The envelope of a build: its order in the agent's terms, with paths as the agent sees them.

use std::{collections::BTreeMap, path::PathBuf};

use model::build::{
    BuildKind, BuildOrder, ENVELOPE_VERSION, Envelope, EnvelopeInput, EnvelopeOutput, EnvelopeWork,
    FileOwner,
};
use model::project::{BuildVariable, CacheType};
use ports::Account;

use super::directory::Directory;
use crate::sandbox::{self, Kind};

/// What an envelope says besides the order.
pub(crate) struct Facts<'a> {
    pub(crate) account: &'a Account,
    pub(crate) kind: Kind,
    pub(crate) build_number: u64,
    pub(crate) log_bytes: u64,
    pub(crate) inputs: &'a [EnvelopeInput],
    pub(crate) directory: &'a Directory,
}

/// The name that the build goes by: its project's, or the pipeline's for a list of commands.
pub(crate) fn project_name(order: &BuildOrder) -> &str {
    match &order.what {
        BuildKind::Project { project, .. } => &project.name,
        BuildKind::Commands { .. } => &order.pipeline,
    }
}

/// Whether the order's project keeps a cache.
pub(crate) fn has_cache(order: &BuildOrder) -> bool {
    match &order.what {
        BuildKind::Project { project, .. } => match project.cache.kind {
            CacheType::NoCache => false,
            CacheType::S3 | CacheType::Local => true,
        },
        BuildKind::Commands { .. } => false,
    }
}

/// The file of the order's output of this number.
pub(crate) fn output_path(directory: &Directory, index: usize) -> PathBuf {
    directory.outputs().join(format!("{index}.zip"))
}

pub(crate) fn seal(order: &BuildOrder, facts: &Facts<'_>, retry: u32) -> Envelope {
    let room = facts.directory.room();
    let inside = |path: &PathBuf| sandbox::inside(facts.kind, &room, path);
    let project = project_name(order);
    let Account {
        id: account,
        region,
    } = facts.account;
    let (work, image, defaults) = work(order);
    let is_container = matches!(facts.kind, Kind::Container(_));
    let path = |input: &EnvelopeInput| EnvelopeInput {
        path: inside(&input.path),
        ..input.clone()
    };
    let output = |(index, output): (usize, &model::job::JobArtifact)| EnvelopeOutput {
        name: output.name.clone(),
        path: inside(&output_path(facts.directory, index)),
    };
    Envelope {
        version: ENVELOPE_VERSION,
        project: project.to_owned(),
        build_id: format!("{project}:{}", order.id),
        build_arn: format!(
            "arn:aws:codebuild:{region}:{account}:build/{project}:{}",
            order.id
        ),
        build_number: facts.build_number,
        initiator: order.initiator.clone(),
        region: region.clone(),
        // Elsewhere the build sees this machine's programs, whatever image the project names.
        image: image.filter(|_| is_container),
        work,
        inputs: facts.inputs.iter().map(path).collect(),
        outputs: order.outputs.iter().enumerate().map(output).collect(),
        variables: merge(defaults, &order.environment_variables),
        directory: inside(&facts.directory.work()),
        cache: has_cache(order).then(|| inside(&room.join("cache"))),
        timeout_seconds: order.timeout_seconds,
        log_max_bytes: facts.log_bytes,
        retry,
        inherits_environment: is_container,
        own_process_namespace: facts.kind != Kind::Process,
        owner: is_container.then(|| FileOwner {
            user: rustix::process::getuid().as_raw(),
            group: rustix::process::getgid().as_raw(),
        }),
    }
}

fn work(order: &BuildOrder) -> (EnvelopeWork, Option<String>, &[BuildVariable]) {
    match &order.what {
        BuildKind::Project {
            project,
            buildspec_override,
        } => {
            let buildspec = buildspec_override
                .clone()
                .or_else(|| project.source.buildspec.clone());
            let environment = &project.environment;
            (
                EnvelopeWork::Buildspec(buildspec),
                environment.image.clone(),
                &environment.environment_variables,
            )
        }
        BuildKind::Commands {
            commands,
            output_variables,
        } => {
            let files = order.outputs.first().map(|output| output.files.clone());
            let work = EnvelopeWork::Commands {
                commands: commands.clone(),
                output_variables: output_variables.clone(),
                files: files.unwrap_or_default(),
            };
            (work, None, &[])
        }
    }
}

/// The action's variables win over the project's (spec 70 §4.1).
fn merge(project: &[BuildVariable], action: &[BuildVariable]) -> Vec<BuildVariable> {
    let by_name: BTreeMap<&str, &BuildVariable> = project
        .iter()
        .chain(action)
        .map(|variable| (variable.name.as_str(), variable))
        .collect();
    by_name.into_values().cloned().collect()
}
