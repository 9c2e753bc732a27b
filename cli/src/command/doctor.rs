//! `doctor`: what this machine has for running pipelines; every finding with a fix.

mod checks;

use serde_json::{Value, json};

use crate::{
    args::{DoctorArgs, Output},
    exit::Exit,
    failure::Failure,
    terminal::{self, Style, Terminal, paint},
};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Good,
    /// Something is not there that a pipeline may do without.
    Lacking,
    /// Pipelines cannot run.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    health: Health,
    found: String,
    /// What to do, unless all is well.
    fix: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            health: Health::Good,
            found: found.into(),
            fix: None,
        }
    }

    fn lacking(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            health: Health::Lacking,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    fn bad(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            health: Health::Bad,
            ..Self::lacking(name, found, fix)
        }
    }
}

pub(super) fn run(args: &DoctorArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let checks = checks::all(&args.data);
    let exit = exit(&checks);
    let mut text = String::new();
    match terminal.output {
        Output::Text => {
            for check in checks
                .iter()
                .filter(|c| !terminal.is_quiet() || c.health > Health::Good)
            {
                text.push_str(&line(check, terminal.colour));
            }
        }
        Output::Json | Output::Yaml => {
            let all: Vec<_> = checks.iter().map(document).collect();
            let all = json!({"v": 1, "ok": exit == Exit::Succeeded, "checks": all});
            text = format!("{all}\n");
        }
        Output::Jsonl => {
            for check in &checks {
                let mut document = document(check);
                document["v"] = json!(1);
                text.push_str(&document.to_string());
                text.push('\n');
            }
        }
    }
    terminal::print(&text).map_err(|error| Failure::system("write the findings", &error))?;
    Ok(exit)
}

fn exit(checks: &[Check]) -> Exit {
    if checks.iter().any(|check| check.health == Health::Bad) {
        Exit::Failed
    } else {
        Exit::Succeeded
    }
}

fn line(check: &Check, colour: bool) -> String {
    let (sign, style) = match check.health {
        Health::Good => ("✔", Style::Good),
        Health::Lacking => ("–", Style::Attention),
        Health::Bad => ("✘", Style::Bad),
    };
    let sign = paint(sign, style, colour);
    let fix = check
        .fix
        .as_ref()
        .map_or(String::new(), |fix| format!("    help: {fix}\n"));
    format!("{sign} {:<16} {}\n{fix}", check.name, check.found)
}

fn document(check: &Check) -> Value {
    let health = match check.health {
        Health::Good => "ok",
        Health::Lacking => "missing",
        Health::Bad => "failed",
    };
    json!({"name": check.name, "status": health, "found": check.found, "fix": check.fix})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stops_every_pipeline_fails_the_doctor() {
        let good = Check::good("a", "fine");
        let lacking = Check::lacking("b", "not there", "install it");
        let bad = Check::bad("c", "broken", "mend it");
        assert_eq!(exit(&[good.clone(), lacking.clone()]), Exit::Succeeded);
        assert_eq!(exit(&[good, bad.clone(), lacking]), Exit::Failed);
        assert_eq!(
            line(&bad, false),
            "✘ c                broken\n    help: mend it\n"
        );
        assert_eq!(document(&bad)["fix"], "mend it");
    }
}
