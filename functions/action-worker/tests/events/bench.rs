//! A worker in a world of real adapters, with a queue that can be read and builds that wait.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    future::Future,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use action_worker::Worker;
use async_trait::async_trait;
use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store};
use model::{
    ActionCategory, ActionStatus, ActionUpdate, AttemptKey, Change, Execution, ExecutionStatus,
    Input, Job, PipelineState, StageStatus, Timestamp,
    build::{BuildOrder, BuildState},
    declaration::ExecutionMode,
    effect::ApprovalRequest,
    project::Project,
    state::{ActionState, Position, StageExecution, Trigger, TriggerType},
};
use ports::{
    Account, BuildRunner, Commit, EventBus, Loaded, Queues, StoreError, World,
    builds::BuildError,
    objects::{ObjectMetadata, PutObject},
    store::{Audit, Doer},
};
use providers::{Catalogue, Progress, Provider};
use tempfile::TempDir;
use uuid::Uuid;

const STARTED: Timestamp = Timestamp(1_547_106_937_000);

pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) worker: Worker,
    pub(crate) builds: Arc<WaitingBuilds>,
    queues: Arc<ReadableQueues>,
    _folder: TempDir,
}

impl Bench {
    /// With the buckets `artifacts` and `incoming`, the object `app.zip` in the latter, and the
    /// project `unit-tests`.
    pub(crate) async fn new(catalogue: Catalogue) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let clock = Arc::new(ManualClock::new(STARTED));
        let objects = Objects::temporary(clock.clone()).expect("it can be opened");
        let store = Arc::new(Store::in_memory().expect("it can be opened"));
        let builds = Arc::new(WaitingBuilds::default());
        let queues = Arc::new(ReadableQueues::default());
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock,
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            objects: Arc::new(objects),
            queues: queues.clone(),
            bus: queues.clone(),
            builds: builds.clone(),
            projects: store,
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        furnish(&world, folder.path()).await;
        Self {
            worker: Worker::new(world.clone(), catalogue),
            world,
            builds,
            queues,
            _folder: folder,
        }
    }

    /// Makes the store hold the job's attempt as one in progress.
    pub(crate) async fn open(&self, job: &Arc<Job>) {
        let begun = vec![(Arc::clone(job), Doer::Worker)];
        write(&self.world, job, ActionStatus::InProgress, begun).await;
        assert_eq!(
            self.world.pipelines.is_open(&job.key).await.ok(),
            Some(true)
        );
    }

    /// What was sent to the engine.
    pub(crate) fn inputs(&self) -> Vec<Input> {
        guard(&self.queues.inputs).clone()
    }

    /// The same, for people to read.
    pub(crate) fn sent(&self) -> String {
        let inputs = self.inputs();
        inputs.iter().map(|input| shown(input) + "\n").collect()
    }

    pub(crate) fn break_queues(&self) {
        self.queues.is_broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn mend_queues(&self) {
        self.queues.is_broken.store(false, Ordering::SeqCst);
    }
}

fn shown(input: &Input) -> String {
    let (name, key, what) = match input {
        Input::ActionFinished { key, result } => {
            ("ActionFinished", key, serde_json::to_string_pretty(result))
        }
        Input::ActionProgressed { key, output } => (
            "ActionProgressed",
            key,
            serde_json::to_string_pretty(output),
        ),
        other => panic!("a worker sends no {other:?}"),
    };
    let what = what.expect("it can be written as JSON");
    format!("{name} {}/{} {what}", key.stage, key.action)
}

