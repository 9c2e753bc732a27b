//! What a person means: a pipeline by its name, an execution by its id, by how that begins, or as
//! the newest one of a pipeline.

use model::{Timestamp, declaration::problem::nearest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ApiError, Client, Service, when};
use crate::{args::TargetArgs, exit::Exit, failure::Failure};

/// How many pipelines are looked through.
pub const PIPELINES_MAX: usize = 10_000;
/// How many executions of each are looked through for one whose id begins so.
const EXECUTIONS_MAX: usize = 1_000;
/// The fewest characters that name an execution.
const PREFIX_MIN: usize = 4;
/// How many of a list a message names.
const NAMED_MAX: usize = 8;

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub pipeline: String,
    /// The whole id.
    pub execution: String,
    pub started: Option<Timestamp>,
}

/// How people are told of an execution: enough of its id to name it again.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The summaries of all pipelines.
pub fn pipelines(client: &Client) -> Result<Vec<Value>, ApiError> {
    client.list(
        Service::CodePipeline,
        "ListPipelines",
        &json!({}),
        "pipelines",
        PIPELINES_MAX,
    )
}

/// The summaries of a pipeline's newest executions.
pub fn executions(client: &Client, name: &str, most: usize) -> Result<Vec<Value>, ApiError> {
    let input = json!({"pipelineName": name, "maxResults": most.clamp(1, 100)});
    let items = "pipelineExecutionSummaries";
    client.list(
        Service::CodePipeline,
        "ListPipelineExecutions",
        &input,
        items,
        most,
    )
}

/// The execution that is meant.
pub fn execution(client: &Client, target: &TargetArgs) -> Result<Found, Failure> {
    let wanted = target.target.trim();
    if let Some(pipeline) = &target.pipeline {
        if wanted == pipeline {
            return newest(client, wanted)?.ok_or_else(|| none_yet(wanted));
        }
        let found =
            in_pipeline(client, pipeline, wanted).map_err(|e| refused(client, e, pipeline))?;
        return choose(wanted, found);
    }
    let is_id = is_id(wanted);
    if Uuid::parse_str(wanted).is_err() {
        match newest(client, wanted) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if !is_id => return Err(none_yet(wanted)),
            Err(failure) if failure.exit == Exit::NotFound && is_id => {}
            Err(failure) => return Err(failure),
            Ok(None) => {}
        }
    }
    let mut found = Vec::new();
    for summary in pipelines(client)? {
        let Some(name) = summary["name"].as_str() else {
            continue;
        };
        match in_pipeline(client, name, wanted) {
            Ok(more) => found.extend(more),
            // It was deleted since it was listed.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        if Uuid::parse_str(wanted).is_ok() && !found.is_empty() {
            break;
        }
    }
    choose(wanted, found)
}

/// Whether a text could be the beginning of an id.
fn is_id(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    (PREFIX_MIN..=36).contains(&text.len()) && text.chars().all(is_part)
}

/// The newest execution of a pipeline, if it has any.
pub fn newest(client: &Client, name: &str) -> Result<Option<Found>, Failure> {
    let newest = executions(client, name, 1).map_err(|error| refused(client, error, name))?;
    Ok(newest.first().and_then(|summary| found(name, summary)))
}

fn found(pipeline: &str, summary: &Value) -> Option<Found> {
    Some(Found {
        pipeline: pipeline.to_owned(),
        execution: summary["pipelineExecutionId"].as_str()?.to_owned(),
        started: when::timestamp(&summary["startTime"]),
    })
}

fn in_pipeline(client: &Client, pipeline: &str, wanted: &str) -> Result<Vec<Found>, ApiError> {
    let wanted = wanted.to_ascii_lowercase();
    let is_whole = Uuid::parse_str(&wanted).is_ok();
    if is_whole && !has(client, pipeline, &wanted)? {
        return Ok(Vec::new());
    }
    let all = executions(client, pipeline, EXECUTIONS_MAX)?;
    let found = all.iter().filter_map(|summary| found(pipeline, summary));
    let mut found: Vec<Found> = found
        .filter(|found| found.execution.starts_with(&wanted))
        .collect();
    if is_whole && found.is_empty() {
        // It is too old to be among those, and it is there.
        found.push(Found {
            pipeline: pipeline.to_owned(),
            execution: wanted,
            started: None,
        });
    }
    Ok(found)
}

