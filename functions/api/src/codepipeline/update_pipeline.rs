//! `UpdatePipeline` (spec 10).

use operations::{UpdatePipeline, update_pipeline};
use serde_json::{Value, json};

use super::{CodePipeline, declaration::declaration};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[shape::required("pipeline", shape::Kind::Structure(&[]))];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let request = UpdatePipeline {
        declaration: declaration(call.body)?,
        by: call.caller,
    };
    let stored = update_pipeline(&service.world, request).await;
    let stored = stored.map_err(|error| service.error(&error))?;
    Ok(json!({"pipeline": encode::pipeline(&stored)}))
}
