//! The ports as the simulation has them: the in-memory store behind a curtain that delays, kills and
//! watches; queues and a bus that are the scheduler; and nothing behind the others.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use embedded::{
    Store,
    store::{Fault, Faults},
};
use model::{
    AttemptKey, Change, Execution, ExecutionId, Input, Job, PipelineDeclaration, Timestamp,
    build::{BuildOrder, BuildState},
    effect::ApprovalRequest,
    project::Project,
};
use ports::{
    BuildRunner, EventBus, ObjectStore, PipelineStore, ProjectStore, Queues, Repositories,
    StoreError,
    builds::BuildError,
    objects::{
        BucketInfo, DeleteObject, Deleted, ListObjects, ListVersions, ObjectError, ObjectInfo,
        Page, PutObject, PutTerms, Version, VersionsPage,
    },
    repositories::{self, RepositoryError},
    store::{ActionExecution, ActionPosition, Commit, JournalEntry, Loaded, Outbox},
};
use uuid::Uuid;

use crate::{
    messages::Message,
    scheduler::{Happening, Shared},
};

/// Decides by chance what goes wrong with each commit.
pub(crate) struct ByChance(pub(crate) Shared);

impl Faults for ByChance {
    fn of_commit(&self, _: &Commit) -> Option<Fault> {
        let mut state = self.0.lock();
        let faults = state.faults.clone();
        if state.chance.happens(faults.conflict) {
            state.oracle.sometimes("a commit met a conflict");
            return Some(Fault::Conflict);
        }
        if state.chance.happens(faults.unavailable) {
            return Some(Fault::Unavailable);
        }
        if state.chance.happens(faults.ambiguous) {
            let written = state.chance.happens(500);
            let (what, fault) = if written {
                ("an ambiguous commit was written", Fault::AmbiguousWritten)
            } else {
                (
                    "an ambiguous commit was not written",
                    Fault::AmbiguousNotWritten,
                )
            };
            state.oracle.sometimes(what);
            return Some(fault);
        }
        None
    }
}

/// The store, which may die and rise again.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<Option<Store>>>);

impl Disk {
    pub(crate) fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(Some(store))))
    }

    /// The store as the process has it now.
    pub(crate) fn store(&self) -> Store {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        store
            .clone()
            .expect("the store was opened again after every crash")
    }

    /// Loses what was only in memory.
    pub(crate) fn crash(&self) {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = store.take().map(Store::crash);
        *store = next.and_then(Result::ok);
    }
}

#[async_trait]
impl ProjectStore for Disk {
    async fn project(&self, name: &str) -> Result<Option<Project>, StoreError> {
        self.store().project(name).await
    }

    async fn put_project(&self, project: &Project) -> Result<(), StoreError> {
        self.store().put_project(project).await
    }
}

/// The store, watched.
pub(crate) struct Curtain {
    pub(crate) disk: Disk,
    pub(crate) shared: Shared,
}

#[async_trait]
impl PipelineStore for Curtain {
    async fn load(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        self.shared.pause().await;
        self.disk.store().load(pipeline, also).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.shared.pause().await;
        let written = commit.clone();
        let pipeline = commit.state.head.pipeline.clone();
        let result = self.disk.store().commit(commit).await;
        // An ambiguous commit is there or not; whoever committed does not know, we may look.
        let is_there = match &result {
            Ok(_) => true,
            Err(StoreError::Ambiguous) => {
                let loaded = self.disk.store().load(&pipeline, None).await?;
                loaded.is_some_and(|loaded| loaded.commit == written.id)
            }
            Err(_) => false,
        };
        if is_there {
            let number = result.as_ref().ok().copied();
            self.shared.lock().written(&written, number);
        }
        self.shared.pause().await;
        result
    }

    async fn execution_by_token(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        self.shared.pause().await;
        self.disk.store().execution_by_token(pipeline, token).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
        self.shared.pause().await;
        self.disk.store().due(now, limit).await
    }

    async fn undelivered(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        self.shared.pause().await;
        self.disk.store().undelivered(limit).await
    }

    async fn delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        self.shared.pause().await;
        self.shared.lock().oracle.marked(commits);
        self.disk.store().delivered(commits).await
    }

    async fn is_open(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        self.shared.pause().await;
        self.disk.store().is_open(key).await
    }

    async fn open_jobs(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        self.shared.pause().await;
        self.disk.store().open_jobs(after, limit).await
    }

    async fn pipelines(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.shared.pause().await;
        self.disk.store().pipelines(after, limit).await
    }

    async fn definition(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        self.disk.store().definition(pipeline, version).await
    }

    async fn execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        self.disk.store().execution(pipeline, id).await
    }

    async fn executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        self.disk.store().executions(pipeline, before, limit).await
    }

    async fn action_executions(
        &self,
        pipeline: &str,
        execution: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        self.shared.pause().await;
        self.disk
            .store()
            .action_executions(pipeline, execution)
            .await
    }

    async fn newest_action_executions(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        self.disk
            .store()
            .newest_action_executions(pipeline, from, limit)
            .await
    }

    async fn journal(&self, since: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.disk.store().journal(since, limit).await
    }
}

