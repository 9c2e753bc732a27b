//! The projects of a file: of a pipeline file's `resources`, or one as CodeBuild's own API takes it.

use model::project::Project;
use serde_json::{Value, json};

use crate::{
    args::ProjectFileArgs,
    exit::Exit,
    failure::Failure,
    file::{DEFAULT_ROLE, PipelineFile},
};

/// The longest file that is looked into for a project of CodeBuild's own form.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What CodeBuild must be told and nothing here depends on.
const COMPUTE_TYPE: &str = "BUILD_GENERAL1_SMALL";
const ENVIRONMENT_TYPE: &str = "LINUX_CONTAINER";
/// The image of a project that names none: the API wants one. A server without containers runs every
/// build on its own tools.
const IMAGE: &str = "aws/codebuild/standard:7.0";
/// The builds of a pipeline get their sources from it and give it their artifacts.
const OF_PIPELINE: &str = "CODEPIPELINE";

/// The projects that are wanted, as `CreateProject` takes them.
pub(super) fn load(args: &ProjectFileArgs) -> Result<Vec<Value>, Failure> {
    let all = match own_form(args) {
        Some(project) => vec![project],
        None => of_pipeline(args)?,
    };
    if args.names.is_empty() {
        return Ok(all);
    }
    let name = |project: &Value| project["name"].as_str().unwrap_or_default().to_owned();
    let wanted = args.names.iter().map(|wanted| {
        let found = all.iter().find(|project| name(project) == *wanted);
        found.cloned().ok_or_else(|| {
            let names: Vec<String> = all.iter().map(name).collect();
            let message = format!("{} has no project `{wanted}`", args.file.display());
            Failure::not_found(message).with_help(format!("there are: {}", names.join(", ")))
        })
    });
    wanted.collect()
}

/// A file that holds one project as `aws codebuild create-project --cli-input-json` takes it, or
/// `aws codebuild batch-get-projects` prints it.
fn own_form(args: &ProjectFileArgs) -> Option<Value> {
    let is_json = args.file.extension().is_some_and(|end| end == "json");
    let is_short = std::fs::metadata(&args.file).is_ok_and(|file| file.len() <= FILE_BYTES_MAX);
    if !is_json || !is_short {
        return None;
    }
    let text = std::fs::read_to_string(&args.file).ok()?;
    // Whatever is wrong with it is said by the reader of pipelines.
    let document: Value = serde_json::from_str(&text).ok()?;
    let project = match &document["projects"] {
        Value::Array(projects) if projects.len() == 1 => projects[0].clone(),
        _ => document,
    };
    let is_project = project["name"].is_string()
        && project["environment"].is_object()
        && project["stages"].is_null();
    if !is_project {
        return None;
    }
    Some(without_own(project))
}

/// What a server says of a project and must not be told.
fn without_own(mut project: Value) -> Value {
    const OWN: [&str; 6] = [
        "arn",
        "created",
        "lastModified",
        "webhook",
        "badge",
        "publicProjectAlias",
    ];
    if let Some(fields) = project.as_object_mut() {
        fields.retain(|key, _| !OWN.contains(&key.as_str()));
    }
    project
}

fn of_pipeline(args: &ProjectFileArgs) -> Result<Vec<Value>, Failure> {
    let file = PipelineFile::load(&args.file)?;
    let projects = &file.resources.projects;
    if projects.is_empty() {
        let message = format!("{} declares no projects", args.file.display());
        return Err(
            Failure::new(Exit::Invalid, message).with_help("they stand under `resources.projects`")
        );
    }
    projects
        .iter()
        .map(|project| complete(&project.value))
        .collect()
}

/// A project with what CodeBuild must be told, too.
pub(in crate::command) fn complete(project: &Project) -> Result<Value, Failure> {
    let mut document = serde_json::to_value(project)
        .map_err(|error| Failure::system("encode the project", &error))?;
    document["source"]["type"] = json!(OF_PIPELINE);
    document["artifacts"] = json!({"type": OF_PIPELINE});
    document["serviceRole"] = json!(DEFAULT_ROLE);
    let environment = &mut document["environment"];
    environment["type"] = json!(ENVIRONMENT_TYPE);
    environment["computeType"] = json!(COMPUTE_TYPE);
    if environment["image"].is_null() {
        environment["image"] = json!(IMAGE);
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    fn load_text(name: &str, text: &str, names: &[&str]) -> Result<Vec<Value>, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let path: PathBuf = folder.path().join(name);
        fs::write(&path, text).expect("write");
        load(&ProjectFileArgs {
            file: path,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    const FILE: &str = "
pipeline:
  name: p
  stages:
    - name: Source
      actions:
        - name: fetch
          actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}
          configuration: {RepositoryName: r, BranchName: main}
          outputArtifacts: [{name: Code}]
    - name: Build
      actions:
        - name: compile
          actionTypeId: {category: Build, owner: AWS, provider: CodeBuild, version: '1'}
          configuration: {ProjectName: one}
          inputArtifacts: [{name: Code}]
";

    #[test]
    fn a_pipeline_file_has_projects_beside_its_pipeline() {
        let text = format!(
            "{FILE}resources:\n  projects:\n    - name: one\n      timeoutInMinutes: 20\n      \
             environment: {{image: 'rust:1.95'}}\n    - name: two\n"
        );
        let all = load_text("p.yml", &text, &[]).expect("projects");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0]["environment"]["image"], "rust:1.95");
        assert_eq!(all[1]["environment"]["image"], IMAGE);
        assert_eq!(all[0]["source"]["type"], "CODEPIPELINE");
        assert_eq!(all[0]["timeoutInMinutes"], 20);
        let two = load_text("p.yml", &text, &["two"]).expect("a project");
        assert_eq!(two[0]["name"], "two");
        let failure = load_text("p.yml", &text, &["three"]).expect_err("none");
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(
            failure.findings[0].help.as_deref(),
            Some("there are: one, two")
        );
    }

    #[test]
    fn a_file_without_projects_says_where_they_stand() {
        let failure = load_text("p.yml", FILE, &[]).expect_err("none");
        assert_eq!(failure.exit, Exit::Invalid);
        assert_eq!(
            failure.findings[0].help.as_deref(),
            Some("they stand under `resources.projects`")
        );
    }

    #[test]
    fn codebuilds_own_form_is_sent_as_it_is_but_for_what_a_server_adds() {
        let text = r#"{"projects": [{"name": "x", "arn": "a", "environment": {"image": "i"}}]}"#;
        let all = load_text("x.json", text, &[]).expect("a project");
        assert_eq!(all, [json!({"name": "x", "environment": {"image": "i"}})]);
    }
}
