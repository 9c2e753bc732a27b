//! What happened or was asked: the inputs of the engine.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ExecutionId,
    declaration::{PipelineDeclaration, RetryMode},
    job::{ActionOutput, ActionResult, AttemptKey},
    state::{SourceRevisionOverride, Trigger},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The pipeline was created or its definition replaced; the declaration was validated.
    DefinitionChanged {
        declaration: Arc<PipelineDeclaration>,
    },
    /// A person deletes the pipeline, with everything that it is doing.
    PipelineDeleted,
    /// Somebody or something wants a run.
    Start(Box<Start>),
    /// A worker tells how an attempt goes on.
    ActionProgressed {
        key: AttemptKey,
        output: ActionOutput,
    },
    /// A worker tells how an attempt ended.
    ActionFinished {
        key: AttemptKey,
        result: ActionResult,
    },
    /// A person answered an approval.
    ApprovalDecided(ApprovalDecision),
    /// A person opened or closed the way into a stage.
    TransitionSet {
        stage: String,
        enabled: bool,
        reason: Option<String>,
        by: String,
    },
    /// A person wants an execution to end.
    StopRequested {
        execution: ExecutionId,
        abandon: bool,
        reason: Option<String>,
        by: String,
    },
    /// A person wants a failed or stopped stage to be tried again.
    RetryRequested {
        stage: String,
        execution: ExecutionId,
        mode: RetryMode,
    },
    /// Time has passed.
    Tick,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub execution: ExecutionId,
    /// Random bytes; tokens are derived from them.
    pub secret: Uuid,
    pub trigger: Trigger,
    pub variables: BTreeMap<String, String>,
    pub overrides: Vec<SourceRevisionOverride>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecision {
    pub stage: String,
    pub action: String,
    pub token: Uuid,
    pub approved: bool,
    pub summary: String,
    pub by: String,
}
