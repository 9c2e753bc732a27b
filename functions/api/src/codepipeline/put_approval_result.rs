//! `PutApprovalResult` (spec 10).

use operations::{PutApprovalResult, put_approval_result};
use serde_json::{Value, json};

use super::{CodePipeline, id, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("stageName", shape::NAME),
    shape::required("actionName", shape::NAME),
    shape::required(
        "result",
        shape::Kind::Structure(&[
            shape::required("summary", shape::text(0, 512)),
            shape::required("status", shape::Kind::OneOf(&["Approved", "Rejected"])),
        ]),
    ),
    shape::required("token", shape::UUID),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let result = &call.input["result"];
    let request = PutApprovalResult {
        pipeline: text(&call.input, "pipelineName"),
        stage: text(&call.input, "stageName"),
        action: text(&call.input, "actionName"),
        token: id(&call.input, "token"),
        approved: result["status"] == "Approved",
        summary: text(result, "summary"),
        by: call.caller,
    };
    let answered = put_approval_result(&service.world, request).await;
    let at = answered.map_err(|error| service.error(&error))?;
    Ok(json!({"approvedAt": encode::time(at)}))
}