#[async_trait]
impl Queues for Shared {
    async fn offer(&self, job: Arc<Job>) -> Result<(), StoreError> {
        self.pause().await;
        let mut state = self.lock();
        state.oracle.offered(job.action_execution_id);
        state.send(0, &Message::Offer(job));
        Ok(())
    }

    async fn cancel(&self, key: &AttemptKey) -> Result<(), StoreError> {
        self.pause().await;
        let mut state = self.lock();
        state.oracle.cancelled(key);
        state.send(0, &Message::Cancel(key.clone()));
        Ok(())
    }

    async fn send(&self, pipeline: &str, input: Input) -> Result<(), StoreError> {
        self.pause().await;
        let pipeline = pipeline.to_owned();
        self.lock().send(
            0,
            &Message::Input {
                pipeline,
                input: Box::new(input),
            },
        );
        Ok(())
    }
}

#[async_trait]
impl EventBus for Shared {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.pause().await;
        self.lock().oracle.published(changes);
        Ok(())
    }

    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError> {
        self.pause().await;
        let mut state = self.lock();
        state.oracle.asked(request);
        // Somebody may look at it some time.
        let millis = state.chance.between(0, 4 * 3_600_000);
        state.after(millis, Happening::User);
        Ok(())
    }
}

/// There is nothing behind these ports: no handler that is simulated uses them.
pub(crate) struct Nothing;

#[async_trait]
impl ObjectStore for Nothing {
    async fn create_bucket(&self, _: &str) -> Result<(), ObjectError> {
        Ok(())
    }

    async fn bucket(&self, bucket: &str) -> Result<BucketInfo, ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn buckets(&self, _: &str, _: usize) -> Result<Vec<BucketInfo>, ObjectError> {
        Ok(Vec::new())
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn put_on(
        &self,
        object: PutObject<'_>,
        _: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        Err(ObjectError::NoSuchBucket(object.bucket.to_owned()))
    }

    async fn head(
        &self,
        bucket: &str,
        _: &str,
        _: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn version(
        &self,
        bucket: &str,
        _: &str,
        _: Option<&str>,
    ) -> Result<Version, ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn get(
        &self,
        bucket: &str,
        _: &str,
        _: Option<&str>,
        _: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn open(
        &self,
        bucket: &str,
        _: &str,
        _: Option<&str>,
    ) -> Result<(ObjectInfo, File), ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }

    async fn list_page(&self, request: ListObjects<'_>) -> Result<Page, ObjectError> {
        Err(ObjectError::NoSuchBucket(request.bucket.to_owned()))
    }

    async fn list_versions(&self, request: ListVersions<'_>) -> Result<VersionsPage, ObjectError> {
        Err(ObjectError::NoSuchBucket(request.bucket.to_owned()))
    }

    async fn delete(&self, request: DeleteObject<'_>) -> Result<Deleted, ObjectError> {
        Err(ObjectError::NoSuchBucket(request.bucket.to_owned()))
    }

    async fn set_tags(
        &self,
        bucket: &str,
        _: &str,
        _: Option<&str>,
        _: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        Err(ObjectError::NoSuchBucket(bucket.to_owned()))
    }
}

#[async_trait]
impl BuildRunner for Nothing {
    async fn start(&self, _: BuildOrder) -> Result<(), BuildError> {
        Err(BuildError::Refused("nothing is built here".to_owned()))
    }

    async fn state(&self, _: &str) -> Result<BuildState, BuildError> {
        Err(BuildError::Refused("nothing is built here".to_owned()))
    }

    async fn stop(&self, _: &str) -> Result<(), BuildError> {
        Ok(())
    }
}

#[async_trait]
impl Repositories for Nothing {
    async fn head(&self, name: &str, _: &str) -> Result<repositories::Commit, RepositoryError> {
        Err(RepositoryError::NotFound(name.to_owned()))
    }

    async fn commit(&self, name: &str, _: &str) -> Result<repositories::Commit, RepositoryError> {
        Err(RepositoryError::NotFound(name.to_owned()))
    }

    async fn archive(
        &self,
        name: &str,
        _: &repositories::Commit,
        _: &Path,
    ) -> Result<(), RepositoryError> {
        Err(RepositoryError::NotFound(name.to_owned()))
    }

    async fn clone_url(&self, name: &str) -> Result<String, RepositoryError> {
        Err(RepositoryError::NotFound(name.to_owned()))
    }
}
