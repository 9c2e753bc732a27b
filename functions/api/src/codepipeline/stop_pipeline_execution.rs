//! `StopPipelineExecution` (spec 10).

use operations::{StopPipelineExecution, stop_pipeline_execution};
use serde_json::{Value, json};

use super::{CodePipeline, execution_id, some_text, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("pipelineExecutionId", shape::UUID),
    shape::optional("abandon", shape::Kind::Flag),
    shape::optional("reason", shape::text(0, 200)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let execution = execution_id(&call.input);
    let request = StopPipelineExecution {
        pipeline: text(&call.input, "pipelineName"),
        execution,
        abandon: call.input["abandon"].as_bool().unwrap_or(false),
        reason: some_text(&call.input, "reason"),
        by: call.caller,
    };
    let stopped = stop_pipeline_execution(&service.world, request).await;
    stopped.map_err(|error| service.error(&error))?;
    Ok(json!({"pipelineExecutionId": execution}))
}
