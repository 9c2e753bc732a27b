//! `GetActionType` (spec 10).

use model::declaration::ActionTypeId;
use operations::{GetActionType, get_action_type};
use serde_json::{Value, json};

use super::CodePipeline;
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

const fn word(max: usize) -> shape::Kind {
    shape::pattern(1, max, "[0-9A-Za-z_-]+", |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    })
}

pub(super) static SHAPE: &[Member] = &[
    shape::required(
        "category",
        shape::Kind::OneOf(&[
            "Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute",
        ]),
    ),
    shape::required(
        "owner",
        shape::pattern(0, usize::MAX, "AWS|ThirdParty", |text| {
            matches!(text, "AWS" | "ThirdParty")
        }),
    ),
    shape::required("provider", word(35)),
    shape::required("version", word(9)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let id: ActionTypeId = serde_json::from_value(call.input.clone())
        .map_err(|error| ApiError::serialization(error.to_string()))?;
    let request = GetActionType {
        id,
        by: call.caller,
    };
    let found = get_action_type(&service.world, request).await;
    let found = found.map_err(|error| service.error(&error))?;
    Ok(json!({"actionType": encode::action_type_declaration(found)}))
}
