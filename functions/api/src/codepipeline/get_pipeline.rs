//! `GetPipeline` (spec 10).

use operations::{GetPipeline, get_pipeline, pipeline_arn};
use serde_json::{Value, json};

use super::{CodePipeline, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("name", shape::NAME),
    shape::optional("version", shape::Kind::Integer(1, i32::MAX as u64)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let request = GetPipeline {
        pipeline: text(&call.input, "name"),
        version: call.input["version"]
            .as_u64()
            .and_then(|version| u32::try_from(version).ok()),
        by: call.caller,
    };
    let name = request.pipeline.clone();
    let found = get_pipeline(&service.world, request).await;
    let found = found.map_err(|error| service.error(&error))?;
    Ok(json!({
        "pipeline": found.declaration,
        "metadata": {
            "pipelineArn": pipeline_arn(&service.world.account, &name),
            "created": encode::time(found.created),
            "updated": encode::time(found.updated),
        },
    }))
}
