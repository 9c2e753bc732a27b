//! Where the buildspec of an order is, and what it says (spec 70 §1).

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Component, Path},
};

use super::order::{Commands, Order};
use crate::{
    document::{Artifacts, Buildspec, Env, FileSet, Phase, Phases, Version},
    parse::{self, BUILDSPEC_MAX_BYTES, Problem, Warning, is_shell_name},
};

const DEFAULT_PATH: &str = "buildspec.yml";
/// Problems beyond these are counted, not told: they go into one message.
const PROBLEMS_TOLD_MAX: usize = 20;

pub(super) struct Plan {
    pub(super) spec: Buildspec,
    /// Where it was found, for the log.
    pub(super) location: String,
    pub(super) warnings: Vec<Warning>,
}

/// Reads the buildspec of an order; the error is the message of a `YAML_FILE_ERROR`.
pub(super) fn of(order: &Order, source: &Path) -> Result<Plan, String> {
    if let Some(commands) = &order.commands {
        let spec = of_commands(commands)?;
        return Ok(Plan {
            spec,
            location: "commands".to_owned(),
            warnings: Vec::new(),
        });
    }
    let setting = order
        .buildspec
        .as_deref()
        .filter(|setting| !setting.trim().is_empty());
    let (text, location) = match setting {
        Some(text) if parse::is_inline(text) => (text.to_owned(), "inline".to_owned()),
        Some(arn) if arn.starts_with("arn:") => {
            return Err(format!(
                "a buildspec at {arn} is not supported; give its text or a path"
            ));
        }
        Some(path) => (read(source, path)?, path.to_owned()),
        None => (read(source, DEFAULT_PATH)?, DEFAULT_PATH.to_owned()),
    };
    let (spec, warnings) =
        parse::buildspec(&text).map_err(|problems| told(&location, &problems))?;
    Ok(Plan {
        spec,
        location,
        warnings,
    })
}

fn told(location: &str, problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .take(PROBLEMS_TOLD_MAX)
        .map(ToString::to_string)
        .collect();
    if problems.len() > PROBLEMS_TOLD_MAX {
        lines.push(format!("{} more", problems.len() - PROBLEMS_TOLD_MAX));
    }
    format!("{location}: {}", lines.join("; "))
}

fn read(source: &Path, path: &str) -> Result<String, String> {
    let is_below = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_below {
        return Err(format!(
            "the buildspec {path} is not below the source directory"
        ));
    }
    let whole = source.join(path);
    let missing = || format!("stat {}: no such file or directory", whole.display());
    let file = File::open(&whole).map_err(|_| missing())?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(missing());
    }
    let mut bytes = Vec::new();
    file.take(BUILDSPEC_MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("the buildspec {path} cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("the buildspec {path} is not UTF-8"))
}

/// The Commands action runs like a buildspec whose only phase is `build` (spec 60 §2.3).
fn of_commands(commands: &Commands) -> Result<Buildspec, String> {
    if let Some(command) = commands
        .commands
        .iter()
        .find(|c| c.contains(['\n', '\r', '\0']))
    {
        return Err(format!("the command {command:?} has more than one line"));
    }
    if let Some(name) = commands
        .output_variables
        .iter()
        .find(|name| !is_shell_name(name))
    {
        return Err(format!("{name:?} cannot be an output variable"));
    }
    let build = Phase {
        commands: commands.commands.clone(),
        ..Phase::default()
    };
    let primary = FileSet {
        files: commands.files.clone(),
        ..FileSet::default()
    };
    Ok(Buildspec {
        version: Version::V02,
        env: Env {
            exported_variables: commands.output_variables.clone(),
            ..Env::default()
        },
        phases: Phases {
            build: Some(build),
            ..Phases::default()
        },
        artifacts: (!commands.files.is_empty()).then(|| Artifacts {
            primary,
            secondary: BTreeMap::new(),
        }),
        ..Buildspec::default()
    })
}
