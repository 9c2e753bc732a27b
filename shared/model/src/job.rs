//! The work that an action offers to a worker, and what comes back.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ExecutionId, Timestamp,
    declaration::{ActionTypeId, EnvironmentVariable},
    state::{ActionStatus, SourceRevision, SourceRevisionOverride},
};

/// Names one attempt of one action and proves that the bearer was given it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    pub pipeline: String,
    pub execution: ExecutionId,
    pub stage: String,
    pub action: String,
    pub attempt: u32,
    pub token: Uuid,
}

/// Everything that a worker needs to run one attempt of an action; nothing is left to choose.
///
/// Secrets travel as references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub key: AttemptKey,
    pub action_execution_id: Uuid,
    pub action_type: ActionTypeId,
    pub pipeline_version: u32,
    /// Values with every variable resolved.
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment_variables: Vec<EnvironmentVariable>,
    /// The names that a Commands action exports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_variables: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<JobArtifact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<JobArtifact>,
    pub role_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The revisions that the start pinned for this source action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<SourceRevisionOverride>,
    pub started: Timestamp,
    /// When the engine gives the attempt up.
    pub until: Timestamp,
}

/// Where an artifact is, or is to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobArtifact {
    pub name: String,
    pub bucket: String,
    pub key: String,
    /// Of an input: the source revision that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Of a Compute action's output: which files go into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionResult {
    Succeeded(ActionOutput),
    Failed {
        error: ErrorDetails,
        output: ActionOutput,
    },
}

/// What a provider tells of its run (spec 60 §0.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionOutput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_execution_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_execution_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_complete: Option<u8>,
    /// The name of the log stream that the attempt wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_stream: Option<String>,
    /// Of a source action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<SourceRevision>,
    #[serde(default, skip_serializing_if = "is_empty_map")]
    pub variables: Arc<BTreeMap<String, String>>,
}

fn is_empty_map(map: &Arc<BTreeMap<String, String>>) -> bool {
    map.is_empty()
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetails {
    pub code: FailureType,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailureType {
    JobFailed,
    ConfigurationError,
    PermissionError,
    RevisionOutOfSync,
    RevisionUnavailable,
    SystemUnavailable,
}

impl ErrorDetails {
    /// The resource or value that the configuration names is wrong or absent.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self {
            code: FailureType::ConfigurationError,
            message: message.into(),
        }
    }

    /// The provider did its work and the result is failure.
    pub fn job_failed(message: impl Into<String>) -> Self {
        Self {
            code: FailureType::JobFailed,
            message: message.into(),
        }
    }

    /// Something of ours broke.
    pub fn system(message: impl Into<String>) -> Self {
        Self {
            code: FailureType::SystemUnavailable,
            message: message.into(),
        }
    }
}

/// A change to the record of an attempt, after its [`Job`] began it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionUpdate {
    pub execution: ExecutionId,
    pub stage: String,
    pub action: String,
    pub attempt: u32,
    pub action_execution_id: Uuid,
    pub status: ActionStatus,
    pub at: Timestamp,
    /// Who answered the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetails>,
    pub output: ActionOutput,
}
