//! Pipelines, their executions and their history, in the one table.
//!
//! * A pipeline is loaded by one query (`load`, `rows`) and committed by one transaction (`commit`),
//!   which the head's version and commit id allow or forbid. What is asked for again and again and
//!   never changes is remembered (`memory`).
//! * Executions (`executions`), attempts (`attempts`) and journal entries (`journal`) are items of
//!   their own; `keys` says where. What is over expires: history is kept for a year, or as long as
//!   the deployment says.
//! * `work` finds what is to be done, `history` what there is to be looked at.

mod attempts;
mod commit;
mod executions;
mod history;
mod journal;
mod load;
mod memory;
mod numbers;
mod rows;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{AttemptKey, Execution, ExecutionId, Job, PipelineDeclaration, Timestamp};
use ports::{
    Clock, Random,
    store::{
        ActionExecution, ActionPosition, Commit, Glance, JournalEntry, Loaded, Outbox,
        PipelineStore, StoreError,
    },
};
use uuid::Uuid;

use crate::{
    SystemClock, SystemRandom, keys,
    table::{Refused, Table},
};
use commit::{Expiry, Plan};
use memory::Memory;
pub use rows::HEAD_BYTES_MAX;
use rows::Known;

/// How many pipelines, outboxes, jobs, executions and entries one page has at most.
const PAGE_MAX: usize = 10_000;

/// How long history is kept where the deployment does not say: CodePipeline's twelve months.
pub const HISTORY_DAYS: u32 = 365;

/// How much longer than its execution an attempt is kept. An execution ends at the latest 60 days
/// after its attempts did: it waits 30 days at a closed door, and an action in progress takes 30.
const ATTEMPT_DAYS_MORE: u32 = 60;

/// How often another number is tried for a commit when a commit of another pipeline has the same.
const NUMBERS_MAX: usize = 8;

/// Pipelines, executions and history in a table of DynamoDB. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    table: Table,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
    history_days: u32,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A store that keeps history for [`HISTORY_DAYS`].
    pub fn new(table: Table) -> Self {
        Self {
            table,
            memory: Arc::default(),
            clock: Arc::new(SystemClock),
            history_days: HISTORY_DAYS,
        }
    }

    /// Keeps history for so many days, at least one.
    #[must_use]
    pub fn with_history_days(self, days: u32) -> Self {
        let history_days = days.max(1);
        Self {
            history_days,
            ..self
        }
    }

    /// Takes the time for numbers and expiry from another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// What is known of the head that a commit expects.
    async fn expected(&self, commit: &Commit) -> Result<Option<Arc<Known>>, StoreError> {
        if commit.expected_version == 0 {
            return Ok(None);
        }
        let name = &commit.state.head.pipeline;
        let (version, last) = (commit.expected_version, commit.expected_commit);
        if let Some(known) = self.memory.known(name, version, last) {
            return Ok(Some(known));
        }
        let known = self.head(name).await?;
        let known = known.filter(|known| (known.version, known.commit) == (version, last));
        known.map(Arc::new).map(Some).ok_or(StoreError::Conflict)
    }

    fn expiry(&self, now: Timestamp) -> Expiry {
        let after = |days: u32| {
            let at = now.plus(Duration::from_hours(24 * u64::from(days)));
            u64::try_from(at.0 / 1_000).unwrap_or_default()
        };
        Expiry {
            history: after(self.history_days),
            attempts: after(self.history_days.saturating_add(ATTEMPT_DAYS_MORE)),
        }
    }

    async fn write(&self, commit: &Commit) -> Result<u64, StoreError> {
        let before = self.expected(commit).await?;
        let name = &commit.state.head.pipeline;
        let (now, shard) = (self.clock.now(), keys::shard_of(name));
        for _ in 0..NUMBERS_MAX {
            let last = before.as_ref().map_or(0, |before| before.last);
            let (_, chance) = SystemRandom.uuid().as_u64_pair();
            let number = numbers::next(now, last, shard, chance);
            let plan = Plan::new(commit, before.as_deref(), number, self.expiry(now))?;
            // A commit that is tried again under another number is another request, and so is one of
            // another table: tokens are the account's.
            let request = format!("{number} {}", self.table.name());
            let token = Uuid::new_v5(&commit.id, request.as_bytes());
            let places = match self.table.transact(token, plan.writes).await {
                Ok(()) => {
                    match plan.known {
                        Some(known) => self.memory.know(name, Arc::new(known)),
                        None => self.memory.forget(name),
                    }
                    return Ok(number);
                }
                Err(Refused::Store(error)) => return Err(error),
                Err(Refused::Conditions(places)) => places,
            };
            let is_taken = |place: &usize| *place == 0 || Some(*place) == plan.token;
            if places.iter().any(is_taken) {
                return Err(StoreError::Conflict);
            }
            if places.iter().any(|place| plan.news.contains(place)) {
                return Err(StoreError::Corrupt {
                    what: format!("action execution that commit {} tells of", commit.id),
                    why: "it is not there".to_owned(),
                });
            }
        }
        Err(StoreError::Conflict)
    }
}

#[async_trait]
impl PipelineStore for Store {
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        self.load_pipeline(pipeline, also).await
    }

    async fn glance(&self, pipeline: &str) -> Result<Option<Glance>, StoreError> {
        self.glance_at(pipeline).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.write(&commit).await
    }

    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        self.token_execution(pipeline, token).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
        self.due_pipelines(now, limit).await
    }

    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        self.undelivered_outboxes(limit).await
    }

    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        self.mark_delivered(commits).await
    }

    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        self.is_in_progress(key).await
    }

    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        self.jobs_in_progress(after, limit).await
    }

    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.names(None, after, limit).await
    }

    async fn watchers(
        &self,
        place: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.names(Some(place), after, limit).await
    }

    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        self.definition_of(pipeline, version).await
    }

    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        self.find_execution(pipeline, id).await
    }

    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        self.list_executions(pipeline, before, limit).await
    }

    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        self.attempts_of(pipeline, execution).await
    }

    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        self.newest_attempts(pipeline, from, limit).await
    }

    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        journal::page(&self.table, since, limit.min(PAGE_MAX)).await
    }
}
