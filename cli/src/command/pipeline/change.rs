//! What changes a definition, or says how it would change.

use std::path::Path;

use model::PipelineDeclaration;
use serde_json::{Value, json};

use super::{beside, ending};
use crate::{
    args::{CreateArgs, DeleteArgs, PipelineFileArgs, UpdateArgs},
    client::{
        ApiError, Client, answer,
        difference::{self, Difference},
        find,
    },
    command::ask,
    diagnostics,
    exit::Exit,
    failure::Failure,
    file::PipelineFile,
    plan::{kind, mode},
    terminal::{Style, Terminal, paint},
};

/// A file and what is sent of it.
struct Definition {
    file: PipelineFile,
    sent: Value,
}

impl Definition {
    fn load(path: &Path, terminal: Terminal) -> Result<Self, Failure> {
        let file = PipelineFile::load(path)?;
        let mut sent = json(&file.declaration)?;
        if let Some(fields) = sent.as_object_mut() {
            // The server counts.
            fields.remove("version");
        }
        let (width, _) = terminal.size();
        for warning in file.warnings() {
            terminal.say(&diagnostics::text(&warning, terminal.colour, width));
        }
        Ok(Self { file, sent })
    }

    fn name(&self) -> &str {
        &self.file.declaration.name
    }

    /// Why the server refused the definition, with the file that it came from.
    fn refused(&self, error: ApiError) -> Failure {
        let is_validation = error.name() == Some("ValidationException");
        let mut failure = Failure::from(error);
        if is_validation {
            failure.exit = Exit::Invalid;
        }
        if failure.exit == Exit::Invalid {
            for finding in &mut failure.findings {
                finding.source = Some(std::sync::Arc::clone(&self.file.source));
            }
        }
        failure
    }

