//! A pipeline file is what a person writes down to run a pipeline here: the declaration, alone or
//! under `pipeline:`, and beside it the `resources:` that a cloud would have.
//!
//! A role and an artifact store may be left out: on one machine there is one choice for each.

mod buildspecs;
mod lost_references;
mod missing;
mod resources;
mod would_fail;

use std::{fs::File, io::Read, path::Path as FilePath, path::PathBuf, sync::Arc};

use model::{
    PipelineDeclaration,
    declaration::{
        decode::{Decoder, UnknownFields},
        node::{DOCUMENT_BYTES_MAX, Entry, Node, Value},
        path::Path,
        problem::{Place, Problem, nearest},
        read::{Format, read_valid_tree, tree},
        validate::Context,
    },
};

use crate::{
    exit::Exit,
    failure::{Failure, Finding, Severity, Source},
};

pub use resources::{Located, Resources};

/// The role of a pipeline that names none; nothing here assumes roles.
pub const DEFAULT_ROLE: &str = "arn:aws:iam::000000000000:role/pipewright";
/// Where the artifacts of a pipeline go that names no store.
pub const DEFAULT_STORE: &str = "pipewright-artifacts";
/// The key of everything that a cloud would have.
const RESOURCES: &str = "resources";
const PIPELINE: &str = "pipeline";

/// A pipeline file that holds no error.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    pub source: Arc<Source>,
    /// The folder that the paths in the file start from.
    pub folder: PathBuf,
    pub declaration: PipelineDeclaration,
    pub resources: Resources,
    /// The declaration as a tree, to find the place of a problem.
    pub pipeline: Node,
    /// Whether it says anything about resources; a declaration for the API does not.
    pub has_resources: bool,
    /// What is worth knowing although nothing is refused for it.
    warnings: Vec<Finding>,
}

impl PipelineFile {
    /// Reads and checks a file; a failure holds everything that is wrong with it.
    pub fn load(path: &FilePath) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = read_text(path, &name)?;
        let format = Format::of_file_name(&name).unwrap_or_else(|| guess(&text));
        let source = Arc::new(Source { name, text });
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        Self::of_source(&source, format, folder)
    }

    fn of_source(source: &Arc<Source>, format: Format, folder: PathBuf) -> Result<Self, Failure> {
        let invalid = |problems: &[Problem]| invalid(problems, source);
        let mut root = tree(&source.text, format).map_err(|problems| invalid(&problems))?;
        refuse_other_documents(&root, source)?;
        let lost = match format {
            Format::Yaml => lost_references::find(source, &root),
            Format::Json => Vec::new(),
        };
        complete(&mut root);
        // The resources are read even if the pipeline cannot be: all problems at once.
        let mut decoder = Decoder::new(UnknownFields::Refuse);
        let path = Path::document().field(RESOURCES);
        let found = root.entry(RESOURCES).map(|entry| entry.node.clone());
        let resources = found
            .as_ref()
            .filter(|node| node.value != Value::Null)
            .and_then(|node| resources::read(&mut decoder, node, &path))
            .unwrap_or_default();
        let read = read_valid_tree(root, &[RESOURCES], &Context::default());
        let mut problems = decoder.into_problems();
        let document = match read {
            Ok(document) => document,
            Err(more) => {
                problems.extend(more);
                problems.sort_by_key(|problem| (problem.place, problem.rule));
                return Err(invalid(&problems));
            }
        };
        if !problems.is_empty() {
            return Err(invalid(&problems));
        }
        let mut file = Self {
            source: Arc::clone(source),
            folder,
            declaration: document.declaration,
            resources,
            pipeline: document.pipeline,
            has_resources: found.is_some(),
            warnings: Vec::new(),
        };
        let findings = buildspecs::check(&file);
        let (errors, warnings): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|f| f.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(Failure {
                exit: Exit::Invalid,
                findings: errors,
            });
        }
        file.warnings = lost.into_iter().chain(warnings).collect();
        Ok(file)
    }

    /// The path as it is meant: one that is not absolute starts from the file's folder.
    pub fn resolve(&self, path: &FilePath) -> PathBuf {
        self.folder.join(path)
    }

    /// What a run of this part of the pipeline would miss: named here, and not on this machine.
    pub fn missing(&self, wanted: &PipelineDeclaration) -> Vec<Finding> {
        missing::find(self, wanted)
    }

    /// The actions of this part of the pipeline that would fail when their turn comes, as warnings.
    pub fn would_fail(&self, part: &PipelineDeclaration) -> Vec<Finding> {
        would_fail::find(self, part)
    }

    /// What is worth knowing about a file that holds no error.
    pub fn warnings(&self) -> Vec<Finding> {
        let mut warnings = self.warnings.clone();
        if self.has_resources {
            let missing = self.missing(&self.declaration).into_iter();
            warnings.extend(missing.map(|f| Finding {
                severity: Severity::Warning,
                ..f
            }));
        }
        warnings
    }

    /// Where a value of the declaration stands.
    pub fn place_of(&self, path: &Path) -> Place {
        self.pipeline.place_of(path)
    }

    /// Where the name of an action's own value stands, for a message about it.
    pub fn place_of_action(&self, stage: &str, action: &str, fields: &[&'static str]) -> Place {
        let stages = &self.declaration.stages;
        let Some(at) = stages.iter().position(|s| s.name == stage) else {
            return self.pipeline.place;
        };
        let Some(action) = stages[at].actions.iter().position(|a| a.name == action) else {
            return self.pipeline.place;
        };
        let path = Path::pipeline()
            .field("stages")
            .index(at)
            .field("actions")
            .index(action);
        self.place_of(&fields.iter().fold(path, |path, field| path.field(*field)))
    }
}

