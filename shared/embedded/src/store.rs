//! Pipelines, their executions and history, projects and records of builds, in SQLite.
//!
//! Commits are prepared by whoever makes them (`prepared`), handed in at the `desk`, and written by
//! one `writer`, many in a transaction (`commit`). What is asked all the time is kept in `memory`,
//! which is safe because one process holds the data directory and the writer brings the memory up
//! to date before it answers; everything else is `queries` on rows (`rows`, `schema.sql`).

mod builds;
mod changes;
mod commit;
mod database;
mod desk;
mod faults;
mod ledger;
mod load;
mod memory;
mod prepared;
mod projects;
mod queries;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use model::{AttemptKey, Execution, ExecutionId, Job, PipelineDeclaration, Timestamp};
use ports::store::{
    ActionExecution, ActionPosition, Commit, Glance, JournalEntry, Loaded, Outbox, PipelineStore,
    StoreError,
};
use rusqlite::Connection;
use uuid::Uuid;

use crate::data_dir::{DATABASE, DataDir};
pub use database::OpenError;
use desk::Desk;
pub use faults::{Fault, Faults};
use memory::{Entry, Shared};
use prepared::Prepared;
use queries::PAGE_MAX;
pub use rows::{BEGUN_MAX, HEAD_BYTES_MAX, ITEM_BYTES_MAX, JOURNAL_BYTES_MAX};
use writer::{Outcome, Work, Writer};

/// How often the watermark of delivered outboxes is written while no commits take it along.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// Pipelines, executions, history and projects on this machine. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    faults: Option<Arc<dyn Faults>>,
}

struct Inner {
    desk: Desk,
    memory: Shared,
    /// When the watermark was last asked for.
    marked: Mutex<Instant>,
    /// No other process may have the database while this one writes.
    data: Option<DataDir>,
}

impl Store {
    /// Opens the database of a data directory, or creates it where there is none.
    pub fn open(data: &DataDir) -> Result<Self, OpenError> {
        let path = data.database();
        // Objects come after the first row: without any row beside them, rows were lost.
        let is_empty = std::fs::metadata(&path).is_ok_and(|file| file.len() == 0);
        if is_empty && data.objects().exists() {
            let why = "it is empty, and there are objects beside it".to_owned();
            let path = path.display().to_string();
            return Err(OpenError::Damaged { path, why });
        }
        let connection = database::open_file(&path)?;
        let writer = Writer::new(connection, &path.display().to_string())?;
        let memory = writer.ledger.memory.clone();
        let desk = Desk::start(&path, writer)?;
        Ok(Self::with(desk, memory, Some(data.clone())))
    }

    /// Looks whether the database of a data directory is sound, if there is one; for somebody who
    /// does not want to use it.
    pub fn examine(data: &Path) -> Result<(), OpenError> {
        database::examine(&data.join(DATABASE))
    }

    /// A database that lives as long as the store. The caller's thread writes, so that the same
    /// calls give the same results.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::on(database::open_memory()?)
    }

    fn on(connection: Connection) -> Result<Self, OpenError> {
        let writer = Writer::new(connection, "memory")?;
        let memory = writer.ledger.memory.clone();
        let desk = Desk::Caller(Mutex::new(Some(Box::new(writer))));
        Ok(Self::with(desk, memory, None))
    }

    fn with(desk: Desk, memory: Shared, data: Option<DataDir>) -> Self {
        let inner = Inner {
            desk,
            memory,
            marked: Mutex::new(Instant::now()),
            data,
        };
        Self {
            inner: Arc::new(inner),
            faults: None,
        }
    }

    /// Lets `faults` decide what goes wrong with each commit; for simulations.
    #[must_use]
    pub fn with_faults(mut self, faults: Box<dyn Faults>) -> Self {
        self.faults = Some(Arc::from(faults));
        self
    }

    /// Ends the store as a crash of its process would, and opens the next one on what is left: every
    /// commit, and nothing that was only in memory. Clones of this store fail from now on.
    pub fn crash(self) -> Result<Self, OpenError> {
        let next = match &self.inner.desk {
            Desk::Thread(thread) => {
                thread.close(true);
                let data = self.inner.data.as_ref();
                data.ok_or_else(closed).and_then(Self::open)
            }
            Desk::Caller(writer) => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                writer
                    .ok_or_else(closed)
                    .and_then(|writer| Self::on(writer.ledger.connection))
            }
        };
        let faults = self.faults;
        next.map(|next| Self { faults, ..next })
    }

    /// Whether nothing is written any more, because the disk failed.
    pub fn is_broken(&self) -> bool {
        self.inner.desk.is_broken()
    }

    /// How many pipelines wait for a time: those in which something is going on.
    pub fn live(&self) -> usize {
        self.inner.memory.lock().deadlines.len()
    }

    /// The pipeline as the database has it, whatever is in memory; the two are always equal.
    pub fn load_from_rows(&self, pipeline: &str) -> Result<Option<Loaded>, StoreError> {
        let entry = self.read(|connection| load::pipeline(connection, pipeline))?;
        Ok(entry.map(|entry| entry.loaded()))
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.inner.desk.read(query)
    }

    async fn submit(&self, work: impl Into<Work>) -> Outcome {
        self.inner.desk.submit(work.into()).await
    }

    /// The pipeline as it is after its latest commit.
    fn entry(&self, pipeline: &str) -> Result<Option<Arc<Entry>>, StoreError> {
        let as_of = {
            let mut memory = self.inner.memory.lock();
            if let Some(entry) = memory.state(pipeline) {
                return Ok(Some(entry));
            }
            memory.last
        };
        let entry = self.read(|connection| load::pipeline(connection, pipeline))?;
        let Some(entry) = entry.map(Arc::new) else {
            return Ok(None);
        };
        self.inner.memory.lock().remember(pipeline, &entry, as_of);
        Ok(Some(entry))
    }
}

