//! `DisableStageTransition` (spec 10).

use operations::{SetStageTransition, set_stage_transition};
use serde_json::Value;

use super::{CodePipeline, some_text, text, transition_stage};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

const REASON: shape::Kind = shape::pattern(1, 300, r"[a-zA-Z0-9!@ \(\)\.\*\?\-]+", |text| {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"!@ ().*?-".contains(&b))
});

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("stageName", shape::NAME),
    shape::required(
        "transitionType",
        shape::Kind::OneOf(&["Inbound", "Outbound"]),
    ),
    shape::required("reason", REASON),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let Some(stage) = transition_stage(service, &call).await? else {
        return Ok(Value::Null);
    };
    let request = SetStageTransition {
        pipeline: text(&call.input, "pipelineName"),
        stage,
        enabled: false,
        reason: some_text(&call.input, "reason"),
        by: call.caller,
    };
    let set = set_stage_transition(&service.world, request).await;
    set.map_err(|error| service.error(&error))?;
    Ok(Value::Null)
}
