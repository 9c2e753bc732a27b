//! `ListPipelines` (spec 10).

use operations::{ListPipelines, PipelineSummary, list_pipelines};
use serde_json::{Value, json};

use super::{CodePipeline, max_results};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::optional("nextToken", shape::NEXT_TOKEN),
    shape::optional("maxResults", shape::Kind::Integer(1, 1000)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let now = service.world.clock.now();
    let after = service.tokens.read(call.operation, &call.input, now);
    let request = ListPipelines {
        after: after.map_err(|error| service.error(&error))?,
        limit: max_results(&call.input),
        by: call.caller,
    };
    let page = list_pipelines(&service.world, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let pipelines: Value = page.items.iter().map(summary).collect();
    let next = page.next.map(|place| {
        let tokens = &service.tokens;
        tokens.make(call.operation, &call.input, &place, now)
    });
    Ok(encode::object([
        ("pipelines", pipelines),
        ("nextToken", json!(next)),
    ]))
}

fn summary(pipeline: &PipelineSummary) -> Value {
    json!({
        "name": pipeline.name,
        "version": pipeline.version,
        "pipelineType": pipeline.pipeline_type,
        "executionMode": pipeline.execution_mode,
        "created": encode::time(pipeline.created),
        "updated": encode::time(pipeline.updated),
    })
}
