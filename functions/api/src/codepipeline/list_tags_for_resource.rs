//! `ListTagsForResource` (spec 10).

use operations::{ListTagsForResource, list_tags_for_resource};
use serde_json::{Value, json};

use super::{CodePipeline, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("resourceArn", shape::ARN),
    shape::optional("nextToken", shape::NEXT_TOKEN),
    shape::optional("maxResults", shape::Kind::Integer(1, 100)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    // All tags are on the first page, so there is no token that a request could have been given.
    let now = service.world.clock.now();
    let token = service.tokens.read(call.operation, &call.input, now);
    token.map_err(|error| service.error(&error))?;
    let request = ListTagsForResource {
        arn: text(&call.input, "resourceArn"),
        by: call.caller,
    };
    let tags = list_tags_for_resource(&service.world, request).await;
    let tags = tags.map_err(|error| service.error(&error))?;
    let tags: Value = tags
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    Ok(json!({"tags": tags}))
}
