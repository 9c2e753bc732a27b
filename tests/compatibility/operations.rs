//! The operations of the API, as clients saw them: from the baseline of the conformance suites.

use std::{collections::BTreeSet, fs};

use pipewright_tests::root;
use serde_json::Value;

use crate::table;

/// Every operation of CodePipeline's API (spec 10).
const OPERATIONS: [&str; 44] = [
    "AcknowledgeJob",
    "AcknowledgeThirdPartyJob",
    "CreateCustomActionType",
    "CreatePipeline",
    "DeleteCustomActionType",
    "DeletePipeline",
    "DeleteWebhook",
    "DeregisterWebhookWithThirdParty",
    "DisableStageTransition",
    "EnableStageTransition",
    "GetActionType",
    "GetJobDetails",
    "GetPipeline",
    "GetPipelineExecution",
    "GetPipelineState",
    "GetThirdPartyJobDetails",
    "ListActionExecutions",
    "ListActionTypes",
    "ListDeployActionExecutionTargets",
    "ListPipelineExecutions",
    "ListPipelines",
    "ListRuleExecutions",
    "ListRuleTypes",
    "ListTagsForResource",
    "ListWebhooks",
    "OverrideStageCondition",
    "PollForJobs",
    "PollForThirdPartyJobs",
    "PutActionRevision",
    "PutApprovalResult",
    "PutJobFailureResult",
    "PutJobSuccessResult",
    "PutThirdPartyJobFailureResult",
    "PutThirdPartyJobSuccessResult",
    "PutWebhook",
    "RegisterWebhookWithThirdParty",
    "RetryStageExecution",
    "RollbackStage",
    "StartPipelineExecution",
    "StopPipelineExecution",
    "TagResource",
    "UntagResource",
    "UpdateActionType",
    "UpdatePipeline",
];

pub(crate) fn section() -> String {
    let path = root().join("tests/conformance/baseline.json");
    let seen = fs::read_to_string(path).expect("the conformance suites write it");
    let seen: Value = serde_json::from_str(&seen).expect("it is JSON");
    let here: Vec<&str> = OPERATIONS
        .into_iter()
        .filter(|operation| seen["operations"].get(operation).is_some())
        .collect();
    let parts = [
        summary(&seen, &here),
        by_operation(&seen, &here),
        absent(&here),
        unprovoked(&seen, &here),
        unanswered(&seen, &here),
    ];
    parts.join("\n")
}

fn summary(seen: &Value, here: &[&str]) -> String {
    let version = |client: &str| seen["clients"][client].as_str().unwrap_or("?").to_owned();
    format!(
        "## Operations\n\n{} of {} operations are here. Clients drive each of them against a real \
         server, and every answer is held to the service's own model: types, required members, \
         enums, lengths and patterns, and no member that the model does not know. The clients are \
         boto3 {} and the AWS CLI {}.\n",
        here.len(),
        OPERATIONS.len(),
        version("boto3"),
        version("awscli"),
    )
}

fn by_operation(seen: &Value, here: &[&str]) -> String {
    let rows: Vec<Vec<String>> = here
        .iter()
        .map(|operation| {
            let found = &seen["operations"][operation];
            let clients = words(&found["clients"]);
            let drives = |client: &str| {
                if clients.contains(client) {
                    "yes"
                } else {
                    "no"
                }
            };
            let (errors, fields) = (words(&found["errors"]), words(&found["fields"]));
            let (all_errors, all_fields) = (
                words(&found["errors_modelled"]),
                words(&found["fields_modelled"]),
            );
            vec![
                format!("`{operation}`"),
                drives("boto3").to_owned(),
                drives("aws").to_owned(),
                format!("{} of {}", errors.len(), all_errors.len()),
                format!("{} of {}", fields.len(), all_fields.len()),
                found["constraints"].to_string(),
            ]
        })
        .collect();
    let head = [
        "operation",
        "boto3",
        "AWS CLI",
        "modelled errors provoked",
        "members answered",
        "requests spoilt and refused",
    ];
    let about = "A spoilt request breaks one constraint of the model: the refusal must name the \
                 place. Members that are never answered are listed below.";
    format!("{}\n{about}\n", table(&head, &rows))
}

fn absent(here: &[&str]) -> String {
    let absent: Vec<String> = OPERATIONS
        .into_iter()
        .filter(|operation| !here.contains(operation))
        .map(|operation| format!("`{operation}`"))
        .collect();
    format!(
        "Not here yet, and refused by name with `UnknownOperationException`: {}.\n",
        absent.join(", ")
    )
}

/// Errors that no client can provoke, with why.
fn unprovoked(seen: &Value, here: &[&str]) -> String {
    let mut rows = Vec::new();
    for operation in here {
        let excused = seen["unprovoked"][operation].as_object();
        for (error, why) in excused.into_iter().flatten() {
            let why = why.as_str().unwrap_or_default().to_owned();
            rows.push(vec![format!("`{operation}`"), format!("`{error}`"), why]);
        }
    }
    let table = table(&["operation", "error", "why nobody gets it here"], &rows);
    format!("### Errors that are never given\n\n{table}")
}

/// Members of the model that no answer had; what is below an absent member is not told.
fn unanswered(seen: &Value, here: &[&str]) -> String {
    let mut rows = Vec::new();
    for operation in here {
        let found = &seen["operations"][operation];
        let absent = &words(&found["fields_modelled"]) - &words(&found["fields"]);
        let tops: Vec<String> = absent
            .iter()
            .filter(|field| !is_below(field, &absent))
            .map(|field| format!("`{field}`"))
            .collect();
        if !tops.is_empty() {
            rows.push(vec![format!("`{operation}`"), tops.join(", ")]);
        }
    }
    let table = table(&["operation", "members"], &rows);
    format!("### Members that are never answered\n\n{table}")
}

/// Whether a structure that a field is in is among the fields.
fn is_below(field: &str, fields: &BTreeSet<String>) -> bool {
    let ends = field.match_indices('.').map(|(at, _)| at);
    let mut above = ends.map(|at| field[..at].trim_end_matches("[]"));
    above.any(|above| fields.contains(above))
}

fn words(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned));
    texts.collect()
}
