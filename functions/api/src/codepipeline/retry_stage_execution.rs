//! `RetryStageExecution` (spec 10).

use model::declaration::RetryMode;
use operations::{RetryStageExecution, retry_stage_execution};
use serde_json::{Value, json};

use super::{CodePipeline, execution_id, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("stageName", shape::NAME),
    shape::required("pipelineExecutionId", shape::UUID),
    shape::required(
        "retryMode",
        shape::Kind::OneOf(&["FAILED_ACTIONS", "ALL_ACTIONS"]),
    ),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let execution = execution_id(&call.input);
    let mode = match call.input["retryMode"].as_str() {
        Some("ALL_ACTIONS") => RetryMode::AllActions,
        _ => RetryMode::FailedActions,
    };
    let request = RetryStageExecution {
        pipeline: text(&call.input, "pipelineName"),
        stage: text(&call.input, "stageName"),
        execution,
        mode,
        by: call.caller,
    };
    let retried = retry_stage_execution(&service.world, request).await;
    retried.map_err(|error| service.error(&error))?;
    Ok(json!({"pipelineExecutionId": execution}))
}
