//! `StartPipelineExecution` (spec 10).

use std::collections::BTreeMap;

use model::state::{SourceRevisionOverride, Trigger, TriggerType};
use operations::{StartPipelineExecution, start_pipeline_execution};
use serde_json::{Value, json};

use super::{CodePipeline, detail, pairs, some_text, text};
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

static VARIABLE: Kind = Kind::Structure(&[
    shape::required("name", VARIABLE_NAME),
    shape::required("value", shape::text(1, 1000)),
]);

const VARIABLE_NAME: Kind = shape::pattern(1, 128, r"[A-Za-z0-9@\-_]+", |text| {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"@-_".contains(&b))
});

const TOKEN: Kind = shape::pattern(1, 128, "^[a-zA-Z0-9-]+$", |text| {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
});

static REVISION: Kind = Kind::Structure(&[
    shape::required("actionName", shape::NAME),
    shape::required(
        "revisionType",
        Kind::OneOf(&[
            "COMMIT_ID",
            "IMAGE_DIGEST",
            "S3_OBJECT_VERSION_ID",
            "S3_OBJECT_KEY",
        ]),
    ),
    shape::required("revisionValue", shape::text(1, 1500)),
]);

pub(super) static SHAPE: &[Member] = &[
    shape::required("name", shape::NAME),
    shape::optional("variables", Kind::List(1, 50, &VARIABLE)),
    shape::optional("clientRequestToken", TOKEN),
    shape::optional("sourceRevisions", Kind::List(0, 50, &REVISION)),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let name = text(&call.input, "name");
    let pairs = pairs(&call.input["variables"], "name", "value");
    let mut variables = BTreeMap::new();
    for (name, value) in pairs {
        if variables.insert(name.clone(), value).is_some() {
            let message = format!("the variable `{name}` is there twice; name each once");
            return Err(ApiError::validation(message));
        }
    }
    let revisions = call.input["sourceRevisions"].clone();
    let source_revisions: Option<Vec<SourceRevisionOverride>> =
        serde_json::from_value(revisions)
            .map_err(|error| ApiError::serialization(format!("sourceRevisions: {error}")))?;
    let trigger = Trigger {
        kind: TriggerType::StartPipelineExecution,
        detail: detail(&call.caller),
    };
    let request = StartPipelineExecution {
        pipeline: name,
        trigger,
        variables,
        source_revisions: source_revisions.unwrap_or_default(),
        client_request_token: some_text(&call.input, "clientRequestToken"),
        by: call.caller,
    };
    let started = start_pipeline_execution(&service.world, request).await;
    let id = started.map_err(|error| service.error(&error))?;
    Ok(json!({"pipelineExecutionId": id}))
}