fn invalid(problems: &[Problem], source: &Arc<Source>) -> Failure {
    let findings = problems
        .iter()
        .map(|problem| Finding::of_problem(problem, Some(source)));
    Failure {
        exit: Exit::Invalid,
        findings: findings.collect(),
    }
}

fn read_text(path: &FilePath, name: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        let (exit, help) = match error.kind() {
            std::io::ErrorKind::NotFound => (Exit::NotFound, "check the path of the pipeline file"),
            std::io::ErrorKind::PermissionDenied => (Exit::NotFound, "let yourself read it"),
            _ => (
                Exit::NotFound,
                "name a file with a pipeline in it, YAML or JSON",
            ),
        };
        Failure::new(exit, format!("failed to read {name}: {error}")).with_help(help)
    };
    let file: Box<dyn Read> = if path == FilePath::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a text that is too long.
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let message = format!("{name} is longer than {DOCUMENT_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Invalid, message)
            .with_help("a pipeline file holds one pipeline; check that this is one"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Exit::Invalid,
            format!("{name} is not UTF-8 text: byte {at} is not part of it"),
        )
        .with_help("save the file as UTF-8")
    })
}

/// The format of a text whose file name does not tell.
fn guess(text: &str) -> Format {
    if text.trim_start().starts_with('{') {
        Format::Json
    } else {
        Format::Yaml
    }
}

/// Tells a document that is something else from a pipeline with mistakes in it.
fn refuse_other_documents(root: &Node, source: &Arc<Source>) -> Result<(), Failure> {
    const KEYS: [&str; 4] = [PIPELINE, RESOURCES, "stages", "name"];
    let has = |key: &str| root.entry(key).is_some();
    let Value::Map(entries) = &root.value else {
        return Ok(());
    };
    // A slip in one of the names is for the reader, who knows what was meant.
    let is_pipeline = entries
        .iter()
        .any(|entry| nearest(&entry.key, KEYS).is_some());
    if entries.is_empty() || is_pipeline {
        return Ok(());
    }
    let (what, help) = if has("phases") {
        let help = "name it where it is used: `resources.projects[].source.buildspec`";
        ("a buildspec, not a pipeline", help)
    } else if has("hooks") || has("os") || has("files") {
        (
            "an AppSpec, not a pipeline",
            "name a file with `stages` in it",
        )
    } else {
        (
            "no pipeline: it has neither `pipeline` nor `stages`",
            "name what `aws codepipeline get-pipeline` prints, or a file with `stages` in it",
        )
    };
    let finding = Finding::error(format!("this is {what}"))
        .at(source, entries[0].key_place)
        .with_help(help);
    Err(Failure {
        exit: Exit::Invalid,
        findings: vec![finding],
    })
}

/// Adds what a file may leave out and the API may not.
fn complete(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else {
        return;
    };
    match entries.iter_mut().find(|entry| entry.key == PIPELINE) {
        Some(entry) => complete_pipeline(&mut entry.node),
        None => complete_pipeline(root),
    }
}

