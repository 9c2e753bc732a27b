//! Pipelines, their executions and their history.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::{
    ActionOutput, ActionStatus, ActionUpdate, Change, Execution, ExecutionId, Job,
    PipelineDeclaration, PipelineState, Timestamp, effect::ApprovalRequest, job::AttemptKey,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// Keeps pipelines.
///
/// What holds after a crash: a commit that returned `Ok` is there, whole; one that did not return
/// is there whole or not at all; nothing else changed. The contract suite checks it.
#[async_trait]
pub trait PipelineStore: Send + Sync {
    /// The pipeline with its live executions, and the execution `also` whatever its status.
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError>;

    /// What is asked of a pipeline all the time, without the rest of it.
    async fn glance(&self, pipeline: &str) -> Result<Option<Glance>, StoreError> {
        let loaded = self.load(pipeline, None).await?;
        Ok(loaded.map(|loaded| Glance {
            commit: loaded.commit,
            tags: loaded.state.tags,
            is_deleting: loaded.state.head.deleting,
        }))
    }

    /// Writes everything in `commit` at once, if the pipeline still has the expected version.
    ///
    /// Returns the number of the commit in the store's order.
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError>;

    /// The execution that was started with this client request token.
    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError>;

    /// Up to `limit` pipelines whose deadline has come, the longest overdue first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Up to `limit` outboxes that nobody marked as delivered, oldest first.
    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError>;

    /// Marks outboxes as delivered. A crash may undo the mark, never the delivery.
    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError>;

    /// Whether the attempt is in progress, so that its job is still to be done.
    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError>;

    /// Takes a job into the caller's hand, if it is still to be done and in nobody else's: until
    /// [`PipelineStore::release`], or until the caller's time is over. Where all workers are loops of
    /// one process, they know by themselves what they have in hand, and this only looks whether it is
    /// open.
    async fn claim(&self, job: &Job) -> Result<Claim, StoreError> {
        let is_open = self.is_open(&job.key).await?;
        Ok(if is_open { Claim::Taken } else { Claim::Closed })
    }

    /// Gives a job that was taken out of the caller's hand again, done or not.
    async fn release(&self, _job: &Job) -> Result<(), StoreError> {
        Ok(())
    }

    /// Up to `limit` jobs of attempts in progress that a worker has to do (approvals are not),
    /// with ids after `after`, in order of id.
    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError>;

    /// Up to `limit` names of pipelines after `after`, in order.
    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Up to `limit` names of pipelines after `after`, in order: of all whose current definition
    /// watches that place (`model::watch::places`), and perhaps of others. A store that keeps no
    /// index of places gives every name.
    async fn watchers(
        &self,
        _place: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.pipelines(after, limit).await
    }

    /// One version of a pipeline's definition.
    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError>;

    /// One execution, live or not.
    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError>;

    /// Up to `limit` executions with sequence numbers below `before`, newest first.
    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError>;

    /// The attempts of an execution's actions, in the order in which they began.
    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError>;

    /// Up to `limit` attempts of a pipeline's actions, those that began last first, and where the next
    /// page begins, if there is one. Executions are looked at in windows, the newest window first: so
    /// an attempt that began long after its execution may come later than its time says.
    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError>;

    /// Up to `limit` entries of the journal after commit `since`, oldest first.
    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError>;
}

/// What came of the wish to do a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Taken,
    /// Somebody else has it in hand.
    Elsewhere,
    /// There is nothing to do any more.
    Closed,
}

/// A pipeline as it was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub state: PipelineState,
    /// How many commits the pipeline has seen.
    pub version: u64,
    /// The id of the last of them: tells whose an ambiguous commit was.
    pub commit: Uuid,
}

/// A pipeline at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The id of its last commit: as long as this is the same, so is everything else.
    pub commit: Uuid,
    pub tags: Arc<BTreeMap<String, String>>,
    pub is_deleting: bool,
}

