//! What the file names and this machine does not have, or cannot have. A declaration is valid without it, because
//! the services would only find out when they run; a run is better not begun.

use std::{
    io,
    path::{Path as FilePath, PathBuf},
};

use embedded::objects::check_bucket;
use model::{
    ActionDeclaration, PipelineDeclaration, StageDeclaration,
    declaration::{problem::nearest, reference::has_reference},
};

use super::{Located, PipelineFile};
use crate::failure::Finding;

/// Everything that a run would miss.
pub(super) fn find(file: &PipelineFile, wanted: &PipelineDeclaration) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, path) in &file.resources.repositories {
        let what = format!("the directory of repository `{name}`");
        findings.extend(absent(file, path, &what, FilePath::is_dir));
    }
    for (bucket, objects) in &file.resources.buckets {
        for (key, path) in objects {
            let what = format!("the file of object `{key}` in bucket `{bucket}`");
            findings.extend(absent(file, path, &what, FilePath::exists));
        }
    }
    if let Some(path) = &file.resources.secrets {
        findings.extend(absent(file, path, "the file of secrets", FilePath::is_file));
    }
    for stage in &wanted.stages {
        for action in &stage.actions {
            findings.extend(project(file, stage, action));
            findings.extend(bucket(file, stage, action));
        }
    }
    findings
}

fn absent(
    file: &PipelineFile,
    path: &Located<PathBuf>,
    what: &str,
    is_there: fn(&FilePath) -> bool,
) -> Option<Finding> {
    let resolved = file.resolve(&path.value);
    if is_there(&resolved) {
        return None;
    }
    let why = match resolved.metadata() {
        Ok(_) => "is something else".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is not there".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    let message = format!("{what}, {}, {why}", resolved.display());
    let help = format!("paths start from {}", file.folder.display());
    Some(
        Finding::error(message)
            .at(&file.source, path.place)
            .with_help(help),
    )
}

/// A bucket whose name S3 would not take either.
fn bucket(
    file: &PipelineFile,
    stage: &StageDeclaration,
    action: &ActionDeclaration,
) -> Option<Finding> {
    if action.action_type_id.provider != "S3" {
        return None;
    }
    let (key, name) = ["S3Bucket", "BucketName"]
        .into_iter()
        .find_map(|key| Some((key, action.configuration.get(key)?)))?;
    if has_reference(name) {
        return None;
    }
    let why = check_bucket(name).err()?;
    let message = format!("stage `{}`, action `{}`: {why}", stage.name, action.name);
    let place = file.place_of_action(&stage.name, &action.name, &["configuration", key]);
    let finding = Finding::error(message).at(&file.source, place);
    Some(finding.with_help("give the bucket another name"))
}

fn project(
    file: &PipelineFile,
    stage: &StageDeclaration,
    action: &ActionDeclaration,
) -> Option<Finding> {
    if action.action_type_id.provider != "CodeBuild" {
        return None;
    }
    let name = action.configuration.get("ProjectName")?;
    if has_reference(name) || file.resources.project(name).is_some() {
        return None;
    }
    let message = format!(
        "stage `{}`, action `{}` builds with project `{name}`, which the file does not declare",
        stage.name, action.name
    );
    let fields = &["configuration", "ProjectName"];
    let place = file.place_of_action(&stage.name, &action.name, fields);
    let known = file
        .resources
        .projects
        .iter()
        .map(|project| project.value.name.as_str());
    let help = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("add `- name: {name}` under `resources.projects`"),
    };
    Some(
        Finding::error(message)
            .at(&file.source, place)
            .with_help(help),
    )
}
