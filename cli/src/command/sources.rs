//! Where the source actions of a run get their source: what the file says, and what the command
//! line says instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use embedded::repositories::{Kind, Source};
use model::{
    ActionCategory, ActionDeclaration, PipelineDeclaration, declaration::reference::has_reference,
};

use crate::{
    failure::{Failure, Finding},
    file::PipelineFile,
    local::source_at,
    select::absent,
};

/// The sources of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) repositories: BTreeMap<String, Source>,
    /// What any other repository is: the folder of the pipeline file.
    pub(super) fallback: Source,
    /// Repositories whose history builds may clone.
    pub(super) cloned: Vec<String>,
    /// Revisions that are wanted of source actions, by action; the value is repository and
    /// revision.
    pub(super) revisions: BTreeMap<String, (String, String)>,
    /// Files and folders to put into buckets, beside those of the file.
    pub(super) objects: Vec<(String, String, PathBuf)>,
}

fn source_actions(
    declaration: &PipelineDeclaration,
) -> impl Iterator<Item = &ActionDeclaration> + Clone {
    declaration
        .stages
        .iter()
        .flat_map(|stage| &stage.actions)
        .filter(|action| action.action_type_id.category == ActionCategory::Source)
}

fn setting<'a>(action: &'a ActionDeclaration, key: &str) -> &'a str {
    action.configuration.get(key).map_or("", String::as_str)
}

impl Sources {
    /// Puts together what the file and the command line (`ACTION=DIR|REV`) say.
    pub(super) fn of(
        file: &PipelineFile,
        declaration: &PipelineDeclaration,
        wanted: &[(String, String)],
    ) -> Result<Self, Failure> {
        let listed = file.resources.repositories.iter();
        let mut sources = Self {
            repositories: listed
                .map(|(name, path)| (name.clone(), source_at(&file.resolve(&path.value))))
                .collect(),
            fallback: source_at(&file.folder),
            cloned: Vec::new(),
            revisions: BTreeMap::new(),
            objects: Vec::new(),
        };
        for action in source_actions(declaration) {
            if setting(action, "OutputArtifactFormat") == "CODEBUILD_CLONE_REF" {
                sources
                    .cloned
                    .push(setting(action, "RepositoryName").to_owned());
            }
        }
        let mut given: BTreeMap<String, &str> = BTreeMap::new();
        for (name, value) in wanted {
            let action = source_actions(declaration)
                .find(|a| a.name == *name)
                .ok_or_else(|| {
                    let names = source_actions(declaration).map(|action| action.name.as_str());
                    absent(
                        format!("the pipeline has no source action `{name}`"),
                        name,
                        names,
                    )
                })?;
            sources.take(action, value, &mut given)?;
        }
        Ok(sources)
    }