    /// The stored definition; none when there is no such pipeline.
    fn stored(&self, client: &Client) -> Result<Option<Value>, Failure> {
        match client.call("GetPipeline", &json!({"name": self.name()})) {
            Ok(mut answer) => Ok(Some(answer["pipeline"].take())),
            Err(error) if error.name() == Some("PipelineNotFoundException") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn differences(&self, stored: &Value) -> Vec<Difference> {
        difference::between(&normal(stored), &self.sent)
    }
}

fn json(declaration: &PipelineDeclaration) -> Result<Value, Failure> {
    serde_json::to_value(declaration)
        .map_err(|error| Failure::system("encode the pipeline", &error))
}

/// A stored definition as the same writer writes it, so that only what it says is compared.
fn normal(stored: &Value) -> Value {
    let read: Result<PipelineDeclaration, _> = serde_json::from_value(stored.clone());
    read.ok()
        .and_then(|declaration| serde_json::to_value(declaration).ok())
        .unwrap_or_else(|| stored.clone())
}

pub(super) fn create(
    args: &CreateArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let definition = Definition::load(&args.file, terminal)?;
    created(&definition, args, &open()?, terminal)
}

fn created(
    definition: &Definition,
    args: &CreateArgs,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    beside::prepare(&definition.file, args.with_projects, client, terminal)?;
    let mut input = json!({"pipeline": definition.sent});
    if !args.tags.is_empty() {
        let tag = |(key, value): &(String, String)| json!({"key": key, "value": value});
        input["tags"] = args.tags.iter().map(tag).collect();
    }
    let answer = client
        .call("CreatePipeline", &input)
        .map_err(|error| definition.refused(error))?;
    let name = definition.name();
    let line = format!(
        "Created {}",
        headline(&definition.file.declaration, &answer)
    );
    answer::done(
        terminal,
        &line,
        json!({"change": "created", "pipeline": answer["pipeline"]}),
    )?;
    terminal.say(&format!(
        "Its first execution has begun: pipewright watch {name}"
    ));
    Ok(Exit::Succeeded)
}

pub(super) fn update(
    args: &UpdateArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let definition = Definition::load(&args.file, terminal)?;
    let client = open()?;
    let stored = definition.stored(&client)?;
    let Some(stored) = stored else {
        let message = format!("there is no pipeline `{}` to update", definition.name());
        let file = args.file.display();
        return Err(Failure::not_found(message)
            .with_help(format!("create it: pipewright pipeline create {file}")));
    };
    updated(&definition, &stored, args.with_projects, &client, terminal)
}

fn updated(
    definition: &Definition,
    stored: &Value,
    with_projects: bool,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    beside::prepare(&definition.file, with_projects, client, terminal)?;
    let differences = definition.differences(stored);
    let name = definition.name();
    // A key that may change a pipeline and not look at it changes it all the same.
    let endings = ending::executions(client, name);
    let answer = client
        .call("UpdatePipeline", &json!({"pipeline": definition.sent}))
        .map_err(|error| definition.refused(error))?;
    let mut line = format!(
        "Updated {}",
        headline(&definition.file.declaration, &answer)
    );
    for difference in &differences {
        line.push('\n');
        line.push_str(&coloured(difference, terminal.colour));
    }
    let documents: Vec<Value> = differences.iter().map(Difference::json).collect();
    let ended = endings.as_deref().unwrap_or_default();
    let ended: Vec<Value> = ended.iter().map(ending::Ending::json).collect();
    answer::done(
        terminal,
        &line,
        json!({"change": "updated", "pipeline": answer["pipeline"], "differences": documents,
               "endingExecutions": ended}),
    )?;
    match endings.map(|endings| ending::line(&endings)) {
        Ok(None) => terminal.say(&format!("Start it: pipewright start {name}")),
        Ok(Some(line)) => {
            terminal.insist(&format!("{line}\nStart again: pipewright start {name}"));
        }
        Err(error) => terminal.insist(&format!(
            "warning: executions in progress end with this change, and which is not known: {}",
            Failure::from(error)
        )),
    }
    Ok(Exit::Succeeded)
}

pub(super) fn apply(
    args: &CreateArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let definition = Definition::load(&args.file, terminal)?;
    let client = open()?;
    let Some(stored) = definition.stored(&client)? else {
        return created(&definition, args, &client, terminal);
    };
    if !args.tags.is_empty() {
        terminal.insist("warning: tags are given when a pipeline is created; this one exists");
    }
    if !definition.differences(&stored).is_empty() {
        return updated(&definition, &stored, args.with_projects, &client, terminal);
    }
    if args.with_projects {
        beside::prepare(&definition.file, true, &client, terminal)?;
    }
    let version = &stored["version"];
    let line = format!(
        "{} v{version} says the same; nothing was changed",
        definition.name()
    );
    answer::done(
        terminal,
        &line,
        json!({"change": "none", "pipeline": stored}),
    )?;
    Ok(Exit::Succeeded)
}

pub(super) fn diff(
    args: &PipelineFileArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let definition = Definition::load(&args.file, terminal)?;
    let stored = definition.stored(&open()?)?;
    let name = definition.name();
    let file = args.file.display();
    let Some(stored) = stored else {
        let line = format!("{name} does not exist; `pipewright pipeline create {file}` creates it");
        let document = json!({"same": false, "pipeline": name, "exists": false, "differences": []});
        answer::done(terminal, &line, document)?;
        return Ok(Exit::Failed);
    };
    let differences = definition.differences(&stored);
    let version = &stored["version"];
    let documents: Vec<Value> = differences.iter().map(Difference::json).collect();
    let is_same = differences.is_empty();
    let line = if is_same {
        format!("{name} v{version} says the same as {file}")
    } else {
        let mut line = format!("{name} v{version} → {file}");
        for difference in &differences {
            line.push('\n');
            line.push_str(&coloured(difference, terminal.colour));
        }
        line
    };
    answer::done(
        terminal,
        &line,
        json!({"same": is_same, "pipeline": name, "exists": true, "version": version,
               "differences": documents}),
    )?;
    Ok(if is_same {
        Exit::Succeeded
    } else {
        Exit::Failed
    })
}

pub(super) fn delete(
    args: &DeleteArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let client = open()?;
    let name = &args.name;
    // Deleting what is not there succeeds, and a slip in the name must not look like success.
    client
        .call("GetPipeline", &json!({"name": name}))
        .map_err(|error| find::refused(&client, error, name))?;
    let question = format!("Delete pipeline {name}, its history and what runs of it?");
    ask::confirm(&question, args.yes, terminal)?;
    client.call("DeletePipeline", &json!({"name": name}))?;
    answer::done(
        terminal,
        &format!("Deleted {name}"),
        json!({"deleted": name}),
    )?;
    Ok(Exit::Succeeded)
}

/// `web-shop v1 (V2, QUEUED) · 4 stages · 6 actions`
fn headline(declaration: &PipelineDeclaration, answer: &Value) -> String {
    let version = answer["pipeline"]["version"].as_u64().unwrap_or(1);
    let stages = declaration.stages.len();
    let actions: usize = declaration.stages.iter().map(|s| s.actions.len()).sum();
    let ending = |number: usize| if number == 1 { "" } else { "s" };
    format!(
        "{} v{version} ({}, {}) · {stages} stage{} · {actions} action{}",
        declaration.name,
        kind(declaration.pipeline_type),
        mode(declaration.execution_mode),
        ending(stages),
        ending(actions),
    )
}

fn coloured(difference: &Difference, colour: bool) -> String {
    let style = match (&difference.before, &difference.after) {
        (None, Some(_)) => Style::Good,
        (Some(_), None) => Style::Bad,
        (Some(_), Some(_)) | (None, None) => Style::Attention,
    };
    paint(&format!("  {}", difference.line()), style, colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "
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
    fn what_the_server_fills_in_is_no_difference() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.yml");
        std::fs::write(&path, MINIMAL).expect("write");
        let terminal = Terminal {
            output: crate::args::Output::Text,
            colour: false,
            live: false,
            interactive: false,
            volume: crate::terminal::Volume::Quiet,
        };
        let definition = Definition::load(&path, terminal).expect("valid");
        assert_eq!(definition.sent.get("version"), None);
        let mut stored = definition.sent.clone();
        stored["version"] = json!(4);
        stored["stages"][1]["actions"][0]["outputArtifacts"] = json!([]);
        assert_eq!(definition.differences(&stored), []);
        stored["stages"][1]["actions"][0]["runOrder"] = json!(2);
        let lines: Vec<String> = definition
            .differences(&stored)
            .iter()
            .map(Difference::line)
            .collect();
        assert_eq!(lines, ["~ Build/compile  runOrder: 2 → 1"]);
    }

    #[test]
    fn a_refused_definition_is_invalid_and_names_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.yml");
        std::fs::write(&path, MINIMAL).expect("write");
        let file = PipelineFile::load(&path).expect("valid");
        let definition = Definition {
            sent: json!({}),
            file,
        };
        let error = ApiError::Refused {
            name: "ValidationException".into(),
            message: "no".into(),
            operation: "CreatePipeline",
            status: 400,
        };
        let failure = definition.refused(error);
        assert_eq!(failure.exit, Exit::Invalid);
        assert!(failure.findings[0].source.is_some());
    }
}
