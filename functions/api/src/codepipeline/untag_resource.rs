//! `UntagResource` (spec 10).

use operations::{UntagResource, untag_resource};
use serde_json::{Value, json};

use super::{CodePipeline, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

static KEY: shape::Kind = shape::text(1, 128);

pub(super) static SHAPE: &[Member] = &[
    shape::required("resourceArn", shape::ARN),
    shape::required("tagKeys", shape::Kind::List(0, usize::MAX, &KEY)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let keys = call.input["tagKeys"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let keys = keys
        .iter()
        .filter_map(|key| key.as_str().map(str::to_owned));
    let request = UntagResource {
        arn: text(&call.input, "resourceArn"),
        keys: keys.collect(),
        by: call.caller,
    };
    let untagged = untag_resource(&service.world, request).await;
    untagged.map_err(|error| service.error(&error))?;
    Ok(json!({}))
}
