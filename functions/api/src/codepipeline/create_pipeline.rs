//! `CreatePipeline` (spec 10).

use operations::{CreatePipeline, create_pipeline};
use serde_json::{Value, json};

use super::{CodePipeline, TAG, declaration::declaration, pairs};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipeline", shape::Kind::Structure(&[])),
    shape::optional("tags", shape::Kind::List(0, usize::MAX, &TAG)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let tags = pairs(&call.input["tags"], "key", "value");
    let request = CreatePipeline {
        declaration: declaration(call.body)?,
        tags,
        starts: true,
        by: call.caller,
    };
    let stored = create_pipeline(&service.world, request).await;
    let stored = stored.map_err(|error| service.error(&error))?;
    let tags = call.input.get("tags").filter(|tags| !tags.is_null());
    Ok(encode::object([
        ("pipeline", encode::pipeline(&stored)),
        ("tags", json!(tags)),
    ]))
}
