//! Domain values as the wire has them (spec 10 §1, §9; spec 40 §5, §6).

use model::{
    ActionStatus, Execution, ExecutionStatus, StageStatus, Timestamp,
    declaration::{ActionOwner, ActionTypeId, PipelineDeclaration, catalogue, normalise::MASK},
    job::{ErrorDetails, JobArtifact},
    state::{Trigger, TriggerType},
};
use serde_json::{Map, Value, json};

/// The longest summary that the API shows.
const SUMMARY_CHARACTERS_MAX: usize = 2_048;

/// Seconds since the epoch, with milliseconds after the point.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this age fit in the 53 bits"
)]
pub(crate) fn time(at: Timestamp) -> Value {
    json!(at.0 as f64 / 1000.0)
}

/// An object without the members that are null: absent members are left out (spec 10 §1).
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    let map: Map<String, Value> = present
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(map)
}

/// A declaration with its secrets masked.
pub(crate) fn pipeline(declaration: &PipelineDeclaration) -> Value {
    json!(model::declaration::normalise::masked(declaration))
}

pub(crate) fn summary(text: Option<&String>) -> Value {
    match text {
        Some(text) if !text.is_empty() => {
            json!(
                text.chars()
                    .take(SUMMARY_CHARACTERS_MAX)
                    .collect::<String>()
            )
        }
        Some(_) | None => Value::Null,
    }
}

pub(crate) fn execution_status(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::InProgress => "InProgress",
        ExecutionStatus::Stopping => "Stopping",
        ExecutionStatus::Stopped => "Stopped",
        ExecutionStatus::Succeeded => "Succeeded",
        ExecutionStatus::Superseded => "Superseded",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::Cancelled => "Cancelled",
    }
}

pub(crate) fn stage_status(status: StageStatus) -> &'static str {
    match status {
        StageStatus::InProgress => "InProgress",
        StageStatus::Stopping => "Stopping",
        StageStatus::Stopped => "Stopped",
        StageStatus::Succeeded => "Succeeded",
        StageStatus::Failed => "Failed",
        StageStatus::Cancelled => "Cancelled",
    }
}

pub(crate) fn action_status(status: ActionStatus) -> &'static str {
    match status {
        ActionStatus::InProgress => "InProgress",
        ActionStatus::Succeeded => "Succeeded",
        ActionStatus::Failed => "Failed",
        ActionStatus::Abandoned => "Abandoned",
    }
}

pub(crate) fn trigger(trigger: &Trigger) -> Value {
    let kind = match trigger.kind {
        TriggerType::CreatePipeline => "CreatePipeline",
        TriggerType::StartPipelineExecution => "StartPipelineExecution",
        TriggerType::PollForSourceChanges => "PollForSourceChanges",
        TriggerType::Webhook => "Webhook",
        TriggerType::CloudWatchEvent => "CloudWatchEvent",
        TriggerType::PutActionRevision => "PutActionRevision",
        TriggerType::WebhookV2 => "WebhookV2",
    };
    json!({"triggerType": kind, "triggerDetail": trigger.detail})
}

pub(crate) fn error_details(error: &ErrorDetails) -> Value {
    json!({"code": error.code, "message": error.message})
}

pub(crate) fn artifacts(artifacts: &[JobArtifact]) -> Value {
    let one = |artifact: &JobArtifact| {
        json!({
            "name": artifact.name,
            "s3location": {"bucket": artifact.bucket, "key": artifact.key},
        })
    };
    artifacts.iter().map(one).collect()
}

/// A resolved configuration, with the secrets of its action type masked.
pub(crate) fn configuration(
    id: &ActionTypeId,
    values: &std::collections::BTreeMap<String, String>,
) -> Value {
    let secret = catalogue::find(id).map_or(&[][..], |known| known.secret);
    let mut shown = values.clone();
    for key in secret {
        if let Some(value) = shown.get_mut(*key) {
            MASK.clone_into(value);
        }
    }
    json!(shown)
}

pub(crate) fn execution_summary(execution: &Execution) -> Value {
    let revisions: Value = execution
        .revisions
        .iter()
        .map(|(action, revision)| {
            object([
                ("actionName", json!(action)),
                ("revisionId", json!(revision.revision_id)),
                (
                    "revisionSummary",
                    summary(revision.revision_summary.as_ref()),
                ),
                ("revisionUrl", json!(revision.revision_url)),
            ])
        })
        .collect();
    let stop = execution.stop.as_ref().map(|stop| match &stop.reason {
        Some(reason) => json!({"reason": reason}),
        None => json!({}),
    });
    object([
        ("pipelineExecutionId", json!(execution.id)),
        ("status", json!(execution_status(execution.status))),
        ("statusSummary", json!(execution.status_summary)),
        ("startTime", time(execution.started)),
        ("lastUpdateTime", time(execution.updated)),
        ("sourceRevisions", revisions),
        ("trigger", trigger(&execution.trigger)),
        ("stopTrigger", json!(stop)),
        ("executionMode", json!(execution.mode)),
        ("executionType", json!("STANDARD")),
    ])
}

/// An action type as `ListActionTypes` shows it.
pub(crate) fn action_type(known: &catalogue::ActionType) -> Value {
    let properties: Value = known
        .keys()
        .map(|key| {
            json!({
                "name": key,
                "required": known.required.contains(&key),
                "key": true,
                "secret": known.secret.contains(&key),
                "queryable": known.queryable.contains(&key),
            })
        })
        .take(PROPERTIES_MAX)
        .collect();
    let count = |count: catalogue::Count| {
        let bound = |number: usize| number.min(ARTIFACTS_MAX);
        json!({"minimumCount": bound(count.min), "maximumCount": bound(count.max)})
    };
    json!({
        "id": {
            "category": known.category,
            "owner": known.owner,
            "provider": known.provider,
            "version": catalogue::VERSION,
        },
        "actionConfigurationProperties": properties,
        "inputArtifactDetails": count(known.inputs),
        "outputArtifactDetails": count(known.outputs),
    })
}

/// How many properties and artifacts the shapes of an action type can tell (spec 10 §9).
const PROPERTIES_MAX: usize = 10;
const ARTIFACTS_MAX: usize = 5;

/// An action type as `GetActionType` shows it.
pub(crate) fn action_type_declaration(known: &catalogue::ActionType) -> Value {
    let mut shown = action_type(known);
    let properties: Value = known
        .keys()
        .map(|key| {
            json!({
                "name": key,
                "optional": !known.required.contains(&key),
                "key": true,
                "noEcho": known.secret.contains(&key),
                "queryable": known.queryable.contains(&key),
            })
        })
        .take(PROPERTIES_MAX)
        .collect();
    json!({
        "id": shown["id"].take(),
        "executor": {"type": "JobWorker", "configuration": {"jobWorkerExecutorConfiguration": {}}},
        "inputArtifactDetails": shown["inputArtifactDetails"].take(),
        "outputArtifactDetails": shown["outputArtifactDetails"].take(),
        "properties": properties,
    })
}

pub(crate) fn owner(text: &str) -> Option<ActionOwner> {
    match text {
        "AWS" => Some(ActionOwner::Aws),
        "ThirdParty" => Some(ActionOwner::ThirdParty),
        "Custom" => Some(ActionOwner::Custom),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_absent_members_are_left_out() {
        assert_eq!(
            time(Timestamp(1_586_273_484_137)).to_string(),
            "1586273484.137"
        );
        let shown = object([("a", Value::Null), ("b", json!(1))]);
        assert_eq!(shown.to_string(), r#"{"b":1}"#);
    }
}
