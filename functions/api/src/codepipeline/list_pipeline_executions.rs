//! `ListPipelineExecutions` (spec 10).

use operations::{ListPipelineExecutions, list_pipeline_executions};
use serde_json::{Value, json};

use super::{CodePipeline, max_results, some_text, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

static FILTER: [Member; 1] = [shape::optional(
    "succeededInStage",
    shape::Kind::Structure(&[shape::optional("stageName", shape::NAME)]),
)];

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::optional("maxResults", shape::Kind::Integer(1, 100)),
    shape::optional("filter", shape::Kind::Structure(&FILTER)),
    shape::optional("nextToken", shape::NEXT_TOKEN),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let now = service.world.clock.now();
    let place = service.tokens.read(call.operation, &call.input, now);
    let place = place.map_err(|error| service.error(&error))?;
    let stage = &call.input["filter"]["succeededInStage"];
    let request = ListPipelineExecutions {
        pipeline: text(&call.input, "pipelineName"),
        succeeded_in_stage: some_text(stage, "stageName"),
        before: place.and_then(|place| place.parse().ok()),
        limit: max_results(&call.input),
        by: call.caller,
    };
    let page = list_pipeline_executions(&service.world, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let shown: Value = page
        .items
        .iter()
        .map(|execution| encode::execution_summary(execution))
        .collect();
    let next = page.next.map(|place| {
        let tokens = &service.tokens;
        tokens.make(call.operation, &call.input, &place.to_string(), now)
    });
    Ok(encode::object([
        ("pipelineExecutionSummaries", shown),
        ("nextToken", json!(next)),
    ]))
}