fn closed() -> OpenError {
    OpenError::Unavailable {
        path: "memory".to_owned(),
        source: "it was closed".into(),
    }
}

#[async_trait]
impl PipelineStore for Store {
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        let Some(entry) = self.entry(pipeline)? else {
            return Ok(None);
        };
        let mut loaded = entry.loaded();
        if let Some(id) = also
            && !loaded.state.executions.contains_key(&id)
        {
            let state = &mut loaded.state;
            self.read(|connection| queries::join(connection, entry.number, state, id))?;
        }
        Ok(Some(loaded))
    }

    async fn glance(&self, pipeline: &str) -> Result<Option<Glance>, StoreError> {
        Ok(self.entry(pipeline)?.map(|entry| Glance {
            commit: entry.commit,
            tags: Arc::clone(&entry.state.tags),
            is_deleting: entry.state.head.deleting,
        }))
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        let fault = self
            .faults
            .as_ref()
            .and_then(|faults| faults.of_commit(&commit));
        if let Some(error) = fault.and_then(Fault::instead) {
            return Err(error);
        }
        let prepared = Box::new(Prepared::new(commit)?);
        let outcome = self.submit(prepared).await;
        fault.and_then(Fault::afterwards).map_or(outcome, Err)
    }

    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        self.read(|connection| queries::execution_by_token(connection, pipeline, token))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.inner.memory.lock().due(now, limit.min(PAGE_MAX)))
    }

    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        let commits: Vec<u64> = {
            let memory = self.inner.memory.lock();
            let undelivered = memory.undelivered.iter().copied();
            undelivered.take(limit.min(PAGE_MAX)).collect()
        };
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|connection| queries::outboxes(connection, &commits))
    }

    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        {
            let mut memory = self.inner.memory.lock();
            for commit in commits {
                memory.undelivered.remove(commit);
            }
        }
        let mut marked = self
            .inner
            .marked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if marked.elapsed() >= MARK_INTERVAL {
            *marked = Instant::now();
            self.inner.desk.mark();
        }
        Ok(())
    }

    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        let entry = self.entry(&key.pipeline)?;
        Ok(entry.is_some_and(|entry| queries::is_open(&entry.state, key)))
    }

    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows: Vec<u64> = {
            let memory = self.inner.memory.lock();
            let jobs = memory.jobs.range((after, Bound::Unbounded));
            jobs.take(limit.min(PAGE_MAX))
                .map(|(_, row)| *row)
                .collect()
        };
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|connection| queries::jobs(connection, &rows))
    }

    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|connection| queries::pipelines(connection, after, limit))
    }

    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        let entry = self.inner.memory.lock().state(pipeline);
        if let Some(definition) = entry.and_then(|it| it.state.definitions.get(&version).cloned()) {
            return Ok(Some(definition));
        }
        self.read(|connection| queries::definition(connection, pipeline, version))
    }

    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        let entry = self.inner.memory.lock().state(pipeline);
        if let Some(execution) = entry.and_then(|it| it.state.executions.get(&id).cloned()) {
            return Ok(Some(execution));
        }
        self.read(|connection| queries::execution(connection, pipeline, id))
    }

    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        self.read(|connection| queries::executions(connection, pipeline, before, limit))
    }

    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        self.read(|connection| queries::action_executions(connection, pipeline, execution))
    }

    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        self.read(|connection| queries::newest_action_executions(connection, pipeline, from, limit))
    }

    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.read(|connection| queries::journal(connection, since, limit))
    }
}
