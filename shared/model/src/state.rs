//! What is going on in one pipeline: the unit of consistency.
//!
//! The [`Head`] is small and written by every commit; each [`Execution`] is an item of its own.
//! Executions are shared (`Arc`), so that a step copies only what it changes and a commit can tell
//! what that was. Large things (output variables, resolved configurations) live in the record of
//! the action execution, not here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    declaration::{ExecutionMode, PipelineDeclaration},
};

/// The id of a pipeline execution; the caller of `engine::step` supplies it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub Uuid);

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ExecutionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Self)
    }
}

/// One pipeline, as `engine::step` sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineState {
    pub head: Head,
    /// The definitions that the head or one of `executions` runs on, by version.
    pub definitions: BTreeMap<u32, Arc<PipelineDeclaration>>,
    /// Every live execution, and any other that the caller loaded because the input names it.
    pub executions: BTreeMap<ExecutionId, Arc<Execution>>,
    /// What people labelled it with; the engine does not look at it.
    pub tags: Arc<BTreeMap<String, String>>,
}

/// The small part of a pipeline's state that every commit writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub pipeline: String,
    /// The version of the definition that the next execution starts with.
    pub definition: u32,
    /// The sequence number of the newest execution.
    pub sequence: u64,
    /// What the stages know besides their executions, by stage name; survives updates.
    pub stages: BTreeMap<String, StageHead>,
    /// More can be done right now than one commit may hold: tick again at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// Somebody deletes the pipeline: it takes nothing new, and goes when nothing of it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// When the first definition was saved, and the newest (spec 40 §6).
    pub created: Timestamp,
    pub updated: Timestamp,
    /// The latest time seen; time never runs backwards for a pipeline.
    pub clock: Timestamp,
}

/// A stage's lock, queue and transition (spec 30 §3, §17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageHead {
    /// The execution inside the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<ExecutionId>,
    /// The newest execution that ever entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<ExecutionId>,
    /// Who waits at the door, in arrival order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<ExecutionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
}

/// The inbound transition of a stage, once somebody touched it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub enabled: bool,
    pub changed_by: String,
    pub changed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is disabled, whoever disabled it again meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_since: Option<Timestamp>,
}

/// One run of a pipeline (spec 30 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    pub id: ExecutionId,
    /// Start order within the pipeline, from 1.
    pub sequence: u64,
    /// The definition it runs on, to its end.
    pub definition: u32,
    pub mode: ExecutionMode,
    pub status: ExecutionStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_summary: Option<String>,
    pub trigger: Trigger,
    pub started: Timestamp,
    pub updated: Timestamp,
    pub position: Position,
    /// The pipeline's variables with their values for this run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Source revisions that the start asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<SourceRevisionOverride>,
    /// What the source actions found, by action name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, SourceRevision>,
    /// The stages that it entered, by name.
    #[serde(default)]
    pub stages: BTreeMap<String, StageExecution>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// A newer definition was saved: it ends as soon as its running actions have (spec 30 §4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelling: bool,
    /// 1, and one more with every retry of a stage.
    pub attempt: u32,
    /// How many changes were announced; the next one carries this plus one.
    pub changes: u32,
    /// Random bytes from the starter; tokens are derived from it and nobody else can.
    pub secret: Uuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExecutionStatus {
    InProgress,
    Stopping,
    Stopped,
    Succeeded,
    Superseded,
    Failed,
    Cancelled,
}

/// Where an execution is; the numbers index the stages of its own definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// At the door of a stage since then.
    Inbound { stage: usize, since: Timestamp },
    /// Inside a stage; an execution that failed or was stopped there stays, for a retry.
    Inside { stage: usize },
    /// Through the last stage, or never to run again.
    Done,
}

/// Why an execution began (spec 30 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub kind: TriggerType,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TriggerType {
    CreatePipeline,
    StartPipelineExecution,
    PollForSourceChanges,
    Webhook,
    CloudWatchEvent,
    PutActionRevision,
    WebhookV2,
}

/// A revision that a start pins for one source action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRevisionOverride {
    pub action_name: String,
    pub revision_type: RevisionType,
    pub revision_value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevisionType {
    CommitId,
    ImageDigest,
    S3ObjectVersionId,
    S3ObjectKey,
}

/// What a source action found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRevision {
    pub revision_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_change_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
}

/// An execution's passage through one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageExecution {
    pub status: StageStatus,
    pub entered: Timestamp,
    /// The actions that were started, by name.
    #[serde(default)]
    pub actions: BTreeMap<String, ActionState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<StageRetry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StageStatus {
    InProgress,
    Stopping,
    Stopped,
    Succeeded,
    Failed,
    Cancelled,
}

/// How often and how a stage was retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRetry {
    pub manual: u32,
    pub at: Timestamp,
}

/// The newest attempt of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionState {
    /// From 1; a retry adds one.
    pub attempt: u32,
    pub status: ActionStatus,
    pub started: Timestamp,
    pub updated: Timestamp,
    /// When it times out; kept while it is in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// A retry asked for another attempt that has not begun yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
    /// A person answered this approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decided: bool,
    /// Output variables of an action with a namespace; stored with the action's record.
    #[serde(skip)]
    pub outputs: Arc<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActionStatus {
    InProgress,
    Succeeded,
    Failed,
    Abandoned,
}

/// A stop that somebody asked for (spec 30 §6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub abandon: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub by: String,
    pub at: Timestamp,
}

impl ExecutionStatus {
    /// Whether nothing but a retry can move an execution in this status.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::InProgress | Self::Stopping => false,
            Self::Stopped | Self::Succeeded | Self::Superseded | Self::Failed | Self::Cancelled => {
                true
            }
        }
    }
}

impl Execution {
    /// Whether the engine may still have something to do for it by itself.
    ///
    /// A failed execution lives on until the last of its parallel actions has ended.
    pub fn is_live(&self) -> bool {
        !self.status.is_terminal() || self.has_actions_in_progress()
    }

    /// Whether any action of any stage is in progress.
    pub fn has_actions_in_progress(&self) -> bool {
        self.stages
            .values()
            .any(StageExecution::has_actions_in_progress)
    }
}

impl StageExecution {
    /// Whether any action of this stage is in progress.
    pub fn has_actions_in_progress(&self) -> bool {
        self.actions
            .values()
            .any(|action| action.status == ActionStatus::InProgress)
    }
}

impl PipelineState {
    /// The state of a pipeline that was created this moment, before its first definition.
    pub fn empty(pipeline: &str) -> Self {
        let head = Head {
            pipeline: pipeline.to_owned(),
            definition: 0,
            sequence: 0,
            stages: BTreeMap::new(),
            unsettled: false,
            deleting: false,
            created: Timestamp(0),
            updated: Timestamp(0),
            clock: Timestamp(0),
        };
        Self {
            head,
            definitions: BTreeMap::new(),
            executions: BTreeMap::new(),
            tags: Arc::default(),
        }
    }

    /// The definition that new executions start with; none before the first one was saved.
    pub fn current_definition(&self) -> Option<&Arc<PipelineDeclaration>> {
        self.definitions.get(&self.head.definition)
    }

    /// Whether the pipeline was deleted and nothing of it runs any more: it can go.
    pub fn is_gone(&self) -> bool {
        self.head.deleting && !self.executions.values().any(|it| it.is_live())
    }

    /// The versions of the definitions that are still needed.
    pub fn definitions_in_use(&self) -> BTreeSet<u32> {
        let of_executions = self
            .executions
            .values()
            .map(|execution| execution.definition);
        of_executions.chain([self.head.definition]).collect()
    }
}
