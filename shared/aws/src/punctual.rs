//! A store that commits nothing when the call that wants it is about to be over (RELIABILITY R21),
//! and that hands a job to one call at a time.
//!
//! Lambda ends a call wherever it is. A commit that was sent and whose answer nobody waits for is
//! found by the next try, but it costs one; so it is not begun.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use model::{AttemptKey, Execution, ExecutionId, Job, PipelineDeclaration, Timestamp};
use ports::{
    Clock, Commit, Loaded, PipelineStore, Random, StoreError,
    store::{ActionExecution, ActionPosition, Claim, Glance, JournalEntry, Outbox},
};
use uuid::Uuid;

use crate::Leases;

/// A commit that is begun has at least this long.
const COMMIT_TAKES: Duration = Duration::from_secs(2);

/// When the call that is handled now is over.
#[derive(Clone, Debug)]
pub struct Until(Arc<AtomicI64>);

impl Default for Until {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MAX)))
    }
}

impl Until {
    /// Sets the end of the call, in milliseconds since 1970.
    pub fn set(&self, millis: u64) {
        let at = i64::try_from(millis).unwrap_or(i64::MAX);
        self.0.store(at, Ordering::Relaxed);
    }

    pub fn at(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    /// Whether there is time for one more commit.
    pub fn has_time(&self, now: Timestamp) -> bool {
        self.leaves(now, COMMIT_TAKES)
    }

    /// Whether there is that much time left.
    pub fn leaves(&self, now: Timestamp, time: Duration) -> bool {
        now.plus(time) <= self.at()
    }
}

/// The store of a function.
pub struct Punctual {
    pub store: Arc<dyn PipelineStore>,
    pub leases: Leases,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub until: Until,
}

#[async_trait]
impl PipelineStore for Punctual {
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        self.store.load(pipeline, also).await
    }

    async fn glance(&self, pipeline: &str) -> Result<Option<Glance>, StoreError> {
        self.store.glance(pipeline).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        if !self.until.has_time(self.clock.now()) {
            return Err(StoreError::Unavailable {
                doing: format!("commit to pipeline `{}`", commit.state.head.pipeline),
                source: "the function's time is over; it is tried again with the next call".into(),
            });
        }
        self.store.commit(commit).await
    }

    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        self.store.execution_by_token(pipeline, token).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
        self.store.due(now, limit).await
    }

    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        self.store.undelivered(limit).await
    }

    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        self.store.delivered(commits).await
    }

    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        self.store.is_open(key).await
    }

    /// First the one, then the other: a job that somebody else ends meanwhile is seen to be closed.
    async fn claim(&self, job: &Job) -> Result<Claim, StoreError> {
        let (now, until) = (self.clock.now(), self.until.at());
        let (id, holder) = (job.action_execution_id, self.random.uuid());
        if !self.leases.take(id, holder, now, until).await? {
            return Ok(Claim::Elsewhere);
        }
        if self.store.is_open(&job.key).await? {
            return Ok(Claim::Taken);
        }
        self.leases.release(id).await?;
        Ok(Claim::Closed)
    }

    async fn release(&self, job: &Job) -> Result<(), StoreError> {
        self.leases.release(job.action_execution_id).await
    }

    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        self.store.open_jobs(after, limit).await
    }

    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.store.pipelines(after, limit).await
    }

    async fn watchers(
        &self,
        place: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.store.watchers(place, after, limit).await
    }

    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        self.store.definition(pipeline, version).await
    }

    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        self.store.execution(pipeline, id).await
    }

    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        self.store.executions(pipeline, before, limit).await
    }

    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        self.store.action_executions(pipeline, execution).await
    }

    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        self.store
            .newest_action_executions(pipeline, from, limit)
            .await
    }

    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.store.journal(since, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_needs_its_time_before_the_end() {
        let until = Until::default();
        assert!(until.has_time(Timestamp(0)));
        until.set(10_000);
        assert!(until.has_time(Timestamp(8_000)));
        assert!(!until.has_time(Timestamp(8_001)));
        assert!(!until.has_time(Timestamp(20_000)));
    }
}