/// Whether a pipeline has that execution.
fn has(client: &Client, pipeline: &str, execution: &str) -> Result<bool, ApiError> {
    let input = json!({"pipelineName": pipeline, "pipelineExecutionId": execution});
    match client.call("GetPipelineExecution", &input) {
        Ok(_) => Ok(true),
        Err(error) if error.name() == Some("PipelineExecutionNotFoundException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The one that was found.
fn choose(wanted: &str, mut found: Vec<Found>) -> Result<Found, Failure> {
    match found.len() {
        0 => Err(Failure::not_found(format!(
            "no execution has an id that begins with `{wanted}`"
        ))
        .with_help("pipewright exec list NAME")),
        1 => Ok(found.remove(0)),
        count => {
            let names: Vec<String> = found
                .iter()
                .take(NAMED_MAX)
                .map(|found| format!("{} of {}", found.execution, found.pipeline))
                .collect();
            let message = format!("`{wanted}` begins the ids of {count} executions");
            Err(Failure::usage(message)
                .with_help(format!("write more of it: {}", names.join(", "))))
        }
    }
}

fn none_yet(name: &str) -> Failure {
    Failure::not_found(format!("pipeline `{name}` has no execution yet"))
        .with_help(format!("pipewright start {name}"))
}

/// Why a call about this pipeline was refused, with the name that was meant when it is not there.
pub fn refused(client: &Client, error: ApiError, name: &str) -> Failure {
    let is_missing = error.name() == Some("PipelineNotFoundException");
    let failure = Failure::from(error);
    if !is_missing {
        return failure;
    }
    let Ok(known) = pipelines(client) else {
        return failure;
    };
    let names: Vec<&str> = known.iter().filter_map(|p| p["name"].as_str()).collect();
    failure.with_help(meant(name, &names))
}

fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none yet: pipewright pipeline create FILE".to_owned(),
        None if known.len() <= NAMED_MAX => format!("there are: {}", known.join(", ")),
        None => "pipewright pipeline list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(execution: &str) -> Found {
        Found {
            pipeline: "p".into(),
            execution: execution.into(),
            started: None,
        }
    }

    #[test]
    fn an_id_is_hexadecimal_and_not_too_short() {
        for (text, is) in [
            ("5f1c9e7a", true),
            ("5f1c", true),
            ("5f1c9e7a-1234", true),
            ("5f1", false),
            ("web-shop", false),
            ("deadbeef", true),
        ] {
            assert_eq!(is_id(text), is, "{text}");
        }
        assert_eq!(short("5f1c9e7a-1234"), "5f1c9e7a");
        assert_eq!(short("5f"), "5f");
    }

    #[test]
    fn one_execution_must_be_meant() {
        let chosen = choose("5f", vec![one("5f1c")]).expect("one");
        assert_eq!(chosen, one("5f1c"));
        let none = choose("5f", vec![]).expect_err("none");
        assert_eq!(none.exit, Exit::NotFound);
        let two = choose("5f", vec![one("5f1c"), one("5f2c")]).expect_err("two");
        assert_eq!(two.exit, Exit::Usage);
        assert_eq!(
            two.findings[0].help.as_deref(),
            Some("write more of it: 5f1c of p, 5f2c of p")
        );
    }

    #[test]
    fn a_slip_in_a_name_is_met_with_the_name() {
        assert_eq!(
            meant("web-shp", &["web-shop", "api"]),
            "did you mean `web-shop`?"
        );
        assert_eq!(meant("x", &["web-shop", "api"]), "there are: web-shop, api");
        assert_eq!(
            meant("x", &[]),
            "there is none yet: pipewright pipeline create FILE"
        );
        let many = ["aaaa"; 20];
        assert_eq!(meant("zzzz", &many), "pipewright pipeline list");
    }

    #[test]
    fn a_summary_without_an_id_is_none() {
        assert_eq!(found("p", &json!({})), None);
        let summary = json!({"pipelineExecutionId": "5f1c", "startTime": 2.5});
        let started = found("p", &summary).and_then(|found| found.started);
        assert_eq!(started, Some(Timestamp(2_500)));
    }
}