    fn take<'a>(
        &mut self,
        action: &ActionDeclaration,
        value: &'a str,
        given: &mut BTreeMap<String, &'a str>,
    ) -> Result<(), Failure> {
        let path = Path::new(value);
        match action.action_type_id.provider.as_str() {
            "CodeCommit" => {
                let repository = setting(action, "RepositoryName").to_owned();
                if !path.is_dir() {
                    let revision = (repository, value.to_owned());
                    self.revisions.insert(action.name.clone(), revision);
                    return Ok(());
                }
                if given
                    .insert(repository.clone(), value)
                    .is_some_and(|other| other != value)
                {
                    let message = format!("repository `{repository}` was given two directories");
                    return Err(Failure::usage(message)
                        .with_help("source actions that name one repository share it"));
                }
                self.repositories.insert(repository, source_at(path));
                Ok(())
            }
            "S3" if path.exists() => {
                let of = |key| setting(action, key).to_owned();
                self.objects
                    .push((of("S3Bucket"), of("S3ObjectKey"), path.to_owned()));
                Ok(())
            }
            "S3" => Err(
                Failure::not_found(format!("there is no file or directory {value}")).with_help(
                    format!("source action `{}` takes an object from S3", action.name),
                ),
            ),
            other => Err(Failure::usage(format!(
                "source action `{}` is of provider {other}, which takes no --source",
                action.name
            ))
            .with_help("--source is for CodeCommit and S3 source actions")),
        }
    }

    /// What the source actions name and nobody has.
    pub(super) fn missing(
        &self,
        file: &PipelineFile,
        declaration: &PipelineDeclaration,
        is_kept: bool,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for stage in &declaration.stages {
            for action in stage.actions.iter().filter(|a| is_s3_source(a)) {
                let (bucket, key) = (setting(action, "S3Bucket"), setting(action, "S3ObjectKey"));
                let listed = file.resources.buckets.get(bucket);
                let is_listed = listed.is_some_and(|objects| objects.contains_key(key));
                let is_given = self.objects.iter().any(|(b, k, _)| b == bucket && k == key);
                // An earlier run may have left it in a kept state; then the action finds out.
                if is_listed || is_given || is_kept || has_reference(key) || has_reference(bucket) {
                    continue;
                }
                let message = format!(
                    "stage `{}`, action `{}` takes object `{key}` from bucket `{bucket}`, which \
                     nobody put there",
                    stage.name, action.name
                );
                let fields = &["configuration", "S3ObjectKey"];
                let place = file.place_of_action(&stage.name, &action.name, fields);
                let help = format!(
                    "give a file, --source {}=FILE, or list it under `resources.buckets`",
                    action.name
                );
                findings.push(
                    Finding::error(message)
                        .at(&file.source, place)
                        .with_help(help),
                );
            }
        }
        findings
    }

    /// Repositories that nobody listed. The one repository of a file that lists none is its own
    /// folder; two cannot both be.
    pub(super) fn unknown(
        &self,
        file: &PipelineFile,
        declaration: &PipelineDeclaration,
    ) -> Vec<Finding> {
        let is_not_given = |action: &&ActionDeclaration| {
            action.action_type_id.provider == "CodeCommit"
                && !self
                    .repositories
                    .contains_key(setting(action, "RepositoryName"))
        };
        let left: BTreeSet<_> = source_actions(declaration)
            .filter(is_not_given)
            .map(|action| setting(action, "RepositoryName"))
            .collect();
        if file.resources.repositories.is_empty() && left.len() <= 1 {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for stage in &declaration.stages {
            let sources = stage
                .actions
                .iter()
                .filter(|action| action.action_type_id.provider == "CodeCommit");
            for action in sources {
                let repository = setting(action, "RepositoryName");
                if self.repositories.contains_key(repository) {
                    continue;
                }
                let message = format!(
                    "stage `{}`, action `{}` takes repository `{repository}`, which is not listed",
                    stage.name, action.name
                );
                let fields = &["configuration", "RepositoryName"];
                let place = file.place_of_action(&stage.name, &action.name, fields);
                let help = format!(
                    "list it under `resources.repositories`, or give it, --source {}=DIR",
                    action.name
                );
                findings.push(
                    Finding::error(message)
                        .at(&file.source, place)
                        .with_help(help),
                );
            }
        }
        findings
    }

    /// What a person should know about where the sources come from.
    pub(super) fn notes(&self, declaration: &PipelineDeclaration) -> Vec<String> {
        let mut notes = Vec::new();
        for action in source_actions(declaration) {
            let repository = setting(action, "RepositoryName");
            if action.action_type_id.provider != "CodeCommit" {
                continue;
            }
            if let Some((_, revision)) = self.revisions.get(&action.name) {
                notes.push(format!("source {}: revision {revision}", action.name));
                continue;
            }
            let source = self.repositories.get(repository).unwrap_or(&self.fallback);
            let path = relative(&source.path);
            notes.push(match source.kind {
                Kind::WorkingTree {
                    include_uncommitted: true,
                } => format!(
                    "source {}: {path} as it lies there, files that are not committed included; \
                     {} is not looked at",
                    action.name,
                    branch(action)
                ),
                Kind::WorkingTree {
                    include_uncommitted: false,
                } => {
                    format!("source {}: the checked-out commit of {path}", action.name)
                }
                Kind::Repository => format!(
                    "source {}: branch {} of {path}",
                    action.name,
                    setting(action, "BranchName")
                ),
                Kind::Directory => {
                    format!(
                        "source {}: the files in {path}, which has no git",
                        action.name
                    )
                }
            });
        }
        notes
    }
}

fn branch(action: &ActionDeclaration) -> String {
    format!("branch {}", setting(action, "BranchName"))
}

fn is_s3_source(action: &ActionDeclaration) -> bool {
    action.action_type_id.category == ActionCategory::Source
        && action.action_type_id.provider == "S3"
}

/// The path as a person would write it, when it is below the current directory.
fn relative(path: &Path) -> String {
    let below = std::env::current_dir().ok().and_then(|here| {
        path.strip_prefix(here.canonicalize().ok()?)
            .ok()
            .map(Path::to_owned)
    });
    match below {
        Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Some(below) => below.display().to_string(),
        None => path.display().to_string(),
    }
}
