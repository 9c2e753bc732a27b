//! The announcement of a status change: what an event (spec 40) is made from.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ExecutionId, Timestamp,
    declaration::ActionTypeId,
    job::{ActionOutput, ErrorDetails, JobArtifact},
    state::Trigger,
};

/// One status change of an execution, a stage or an action.
///
/// Its id is [`crate::derive::change_id`] of `execution` and `sequence`; consumers drop repeats by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub pipeline: String,
    pub execution: ExecutionId,
    /// From 1, without a gap, within the execution.
    pub sequence: u32,
    pub at: Timestamp,
    pub pipeline_version: u32,
    /// 1, and one more with every stage retry.
    pub attempt: u32,
    pub started: Timestamp,
    pub subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    Pipeline {
        state: EventState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trigger: Option<Trigger>,
        /// The reason that a stop was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    Stage {
        stage: String,
        state: EventState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_retry: Option<Timestamp>,
    },
    Action(Box<ActionChange>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionChange {
    pub stage: String,
    pub action: String,
    pub attempt: u32,
    pub state: EventState,
    pub action_execution_id: Uuid,
    pub action_type: ActionTypeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// With `STARTED`: the input artifacts; with `SUCCEEDED`: the output artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<JobArtifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ActionOutput>,
}

/// The state names of events, which differ from the API's status names (spec 30 §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventState {
    Started,
    Resumed,
    Stopping,
    Stopped,
    Succeeded,
    Superseded,
    Failed,
    Abandoned,
    Canceled,
}