fn complete_pipeline(pipeline: &mut Node) {
    let place = pipeline.place;
    // What does not look like a pipeline is left to the reader, whose message says so best.
    if pipeline.entry("stages").is_none() {
        return;
    }
    let has_role = pipeline.entry("roleArn").is_some();
    let has_store =
        pipeline.entry("artifactStore").is_some() || pipeline.entry("artifactStores").is_some();
    let Value::Map(entries) = &mut pipeline.value else {
        return;
    };
    let text = |value: &str| Node {
        place,
        value: Value::Text(value.to_owned()),
    };
    let entry = |key: &str, node| Entry {
        key: key.to_owned(),
        key_place: place,
        node,
    };
    if !has_role {
        entries.push(entry("roleArn", text(DEFAULT_ROLE)));
    }
    if !has_store {
        let store = vec![
            entry("type", text("S3")),
            entry("location", text(DEFAULT_STORE)),
        ];
        entries.push(entry(
            "artifactStore",
            Node {
                place,
                value: Value::Map(store),
            },
        ));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diagnostics;

    fn load(text: &str) -> Result<PipelineFile, Failure> {
        let source = Arc::new(Source {
            name: "pipeline.yml".into(),
            text: text.into(),
        });
        PipelineFile::of_source(&source, guess(text), PathBuf::from("."))
    }

    fn check_invalid(text: &str, expected: &Expect) {
        let failure = load(text).expect_err("the file is wrong");
        assert_eq!(failure.exit, Exit::Invalid);
        let shown: Vec<_> = failure
            .findings
            .iter()
            .map(|finding| diagnostics::text(finding, false, 120))
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    pub(super) const MINIMAL: &str = "
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
        configuration: {ProjectName: compile}
        inputArtifacts: [{name: Code}]
";

    #[test]
    fn a_role_and_an_artifact_store_may_be_left_out() {
        let file = load(MINIMAL).expect("valid");
        assert_eq!(file.declaration.role_arn, DEFAULT_ROLE);
        let store = file.declaration.artifact_store.expect("a store");
        assert_eq!(store.location, DEFAULT_STORE);
    }

    #[test]
    fn what_is_written_is_kept_and_metadata_is_passed_over() {
        let text = r#"{"pipeline": {"name": "p", "roleArn": "arn:aws:iam::111111111111:role/mine",
          "artifactStore": {"type": "S3", "location": "my-bucket"}, "stages": [
          {"name": "Source", "actions": [{"name": "fetch", "actionTypeId":
            {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
            "configuration": {"S3Bucket": "incoming", "S3ObjectKey": "a.zip"},
            "outputArtifacts": [{"name": "Code"}]}]},
          {"name": "Ok", "actions": [{"name": "ok", "actionTypeId":
            {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]}]},
          "metadata": {"pipelineArn": "arn:aws:codepipeline:us-east-1:111111111111:p"}}"#;
        let file = load(text).expect("valid");
        assert_eq!(
            file.declaration.role_arn,
            "arn:aws:iam::111111111111:role/mine"
        );
        assert_eq!(
            file.declaration.artifact_store.expect("a store").location,
            "my-bucket"
        );
    }

    #[test]
    fn problems_of_the_pipeline_and_of_the_resources_come_together() {
        let text = format!(
            "resources:\n  projcts: []\n  secrets: 7\npipeline:{}  colour: red\n",
            MINIMAL.replace('\n', "\n  ").trim_end().to_owned() + "\n"
        );
        check_invalid(
            &text,
            &expect![[r#"
            error: unknown field `projcts`   [ValidationException]
             --> pipeline.yml:2:3
              |
            2 |   projcts: []
              |   ^^^^^^^
              |
              = help: did you mean `projects`?
            error: `resources.secrets` is an integer, where a string is expected   [SerializationException]
             --> pipeline.yml:3:12
              |
            3 |   secrets: 7
              |            ^
              |
              = help: put the value in quotes: "7"
            error: unknown field `colour`   [ValidationException]
              --> pipeline.yml:19:3
               |
            19 |   colour: red
               |   ^^^^^^
               |
               = help: remove it; the fields here are name, roleArn, artifactStore, artifactStores, stages, version, executionMode, pipelineType, variables, triggers"#]],
        );
    }

    #[test]
    fn broken_yaml_is_shown_where_it_breaks() {
        check_invalid(
            "name: [p\nstages: }",
            &expect![[r#"
            error: the text is not YAML: illegal placement of ':' indicator   [SerializationException]
             --> pipeline.yml:2:7
              |
            2 | stages: }
              |       ^"#]],
        );
    }

    #[test]
    fn an_empty_file_is_no_pipeline() {
        check_invalid(
            "",
            &expect![[r#"
            error: the text holds no declaration   [SerializationException]
             --> pipeline.yml:1:1
              |
            1 |
              | ^"#]],
        );
    }
}
