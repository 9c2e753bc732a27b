//! The recorder notes the rows of every commit on its way to the store.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use model::{Execution, ExecutionId, Job, PipelineDeclaration, Timestamp, job::AttemptKey};
use ports::{
    Commit, Loaded, PipelineStore, StoreError,
    store::{ActionExecution, ActionPosition, JournalEntry, Message, Outbox},
};
use serde::Serialize;
use uuid::Uuid;

/// Executions that are kept as a pattern; more would not tell more.
const EXECUTIONS_MAX: usize = 100;

/// A row as it is written; `slot` tells rows of one execution and kind apart.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) slot: usize,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Head,
    Execution,
    /// An attempt begins: its row is new.
    Begin,
    /// The row of an attempt gets its outcome.
    Update,
    Journal,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Head, "heads of pipelines"),
    (Kind::Execution, "executions"),
    (Kind::Begin, "jobs"),
    (Kind::Update, "outcomes"),
    (Kind::Journal, "journal"),
];

/// The commits of one execution, each with its rows.
pub(crate) type Recorded = Vec<Vec<Row>>;

pub(crate) struct Recorder {
    inner: Arc<dyn PipelineStore>,
    recording: AtomicBool,
    recorded: Mutex<Vec<(ExecutionId, Recorded, Vec<Uuid>)>>,
}

impl Recorder {
    pub(crate) fn new(inner: Arc<dyn PipelineStore>) -> Self {
        Self {
            inner,
            recording: AtomicBool::new(false),
            recorded: Mutex::default(),
        }
    }

    pub(crate) fn begin(&self) {
        self.recording.store(true, Ordering::Relaxed);
    }

    /// The executions that were seen from their first commit to their last.
    pub(crate) fn end(&self) -> Vec<Recorded> {
        self.recording.store(false, Ordering::Relaxed);
        let mut all = std::mem::take(&mut *self.recorded());
        // The last one may have been cut off.
        all.pop();
        all.into_iter().map(|(_, commits, _)| commits).collect()
    }

    fn recorded(&self) -> MutexGuard<'_, Vec<(ExecutionId, Recorded, Vec<Uuid>)>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, commit: &Commit) {
        let Some(id) = commit.changed.first() else {
            return;
        };
        let mut recorded = self.recorded();
        if recorded.last().is_none_or(|(last, ..)| last != id) {
            if recorded.len() > EXECUTIONS_MAX {
                self.recording.store(false, Ordering::Relaxed);
                return;
            }
            recorded.push((*id, Vec::new(), Vec::new()));
        }
        if let Some((_, commits, attempts)) = recorded.last_mut() {
            commits.push(rows(commit, attempts));
        }
    }
}

/// What a commit writes; `attempts` numbers the attempts of its execution.
fn rows(commit: &Commit, attempts: &mut Vec<Uuid>) -> Vec<Row> {
    let mut rows = vec![row(Kind::Head, 0, &commit.state.head)];
    let changed = commit
        .changed
        .iter()
        .filter_map(|id| commit.state.executions.get(id));
    rows.extend(changed.map(|execution| row(Kind::Execution, 0, &**execution)));
    for (job, _) in &commit.begun {
        attempts.push(job.action_execution_id);
        rows.push(row(Kind::Begin, attempts.len() - 1, &**job));
    }
    for update in &commit.updates {
        let slot = attempts
            .iter()
            .position(|id| *id == update.action_execution_id);
        rows.push(row(Kind::Update, slot.unwrap_or_default(), update));
    }
    let changes: Vec<_> = commit
        .outbox
        .iter()
        .filter_map(|message| match message {
            Message::Change(change) => Some(change),
            Message::Job(_) | Message::Cancel(_) | Message::Ask(_) => None,
        })
        .collect();
    rows.push(row(Kind::Journal, 0, &(&commit.audit, changes)));
    rows
}

fn row(kind: Kind, slot: usize, body: &impl Serialize) -> Row {
    let body = serde_json::to_vec(body).expect("what the store keeps can be written as JSON");
    Row { kind, slot, body }
}

/// How many rows and bytes an execution writes, in words.
pub(crate) fn summary(recorded: &[Recorded]) -> String {
    let executions = recorded.len().max(1);
    let commits = ratio(recorded.iter().map(Vec::len).sum(), executions);
    let all = |_: &Row| true;
    let mut text = format!(
        "an execution: {commits:.1} commits, {} (mean of {executions})\n",
        rows_and_bytes(recorded, all)
    );
    for (kind, name) in KINDS {
        let words = rows_and_bytes(recorded, |row| row.kind == kind);
        text = text + "  " + name + ": " + &words + "\n";
    }
    text
}

fn rows_and_bytes(recorded: &[Recorded], which: impl Fn(&Row) -> bool) -> String {
    let executions = recorded.len().max(1);
    let rows = recorded.iter().flatten().flatten().filter(|row| which(row));
    let (count, bytes) = rows.fold((0, 0), |(count, bytes), row| {
        (count + 1, bytes + row.body.len())
    });
    let (count, kilobytes) = (ratio(count, executions), ratio(bytes, executions) / 1000.0);
    format!("{count:.1} rows, {kilobytes:.1} kB")
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    number(part) / number(whole)
}

#[async_trait]
impl PipelineStore for Recorder {
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        self.inner.load(pipeline, also).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        if self.recording.load(Ordering::Relaxed) {
            self.note(&commit);
        }
        self.inner.commit(commit).await
    }

    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        self.inner.execution_by_token(pipeline, token).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
        self.inner.due(now, limit).await
    }

    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        self.inner.undelivered(limit).await
    }

    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        self.inner.delivered(commits).await
    }

    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        self.inner.is_open(key).await
    }

    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        self.inner.open_jobs(after, limit).await
    }

    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.inner.pipelines(after, limit).await
    }

    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        self.inner.definition(pipeline, version).await
    }

    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        self.inner.execution(pipeline, id).await
    }

    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        self.inner.executions(pipeline, before, limit).await
    }

    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        self.inner.action_executions(pipeline, execution).await
    }

    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        self.inner
            .newest_action_executions(pipeline, from, limit)
            .await
    }

    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.inner.journal(since, limit).await
    }
}
