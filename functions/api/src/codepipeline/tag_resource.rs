//! `TagResource` (spec 10).

use operations::{TagResource, tag_resource};
use serde_json::{Value, json};

use super::{CodePipeline, TAG, pairs, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("resourceArn", shape::ARN),
    shape::required("tags", shape::Kind::List(0, usize::MAX, &TAG)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let request = TagResource {
        arn: text(&call.input, "resourceArn"),
        tags: pairs(&call.input["tags"], "key", "value"),
        by: call.caller,
    };
    let tagged = tag_resource(&service.world, request).await;
    tagged.map_err(|error| service.error(&error))?;
    Ok(json!({}))
}
