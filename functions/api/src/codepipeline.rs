//! The operations of CodePipeline, one file each (spec 10 §8).

mod create_pipeline;
mod declaration;
mod delete_pipeline;
mod disable_stage_transition;
mod enable_stage_transition;
mod get_action_type;
mod get_pipeline;
mod get_pipeline_execution;
mod get_pipeline_state;
mod list_action_executions;
mod list_action_types;
mod list_pipeline_executions;
mod list_pipelines;
mod list_tags_for_resource;
mod put_approval_result;
mod retry_stage_execution;
mod start_pipeline_execution;
mod stop_pipeline_execution;
mod tag_resource;
mod untag_resource;
mod update_pipeline;

use access::Caller;
use model::ExecutionId;
use operations::OperationError;
use ports::World;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    error::ApiError,
    page::Tokens,
    ready::Ready,
    service::{Call, Reply, Service},
    shape,
};

/// CodePipeline itself.
pub struct CodePipeline {
    pub(crate) world: World,
    pub(crate) tokens: Tokens,
    pub(crate) states: Ready,
}

/// Operations of CodePipeline that are not here yet.
pub const MISSING: [&str; 24] = [
    "AcknowledgeJob",
    "AcknowledgeThirdPartyJob",
    "CreateCustomActionType",
    "DeleteCustomActionType",
    "DeleteWebhook",
    "DeregisterWebhookWithThirdParty",
    "GetJobDetails",
    "GetThirdPartyJobDetails",
    "ListDeployActionExecutionTargets",
    "ListRuleExecutions",
    "ListRuleTypes",
    "ListWebhooks",
    "OverrideStageCondition",
    "PollForJobs",
    "PollForThirdPartyJobs",
    "PutActionRevision",
    "PutJobFailureResult",
    "PutJobSuccessResult",
    "PutThirdPartyJobFailureResult",
    "PutThirdPartyJobSuccessResult",
    "PutWebhook",
    "RegisterWebhookWithThirdParty",
    "RollbackStage",
    "UpdateActionType",
];

/// Makes the table of operations: each name with the module that has its shape and its call.
macro_rules! operations {
    ($($name:literal => $module:ident,)*) => {
        /// The operations that are here.
        pub const OPERATIONS: [&str; 0 $(+ { let _ = $name; 1 })*] = [$($name,)*];

        async fn dispatch(
            service: &CodePipeline,
            call: Call<'_>,
        ) -> Result<Reply, ApiError> {
            match call.operation {
                $($name => {
                    shape::check(&call.input, $module::SHAPE)?;
                    $module::call(service, call).await.map(Reply::from)
                })*
                other => Err(absent(other)),
            }
        }
    };
}

operations! {
    "CreatePipeline" => create_pipeline,
    "DeletePipeline" => delete_pipeline,
    "DisableStageTransition" => disable_stage_transition,
    "EnableStageTransition" => enable_stage_transition,
    "GetActionType" => get_action_type,
    "GetPipeline" => get_pipeline,
    "GetPipelineExecution" => get_pipeline_execution,
    "GetPipelineState" => get_pipeline_state,
    "ListActionExecutions" => list_action_executions,
    "ListActionTypes" => list_action_types,
    "ListPipelineExecutions" => list_pipeline_executions,
    "ListPipelines" => list_pipelines,
    "ListTagsForResource" => list_tags_for_resource,
    "PutApprovalResult" => put_approval_result,
    "RetryStageExecution" => retry_stage_execution,
    "StartPipelineExecution" => start_pipeline_execution,
    "StopPipelineExecution" => stop_pipeline_execution,
    "TagResource" => tag_resource,
    "UntagResource" => untag_resource,
    "UpdatePipeline" => update_pipeline,
}

#[async_trait::async_trait]
impl Service for CodePipeline {
    fn prefix(&self) -> &'static str {
        "CodePipeline_20150709"
    }

    fn signed_for(&self) -> &'static str {
        "codepipeline"
    }

    fn only_reads(&self, operation: &str) -> bool {
        operation.starts_with("Get") || operation.starts_with("List")
    }

    async fn call(&self, call: Call<'_>) -> Result<Reply, ApiError> {
        dispatch(self, call).await
    }
}

impl CodePipeline {
    /// The error of an operation, as the wire has it.
    fn error(&self, error: &OperationError) -> ApiError {
        ApiError::of_operation(error, &self.world.account)
    }
}

fn absent(operation: &str) -> ApiError {
    let message = if MISSING.contains(&operation) {
        format!("Pipewright does not have the operation {operation} yet")
    } else {
        format!("CodePipeline has no operation {operation}")
    };
    ApiError::new("UnknownOperationException", message)
}

/// One tag.
static TAG: shape::Kind = shape::Kind::Structure(&[
    shape::required("key", shape::text(1, 128)),
    shape::required("value", shape::text(0, 256)),
]);

/// The stage whose inbound transition a request is about: an outbound one is the inbound one of the
/// stage behind (spec 10, our choice). Behind the last stage there is none, and nothing to do.
async fn transition_stage(
    service: &CodePipeline,
    call: &Call<'_>,
) -> Result<Option<String>, ApiError> {
    let stage = text(&call.input, "stageName");
    if call.input["transitionType"] == "Inbound" {
        return Ok(Some(stage));
    }
    let pipeline = text(&call.input, "pipelineName");
    let behind = operations::stage_behind(&service.world, &call.caller, &pipeline, &stage).await;
    behind.map_err(|error| service.error(&error))
}

/// A text of the input; its shape was checked.
fn text(input: &Value, name: &str) -> String {
    some_text(input, name).unwrap_or_default()
}

fn some_text(input: &Value, name: &str) -> Option<String> {
    input[name].as_str().map(str::to_owned)
}

/// An id of the input; its shape was checked.
fn id(input: &Value, name: &str) -> Uuid {
    let text = input[name].as_str().unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn execution_id(input: &Value) -> ExecutionId {
    ExecutionId(id(input, "pipelineExecutionId"))
}

/// How many items a page is to have.
fn max_results(input: &Value) -> Option<usize> {
    let number = input["maxResults"].as_u64()?;
    usize::try_from(number).ok()
}

/// Pairs of texts in a list of structures: tags, variables.
fn pairs(list: &Value, first: &str, second: &str) -> Vec<(String, String)> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| (text(item, first), text(item, second)))
        .collect()
}

/// The trigger detail of whatever this caller starts.
fn detail(caller: &Caller) -> String {
    caller.arn().to_owned()
}
