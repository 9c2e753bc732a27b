//! The envelope of a build: its order in the agent's terms, with paths as the agent sees them.

use std::path::PathBuf;

use model::build::{
    BuildOrder, ENVELOPE_VERSION, Envelope, EnvelopeInput, EnvelopeOutput, FileOwner,
};
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

/// The file of the order's output of this number.
pub(crate) fn output_path(directory: &Directory, index: usize) -> PathBuf {
    directory.outputs().join(format!("{index}.zip"))
}

pub(crate) fn seal(order: &BuildOrder, facts: &Facts<'_>, retry: u32) -> Envelope {
    let room = facts.directory.room();
    let inside = |path: &PathBuf| sandbox::inside(facts.kind, &room, path);
    let project = order.project_name();
    let Account {
        id: account,
        region,
    } = facts.account;
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
        build_id: order.build_id(),
        build_arn: format!(
            "arn:aws:codebuild:{region}:{account}:build/{project}:{}",
            order.id
        ),
        build_number: facts.build_number,
        initiator: order.initiator.clone(),
        region: region.clone(),
        // Elsewhere the build sees this machine's programs, whatever image the project names.
        image: order.image().filter(|_| is_container).map(str::to_owned),
        work: order.work(),
        inputs: facts.inputs.iter().map(path).collect(),
        outputs: order.outputs.iter().enumerate().map(output).collect(),
        variables: order.variables(),
        directory: inside(&facts.directory.work()),
        cache: order.has_cache().then(|| inside(&room.join("cache"))),
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
