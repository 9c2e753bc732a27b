//! `GetPipelineState` (spec 10).

use bytes::Bytes;
use model::{ActionCategory, ExecutionId, ExecutionStatus, state::Transition};
use operations::{
    ActionView, GetPipelineState, StageView, get_pipeline_state, pipeline_state_commit,
};
use serde_json::{Value, json};

use super::{CodePipeline, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

/// How long the API lets a sign of a change be (`RevisionChangeIdentifier`).
const CHANGE_CHARACTERS_MAX: usize = 100;

pub(super) static SHAPE: &[Member] = &[shape::required("name", shape::NAME)];

/// The answer as a text, which may have been made before.
pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Bytes, ApiError> {
    let request = GetPipelineState {
        pipeline: text(&call.input, "name"),
        by: call.caller,
    };
    let name = request.pipeline.clone();
    let commit = pipeline_state_commit(&service.world, &request).await;
    let commit = commit.map_err(|error| service.error(&error))?;
    if let Some(text) = service.states.get(&name, commit) {
        return Ok(text);
    }
    // What was committed meanwhile is in the text too, which is then kept for nothing.
    let text = Bytes::from(state(service, request).await?.to_string());
    service.states.put(&name, commit, text.clone());
    Ok(text)
}

async fn state(service: &CodePipeline, request: GetPipelineState) -> Result<Value, ApiError> {
    let found = get_pipeline_state(&service.world, request).await;
    let found = found.map_err(|error| service.error(&error))?;
    let stages: Value = found.stages.iter().map(stage).collect();
    Ok(json!({
        "pipelineName": found.name,
        "pipelineVersion": found.version,
        "created": encode::time(found.created),
        "updated": encode::time(found.updated),
        "stageStates": stages,
    }))
}

/// One stage; its presence rules are those of spec 40 §6.
fn stage(stage: &StageView) -> Value {
    let inbound: Vec<Value> = stage.inbound.iter().map(waiting).collect();
    let latest = stage.latest.map(|(id, status)| {
        json!({
            "pipelineExecutionId": id,
            "status": encode::stage_status(status),
            "type": "STANDARD",
        })
    });
    let retry = stage.retry.as_ref().map(|retry| {
        json!({"manualStageRetryAttempt": retry.manual, "latestRetryTrigger": "ManualStageRetry"})
    });
    let actions: Value = stage.actions.iter().map(action).collect();
    encode::object([
        ("stageName", json!(stage.name)),
        ("inboundExecution", json!(inbound.first())),
        ("inboundExecutions", json!(inbound)),
        (
            "inboundTransitionState",
            transition(stage.transition.as_ref()),
        ),
        ("actionStates", actions),
        ("latestExecution", json!(latest)),
        ("retryStageMetadata", json!(retry)),
    ])
}

fn waiting((id, status): &(ExecutionId, ExecutionStatus)) -> Value {
    json!({
        "pipelineExecutionId": id,
        "status": encode::execution_status(*status),
        "type": "STANDARD",
    })
}

fn transition(transition: Option<&Transition>) -> Value {
    let Some(transition) = transition else {
        return json!({"enabled": true});
    };
    encode::object([
        ("enabled", json!(transition.enabled)),
        ("lastChangedBy", json!(transition.changed_by)),
        ("lastChangedAt", encode::time(transition.changed_at)),
        ("disabledReason", json!(transition.reason)),
    ])
}

fn action(action: &ActionView) -> Value {
    let Some(latest) = &action.latest else {
        return json!({"actionName": action.declaration.name});
    };
    let (job, update) = (&latest.job, latest.update.as_ref());
    let output = update.map(|update| &update.output);
    let status = update.map_or(model::ActionStatus::InProgress, |update| update.status);
    let changed = update.map_or(job.started, |update| update.at);
    let revision = output.and_then(|output| output.revision.as_ref());
    let revision =
        revision.filter(|_| action.declaration.action_type_id.category == ActionCategory::Source);
    let current = revision.map(|revision| {
        // Where the source knows of no other sign of a change, it is the revision itself.
        let change = revision.revision_change_identifier.as_ref();
        let change = change.unwrap_or(&revision.revision_id);
        json!({
            "revisionId": revision.revision_id,
            "revisionChangeId": change.chars().take(CHANGE_CHARACTERS_MAX).collect::<String>(),
            "created": encode::time(revision.created.unwrap_or(changed)),
        })
    });
    let error = update.and_then(|update| update.error.as_ref());
    let execution = encode::object([
        ("actionExecutionId", json!(job.action_execution_id)),
        ("status", json!(encode::action_status(status))),
        (
            "summary",
            encode::summary(output.and_then(|output| output.summary.as_ref())),
        ),
        ("lastStatusChange", encode::time(changed)),
        ("token", json!(action.open_approval())),
        (
            "lastUpdatedBy",
            json!(update.and_then(|update| update.by.as_ref())),
        ),
        (
            "externalExecutionId",
            json!(output.and_then(|output| output.external_execution_id.as_ref())),
        ),
        (
            "externalExecutionUrl",
            json!(output.and_then(|output| output.external_execution_url.as_ref())),
        ),
        (
            "percentComplete",
            json!(output.and_then(|output| output.percent_complete)),
        ),
        (
            "errorDetails",
            error.map_or(Value::Null, encode::error_details),
        ),
    ]);
    encode::object([
        ("actionName", json!(action.declaration.name)),
        ("currentRevision", json!(current)),
        ("latestExecution", execution),
        (
            "revisionUrl",
            json!(revision.and_then(|revision| revision.revision_url.as_ref())),
        ),
    ])
}
