//! The operations of the API, and which of them have a use case.

use pipewright_tests::root;

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

/// Two operations that are one use case.
const TRANSITIONS: [&str; 2] = ["DisableStageTransition", "EnableStageTransition"];

pub(crate) fn section() -> String {
    let rows: Vec<Vec<String>> = OPERATIONS
        .iter()
        .filter_map(|operation| {
            let file = file(operation);
            let path = root().join(&file);
            path.is_file()
                .then(|| vec![format!("`{operation}`"), format!("`{file}`")])
        })
        .collect();
    let count = rows.len();
    let table = table(&["operation", "where"], &rows);
    format!(
        "## Operations\n\n{count} of {} operations have a use case behind them. The command line is \
         built on these; the server that speaks the API comes later.\n\n{table}",
        OPERATIONS.len()
    )
}

/// Where the use case of an operation is kept.
fn file(operation: &str) -> String {
    let name = if TRANSITIONS.contains(&operation) {
        "SetStageTransition"
    } else {
        operation
    };
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    format!("shared/operations/src/{snake}.rs")
}
