//! An announced change as the EventBridge event that it is in AWS (spec 40 §1–2): one shape for
//! whoever listens to the feed, and for the bus of an account.

use model::{
    Change, Subject, Timestamp,
    change::{ActionChange, EventState},
    declaration::ActionTypeId,
    derive,
    job::{FailureType, JobArtifact},
    state::{Trigger, TriggerType},
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::Account;

/// The number, within its execution, of the change with which a fresh run enters its first stage:
/// only its own start comes before.
const FIRST_STAGE_STARTED: u32 = 2;

/// The most characters of a failure's text that an event repeats.
const SUMMARY_CHARACTERS_MAX: usize = 2_048;

/// The envelope, with its members in AWS's order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Of the format.
    pub version: &'static str,
    /// The same for every repeat of the event; consumers drop repeats by it.
    pub id: Uuid,
    pub detail_type: &'static str,
    pub source: &'static str,
    pub account: String,
    /// To the second, UTC.
    pub time: String,
    pub region: String,
    /// The pipeline's ARN, also of stage and action events.
    pub resources: [String; 1],
    pub detail: Detail,
}

/// What is inside; which members there are depends on whose state changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Detail {
    pub pipeline: String,
    pub execution_id: String,
    pub start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_last_retry_attempt_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_trigger: Option<ExecutionTrigger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_execution_comments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_result: Option<ExecutionResult>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_execution_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub state: EventState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub action_type: Option<ActionTypeId>,
    /// Of the pipeline; written as `1.0`.
    pub version: f64,
    pub pipeline_execution_attempt: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecutionTrigger {
    pub trigger_type: TriggerType,
    pub trigger_detail: String,
}

/// What the provider told of its run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecutionResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_execution_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_execution_summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_execution_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<FailureType>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Artifact {
    pub name: String,
    pub s3location: S3Location,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct S3Location {
    pub bucket: String,
    pub key: String,
}

impl Event {
    /// The event that makes a change known.
    pub fn of(change: &Change, account: &Account) -> Self {
        let (id, region) = (&account.id, &account.region);
        let detail_type = match &change.subject {
            Subject::Pipeline { .. } => "CodePipeline Pipeline Execution State Change",
            Subject::Stage { .. } => "CodePipeline Stage Execution State Change",
            Subject::Action(_) => "CodePipeline Action Execution State Change",
        };
        Self {
            version: "0",
            id: derive::change_id(change.execution, change.sequence),
            detail_type,
            source: "aws.codepipeline",
            account: id.clone(),
            time: seconds(change.at),
            region: region.clone(),
            resources: [format!(
                "arn:aws:codepipeline:{region}:{id}:{}",
                change.pipeline
            )],
            detail: detail(change, account),
        }
    }

    /// The text that is sent.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The tree that patterns look at.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn detail(change: &Change, account: &Account) -> Detail {
    let mut detail = Detail {
        pipeline: change.pipeline.clone(),
        execution_id: change.execution.to_string(),
        start_time: millis(change.started),
        stage: None,
        stage_last_retry_attempt_time: None,
        execution_trigger: None,
        stop_execution_comments: None,
        execution_result: None,
        input_artifacts: Vec::new(),
        output_artifacts: Vec::new(),
        action_execution_id: None,
        action: None,
        state: EventState::Started,
        region: None,
        action_type: None,
        version: f64::from(change.pipeline_version),
        pipeline_execution_attempt: f64::from(change.attempt),
    };
    match &change.subject {
        Subject::Pipeline {
            state,
            trigger,
            comment,
        } => {
            detail.state = *state;
            detail.execution_trigger = trigger.as_ref().map(execution_trigger);
            detail.stop_execution_comments.clone_from(comment);
        }
        Subject::Stage {
            stage,
            state,
            last_retry,
        } => {
            detail.state = *state;
            detail.stage = Some(stage.clone());
            detail.stage_last_retry_attempt_time = last_retry.map(millis);
            // AWS counts from 0 there, and nowhere else.
            if *state == EventState::Started && change.sequence == FIRST_STAGE_STARTED {
                detail.pipeline_execution_attempt = 0.0;
            }
        }
        Subject::Action(action) => of_action(&mut detail, action, account),
    }
    detail
}

fn execution_trigger(trigger: &Trigger) -> ExecutionTrigger {
    ExecutionTrigger {
        trigger_type: trigger.kind,
        trigger_detail: trigger.detail.clone(),
    }
}

fn of_action(detail: &mut Detail, action: &ActionChange, account: &Account) {
    detail.state = action.state;
    detail.stage = Some(action.stage.clone());
    detail.action = Some(action.action.clone());
    detail.action_execution_id = Some(action.action_execution_id);
    let region = action.region.as_ref().unwrap_or(&account.region);
    detail.region = Some(region.clone());
    detail.action_type = Some(action.action_type.clone());
    let artifacts = action.artifacts.iter().map(artifact).collect();
    match action.state {
        EventState::Started => detail.input_artifacts = artifacts,
        EventState::Succeeded => detail.output_artifacts = artifacts,
        EventState::Resumed
        | EventState::Stopping
        | EventState::Stopped
        | EventState::Superseded
        | EventState::Failed
        | EventState::Abandoned
        | EventState::Canceled => {}
    }
    if matches!(action.state, EventState::Succeeded | EventState::Failed) {
        detail.execution_result = execution_result(action);
    }
}

fn artifact(artifact: &JobArtifact) -> Artifact {
    Artifact {
        name: artifact.name.clone(),
        s3location: S3Location {
            bucket: artifact.bucket.clone(),
            key: artifact.key.clone(),
        },
    }
}

fn execution_result(action: &ActionChange) -> Option<ExecutionResult> {
    let output = action.output.clone().unwrap_or_default();
    // What went wrong says more than where the provider had got to.
    let message = action.error.as_ref().map(|error| error.message.clone());
    let summary = message.or(output.summary);
    let result = ExecutionResult {
        external_execution_url: output.external_execution_url,
        external_execution_summary: summary.map(cut),
        external_execution_id: output.external_execution_id,
        error_code: action.error.as_ref().map(|error| error.code),
    };
    let is_empty = result.external_execution_url.is_none()
        && result.external_execution_summary.is_none()
        && result.external_execution_id.is_none()
        && result.error_code.is_none();
    (!is_empty).then_some(result)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SUMMARY_CHARACTERS_MAX) {
        text.truncate(end);
    }
    text
}

/// To the second, as envelopes have it: `2020-01-24T22:03:07Z`.
fn seconds(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// To the millisecond, as details have it: `2023-10-26T13:49:39.208Z`.
fn millis(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

fn formatted(at: Timestamp, format: &str) -> String {
    // No clock tells a time that is out of range; a damaged row may.
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_cut_and_never_rounded() {
        let at = Timestamp(1_698_328_179_999);
        assert_eq!(seconds(at), "2023-10-26T13:49:39Z");
        assert_eq!(millis(at), "2023-10-26T13:49:39.999Z");
        assert_eq!(
            millis(Timestamp(1_698_328_179_008)),
            "2023-10-26T13:49:39.008Z"
        );
        assert_eq!(seconds(Timestamp(i64::MAX)), "1970-01-01T00:00:00Z");
    }
}
