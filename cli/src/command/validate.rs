//! `validate`: everything that is wrong with pipeline files, all at once.

use std::path::Path;

use serde_json::{Value, json};

use super::sources::Sources;
use crate::{
    args::{Output, ValidateArgs},
    diagnostics,
    exit::Exit,
    failure::{Failure, Finding, Severity},
    file::PipelineFile,
    terminal::{self, Terminal},
};

/// What came of one file.
struct Checked {
    name: String,
    exit: Exit,
    findings: Vec<Finding>,
    /// `web-shop, 4 stages, 6 actions`.
    summary: String,
}

pub(super) fn run(args: &ValidateArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let mut worst = Exit::Succeeded;
    let mut documents = Vec::new();
    for path in &args.files {
        let checked = check(path);
        worst = worst.max(checked.exit);
        show(&checked, terminal)?;
        documents.push(document(&checked));
    }
    match terminal.output {
        Output::Text => {}
        Output::Json | Output::Yaml => write(&json!({"v": 1, "files": documents}))?,
        Output::Jsonl => {
            for mut document in documents {
                document["v"] = json!(1);
                write(&document)?;
            }
        }
    }
    Ok(worst)
}

fn check(path: &Path) -> Checked {
    let name = path.display().to_string();
    match PipelineFile::load(path) {
        Ok(file) => {
            let actions: usize = file
                .declaration
                .stages
                .iter()
                .map(|stage| stage.actions.len())
                .sum();
            let summary = format!(
                "{}, {} stages, {actions} actions",
                file.declaration.name,
                file.declaration.stages.len()
            );
            let mut findings = file.warnings();
            findings.extend(file.would_fail(&file.declaration));
            findings.extend(sources(&file));
            Checked {
                name,
                exit: Exit::Succeeded,
                findings,
                summary,
            }
        }
        Err(failure) => Checked {
            name,
            exit: failure.exit,
            findings: failure.findings,
            summary: String::new(),
        },
    }
}

/// What a run would miss at its sources, as warnings: a run may be given them.
fn sources(file: &PipelineFile) -> Vec<Finding> {
    let declaration = &file.declaration;
    let Ok(sources) = Sources::of(file, declaration, &[]) else {
        return Vec::new();
    };
    if !file.has_resources {
        return Vec::new();
    }
    let missing = sources.missing(file, declaration, false);
    let unknown = sources.unknown(file, declaration);
    let warning = |finding| Finding {
        severity: Severity::Warning,
        ..finding
    };
    missing.into_iter().chain(unknown).map(warning).collect()
}

fn show(checked: &Checked, terminal: Terminal) -> Result<(), Failure> {
    let (width, _) = terminal.size();
    for finding in &checked.findings {
        let text = diagnostics::text(finding, terminal.colour, width);
        match finding.severity {
            Severity::Error => terminal.insist(&text),
            Severity::Warning => terminal.say(&text),
        }
    }
    let errors = checked
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .count();
    if errors > 0 {
        let ending = if errors == 1 { "" } else { "s" };
        terminal.insist(&format!("{}: {errors} problem{ending}", checked.name));
    } else if terminal.output == Output::Text && !terminal.is_quiet() {
        terminal::print(&format!("{}: valid ({})\n", checked.name, checked.summary))
            .map_err(|error| Failure::system("write the result", &error))?;
    }
    Ok(())
}

fn document(checked: &Checked) -> Value {
    json!({
        "file": checked.name,
        "valid": checked.exit == Exit::Succeeded,
        "problems": checked.findings.iter().map(diagnostics::json).collect::<Vec<_>>(),
    })
}

fn write(document: &Value) -> Result<(), Failure> {
    terminal::print(&format!("{document}\n"))
        .map_err(|error| Failure::system("write the result", &error))
}