async fn furnish(world: &World, folder: &Path) {
    for bucket in ["artifacts", "incoming"] {
        let created = world.objects.create_bucket(bucket).await;
        created.expect("a bucket can be made");
    }
    let from = folder.join("app.zip");
    fs::write(&from, "app").expect("the folder can be written");
    let object = PutObject {
        bucket: "incoming",
        key: "app.zip",
        from: &from,
        metadata: ObjectMetadata::default(),
        create_only: false,
    };
    world
        .objects
        .put(object)
        .await
        .expect("an object can be put");
    let project: Project = serde_json::from_str(r#"{"name": "unit-tests"}"#).expect("it is one");
    let put = world.projects.put_project(&project).await;
    put.expect("a project can be put");
}

/// Ends the job's attempt as the engine would.
pub(crate) async fn close(world: World, job: Arc<Job>) {
    write(&world, &job, ActionStatus::Abandoned, Vec::new()).await;
    assert_eq!(world.pipelines.is_open(&job.key).await.ok(), Some(false));
}

async fn write(world: &World, job: &Job, status: ActionStatus, begun: Vec<(Arc<Job>, Doer)>) {
    let key = &job.key;
    let loaded = world.pipelines.load(&key.pipeline, None).await;
    let loaded: Option<Loaded> = loaded.expect("it can be loaded");
    let version = loaded.as_ref().map_or(0, |loaded| loaded.version);
    let last = loaded.as_ref().map_or(Uuid::nil(), |loaded| loaded.commit);
    let mut state = loaded.map_or_else(
        || PipelineState::empty(&key.pipeline),
        |loaded| loaded.state,
    );
    state
        .executions
        .insert(key.execution, Arc::new(execution(job, status)));
    let ended = begun.is_empty().then(|| ActionUpdate {
        execution: key.execution,
        stage: key.stage.clone(),
        action: key.action.clone(),
        attempt: key.attempt,
        action_execution_id: job.action_execution_id,
        status,
        at: STARTED,
        by: None,
        error: None,
        output: model::ActionOutput::default(),
    });
    let commit = Commit {
        id: world.random.uuid(),
        expected_version: version,
        expected_commit: last,
        state,
        changed: vec![key.execution],
        new_definition: false,
        new_tags: false,
        gone: false,
        begun,
        updates: ended.into_iter().collect(),
        outbox: Vec::new(),
        token: None,
        deadline: None,
        audit: Audit {
            at: STARTED,
            by: "test".to_owned(),
            cause: "Start".to_owned(),
        },
    };
    world
        .pipelines
        .commit(commit)
        .await
        .expect("it is committed");
}

/// An execution that has nothing but the job's action.
fn execution(job: &Job, status: ActionStatus) -> Execution {
    let action = ActionState {
        attempt: job.key.attempt,
        status,
        started: STARTED,
        updated: STARTED,
        until: Some(job.until),
        rerun: false,
        decided: false,
        outputs: Arc::default(),
    };
    let stage = StageExecution {
        status: StageStatus::InProgress,
        entered: STARTED,
        actions: [(job.key.action.clone(), action)].into(),
        retry: None,
    };
    Execution {
        id: job.key.execution,
        sequence: 1,
        definition: 1,
        mode: ExecutionMode::Superseded,
        status: ExecutionStatus::InProgress,
        status_summary: None,
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: String::new(),
        },
        started: STARTED,
        updated: STARTED,
        position: Position::Inside { stage: 0 },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
        revisions: BTreeMap::new(),
        stages: [(job.key.stage.clone(), stage)].into(),
        stop: None,
        cancelling: false,
        attempt: 1,
        changes: 0,
        secret: Uuid::from_u128(3),
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Then = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A provider that says what it was told to say, and panics when that is over.
#[derive(Default)]
pub(crate) struct Told {
    answers: Mutex<VecDeque<Progress>>,
    asked: Mutex<usize>,
    stopped: Mutex<usize>,
    then: Mutex<Option<Then>>,
}

impl Told {
    pub(crate) fn new(answers: impl IntoIterator<Item = Progress>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        })
    }

    pub(crate) fn catalogue(self: &Arc<Self>) -> Catalogue {
        Catalogue::empty().with(ActionCategory::Test, "CodeBuild", self.clone())
    }

    /// What happens in the world while the provider is asked.
    pub(crate) fn then<F, R>(&self, then: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        *guard(&self.then) = Some(Box::new(move || Box::pin(then())));
    }

    pub(crate) fn asked(&self) -> usize {
        *guard(&self.asked)
    }

    pub(crate) fn stopped(&self) -> usize {
        *guard(&self.stopped)
    }

    async fn answer(&self) -> Progress {
        *guard(&self.asked) += 1;
        let then = guard(&self.then).as_ref().map(|then| then());
        if let Some(then) = then {
            then.await;
        }
        let answer = guard(&self.answers).pop_front();
        answer.expect("the provider has nothing more to say")
    }
}

#[async_trait]
impl Provider for Told {
    async fn start(&self, _world: &World, _job: &Job) -> Progress {
        self.answer().await
    }

    async fn poll(&self, _world: &World, _job: &Job) -> Progress {
        self.answer().await
    }

    async fn stop(&self, _world: &World, _job: &Job) {
        *guard(&self.stopped) += 1;
    }
}

/// Builds that never end.
#[derive(Default)]
pub(crate) struct WaitingBuilds {
    pub(crate) stopped: Mutex<Vec<String>>,
    is_running: AtomicBool,
}

#[async_trait]
impl BuildRunner for WaitingBuilds {
    async fn start(&self, _order: BuildOrder) -> Result<(), BuildError> {
        self.is_running.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn state(&self, _id: &str) -> Result<BuildState, BuildError> {
        if self.is_running.load(Ordering::SeqCst) {
            Ok(BuildState::Running)
        } else {
            Ok(BuildState::Unknown)
        }
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        guard(&self.stopped).push(id.to_owned());
        Ok(())
    }
}

/// Keeps what is sent to the engine.
#[derive(Default)]
struct ReadableQueues {
    inputs: Mutex<Vec<Input>>,
    is_broken: AtomicBool,
}

#[async_trait]
impl Queues for ReadableQueues {
    async fn offer(&self, _job: Arc<Job>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn cancel(&self, _key: &AttemptKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send(&self, _pipeline: &str, input: Input) -> Result<(), StoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable {
                doing: "send a message".to_owned(),
                source: "the queue is broken".into(),
            });
        }
        guard(&self.inputs).push(input);
        Ok(())
    }
}

#[async_trait]
impl EventBus for ReadableQueues {
    async fn publish(&self, _changes: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ask(&self, _request: &ApprovalRequest) -> Result<(), StoreError> {
        Ok(())
    }
}
