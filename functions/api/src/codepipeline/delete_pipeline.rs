//! `DeletePipeline` (spec 10).

use operations::{DeletePipeline, delete_pipeline};
use serde_json::Value;

use super::{CodePipeline, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[shape::required("name", shape::NAME)];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let request = DeletePipeline {
        pipeline: text(&call.input, "name"),
        by: call.caller,
    };
    let deleted = delete_pipeline(&service.world, request).await;
    deleted.map_err(|error| service.error(&error))?;
    Ok(Value::Null)
}
