//! What a request asked for, as far as the audit trail has it: names and choices, and no secrets.

use serde_json::{Value, json};

/// How long a text may be, and how many items a list, before they are cut.
const PARAMETER_CHARACTERS_MAX: usize = 256;
const PARAMETER_ITEMS_MAX: usize = 20;

/// What stands for a value that may be secret.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The members whose values say what was asked for and cannot be secret: names, ids and choices.
/// Of every other member the trail has the name alone.
const TOLD: [&str; 40] = [
    "abandon",
    "accessKeyId",
    "actionExecutionId",
    "actionName",
    "actionOwnerFilter",
    "category",
    "clientRequestToken",
    "durationSeconds",
    "force",
    "graceSeconds",
    "id",
    "ids",
    "idempotencyToken",
    "key",
    "latestInPipelineExecution",
    "filter",
    "logGroupName",
    "logStreamName",
    "maxResults",
    "name",
    "names",
    "owner",
    "pipelineExecutionId",
    "pipelineName",
    "projectName",
    "provider",
    "reason",
    "regionFilter",
    "resourceArn",
    "retryMode",
    "sourceVersion",
    "stageName",
    "startTimeRange",
    "status",
    "succeededInStage",
    "tagKeys",
    "tags",
    "transitionType",
    "userName",
    "version",
];

/// What a request asked for, as far as the audit trail has it.
pub(crate) fn parameters(input: &Value) -> Value {
    match input {
        Value::Object(map) => map
            .iter()
            .take(PARAMETER_ITEMS_MAX)
            .map(|(name, value)| (cut(name), parameter(name, value)))
            .collect(),
        Value::Array(items) => items
            .iter()
            .take(PARAMETER_ITEMS_MAX)
            .map(parameters)
            .collect(),
        Value::String(text) => Value::from(cut(text)),
        other => other.clone(),
    }
}

fn parameter(name: &str, value: &Value) -> Value {
    match name {
        // Whole definitions are in the store, version by version.
        "pipeline" => value.get("name").map_or(
            Value::Null,
            |pipeline| json!({"name": parameters(pipeline)}),
        ),
        "result" => value
            .get("status")
            .map_or(Value::Null, |status| json!({"status": parameters(status)})),
        _ if TOLD.contains(&name) => parameters(value),
        _ => Value::from(HIDDEN),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(PARAMETER_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
