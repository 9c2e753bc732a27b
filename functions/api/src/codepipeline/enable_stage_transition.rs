//! `EnableStageTransition` (spec 10).

use operations::{SetStageTransition, set_stage_transition};
use serde_json::Value;

use super::{CodePipeline, text, transition_stage};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("stageName", shape::NAME),
    shape::required(
        "transitionType",
        shape::Kind::OneOf(&["Inbound", "Outbound"]),
    ),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let Some(stage) = transition_stage(service, &call).await? else {
        return Ok(Value::Null);
    };
    let request = SetStageTransition {
        pipeline: text(&call.input, "pipelineName"),
        stage,
        enabled: true,
        reason: None,
        by: call.caller,
    };
    let set = set_stage_transition(&service.world, request).await;
    set.map_err(|error| service.error(&error))?;
    Ok(Value::Null)
}
