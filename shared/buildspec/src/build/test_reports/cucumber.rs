//! Cucumber's JSON: a list of features, each with its scenarios as `elements`, each with steps.

use serde::Deserialize;

use super::{Case, Outcome};

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;

#[derive(Deserialize)]
struct Feature {
    #[serde(default)]
    name: String,
    #[serde(default)]
    elements: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    before: Vec<Step>,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    after: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    name: String,
    #[serde(default)]
    result: Verdict,
}

#[derive(Default, Deserialize)]
struct Verdict {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    duration: Option<serde_json::Number>,
}

pub(super) fn read(bytes: &[u8], found: &mut dyn FnMut(Case)) -> Result<(), String> {
    let features: Vec<Feature> = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    for feature in features {
        for element in feature.elements {
            // A background runs as part of each scenario and is no test of its own.
            if element.kind != "background" {
                found(case(&feature.name, element));
            }
        }
    }
    Ok(())
}

/// A scenario is as good as its worst step.
fn case(suite: &str, element: Element) -> Case {
    let mut case = Case {
        suite: suite.to_owned(),
        name: element.name,
        outcome: Outcome::Passed,
        message: String::new(),
        duration_ms: 0,
    };
    let mut nanoseconds: u64 = 0;
    for step in element
        .before
        .into_iter()
        .chain(element.steps)
        .chain(element.after)
    {
        let duration = step.result.duration.and_then(|d| d.as_u64()).unwrap_or(0);
        nanoseconds = nanoseconds.saturating_add(duration);
        let (outcome, reason) = match step.result.status.to_ascii_lowercase().as_str() {
            "passed" | "" => continue,
            "failed" => (Outcome::Failed, step.result.error_message),
            "skipped" | "pending" => (Outcome::Skipped, String::new()),
            "undefined" | "ambiguous" => {
                let status = step.result.status.to_ascii_lowercase();
                (Outcome::Error, format!("{status} step: {}", step.name))
            }
            other => (
                Outcome::Error,
                format!("step {} ended as {other}", step.name),
            ),
        };
        let is_worse = match case.outcome {
            Outcome::Passed => true,
            Outcome::Skipped => outcome != Outcome::Skipped,
            Outcome::Failed | Outcome::Error => false,
        };
        if is_worse {
            case.outcome = outcome;
            case.message = reason;
        }
    }
    case.duration_ms = nanoseconds / NANOSECONDS_A_MILLISECOND;
    case
}
