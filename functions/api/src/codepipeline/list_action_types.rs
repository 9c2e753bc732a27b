//! `ListActionTypes` (spec 10).

use operations::{ListActionTypes, list_action_types};
use serde_json::{Value, json};

use super::{CodePipeline, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::optional(
        "actionOwnerFilter",
        shape::Kind::OneOf(&["AWS", "ThirdParty", "Custom"]),
    ),
    shape::optional("nextToken", shape::NEXT_TOKEN),
    shape::optional("regionFilter", shape::text(4, 30)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let region = &service.world.account.region;
    if let Some(wanted) = call.input["regionFilter"].as_str()
        && wanted != region
    {
        let message = format!("regionFilter: there is no Region {wanted} here; this is {region}");
        return Err(ApiError::validation(message));
    }
    let now = service.world.clock.now();
    let place = service.tokens.read(call.operation, &call.input, now);
    let place = place.map_err(|error| service.error(&error))?;
    let request = ListActionTypes {
        owner: encode::owner(&text(&call.input, "actionOwnerFilter")),
        skip: place.and_then(|place| place.parse().ok()).unwrap_or(0),
        by: call.caller,
    };
    let page = list_action_types(&service.world, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let types: Value = page
        .items
        .iter()
        .map(|known| encode::action_type(known))
        .collect();
    let next = page.next.map(|place| {
        let tokens = &service.tokens;
        tokens.make(call.operation, &call.input, &place.to_string(), now)
    });
    Ok(encode::object([
        ("actionTypes", types),
        ("nextToken", json!(next)),
    ]))
}