/// One atomic write of one pipeline.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Unique; [`Loaded::commit`] shows it afterwards.
    pub id: Uuid,
    /// The version that was loaded; 0 when the pipeline is to be created.
    pub expected_version: u64,
    /// The id of the last commit that was loaded: a pipeline that was deleted and created again
    /// counts its versions anew, and is another one. Nil when the pipeline is to be created.
    pub expected_commit: Uuid,
    /// The state after the step; executions that are not in it are left as they are.
    pub state: PipelineState,
    /// Which of the executions in `state` are new or changed.
    pub changed: Vec<ExecutionId>,
    /// Whether the head's definition is new.
    pub new_definition: bool,
    /// Whether the tags differ from those that were loaded.
    pub new_tags: bool,
    /// Whether the pipeline goes with this commit: its name is free afterwards, and what it had can
    /// no longer be asked for.
    pub gone: bool,
    /// Attempts that begin, with who is to do them.
    pub begun: Vec<(Arc<Job>, Doer)>,
    pub updates: Vec<ActionUpdate>,
    /// What is to be handed out, in order.
    pub outbox: Vec<Message>,
    /// A client request token with the execution that it started.
    pub token: Option<(String, ExecutionId)>,
    /// When the engine wants a tick at the latest.
    pub deadline: Option<Timestamp>,
    pub audit: Audit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doer {
    Worker,
    Person,
    /// The attempt ended before it could be handed to anybody.
    Nobody,
}

/// Who caused a commit, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub at: Timestamp,
    /// The ARN of a person's identity, or the name of the part of Pipewright that acted.
    pub by: String,
    /// What was asked or happened, in one or two words: `StartPipelineExecution`, `ActionFinished`.
    pub cause: String,
}

/// Something to hand out after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Job(Arc<Job>),
    Cancel(AttemptKey),
    Ask(ApprovalRequest),
    Change(Change),
}

/// What one commit ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// The number of the commit.
    pub commit: u64,
    /// When it was committed.
    pub at: Timestamp,
    pub messages: Vec<Message>,
}

/// What a commit left in history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    pub commit: u64,
    pub pipeline: String,
    pub audit: Audit,
    pub changes: Vec<Change>,
}

/// The record of one attempt of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionExecution {
    pub job: Arc<Job>,
    /// What is known of its course; none before the first news.
    pub update: Option<ActionUpdate>,
}

/// The newer update, with what it does not tell and the earlier one told.
///
/// Output variables are the exception: those at the end are what the action put out, and none
/// means none.
pub fn merged(earlier: &ActionUpdate, mut newer: ActionUpdate) -> ActionUpdate {
    newer.by = newer.by.or_else(|| earlier.by.clone());
    newer.error = newer.error.or_else(|| earlier.error.clone());
    let (before, output) = (&earlier.output, newer.output);
    let is_in_progress = newer.status == ActionStatus::InProgress;
    newer.output = ActionOutput {
        external_execution_id: output
            .external_execution_id
            .or_else(|| before.external_execution_id.clone()),
        external_execution_url: output
            .external_execution_url
            .or_else(|| before.external_execution_url.clone()),
        summary: output.summary.or_else(|| before.summary.clone()),
        percent_complete: output.percent_complete.or(before.percent_complete),
        log_stream: output.log_stream.or_else(|| before.log_stream.clone()),
        revision: output.revision.or_else(|| before.revision.clone()),
        variables: if output.variables.is_empty() && is_in_progress {
            Arc::clone(&before.variables)
        } else {
            output.variables
        },
    };
    newer
}

/// A place in the list of a pipeline's attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionPosition {
    /// Executions with sequence numbers below it are still to be looked at.
    pub before_execution: u64,
    /// Of the first window of them, attempts with numbers below it.
    pub before_attempt: u64,
}

#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else committed first: load again and decide again.
    #[error("the pipeline was changed by somebody else")]
    Conflict,
    /// Whether the write happened is unknown: look for the commit's id.
    #[error("the store did not say whether the commit happened")]
    Ambiguous,
    /// The store cannot be used now; nothing was written.
    #[error("failed to {doing}")]
    Unavailable {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood; it is left alone.
    #[error("the stored {what} cannot be read: {why}")]
    Corrupt { what: String, why: String },
    /// Something does not fit in an item of the store.
    #[error("{what} takes {bytes} bytes, and the most is {limit}")]
    TooLarge {
        what: String,
        bytes: usize,
        limit: usize,
    },
}
