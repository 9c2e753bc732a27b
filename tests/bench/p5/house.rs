//! The house under measurement: the real machine over the real store, with providers that do
//! nothing.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use embedded::{DataDir, GitRepositories, Objects, OsRandom, Store, SystemClock};
use model::{
    ActionCategory, ActionOutput, Change, ExecutionId, Job, Subject,
    build::{BuildOrder, BuildState},
    change::EventState,
    effect::ApprovalRequest,
    job::{ActionResult, ErrorDetails},
    state::{Trigger, TriggerType},
};
use operations::{
    Caller, CreatePipeline, StartPipelineExecution, create_pipeline, start_pipeline_execution,
};
use pipewright::machine::{Machine, Wiring};
use ports::{Account, BuildRunner, EventBus, StoreError, World, builds::BuildError};
use providers::{Catalogue, Progress, Provider};
use serde_json::json;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

use crate::{
    figures::{Latency, cpu, memory_mb},
    recorder::Recorder,
};

/// An execution that takes longer is stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

type Failure = Box<dyn Error + Send + Sync>;

/// What the actions do.
#[derive(Clone, Copy)]
pub(crate) enum Actions {
    Nothing,
    /// Each runs `/bin/true`.
    Children,
}

/// What many executions at a time came to.
pub(crate) struct Throughput {
    pub(crate) per_second: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) memory_mb: f64,
}

pub(crate) struct House {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) database: PathBuf,
    world: World,
    finishes: Arc<Finishes>,
    /// Dropped before the files go.
    _machine: Machine,
    runtime: Runtime,
    /// Held so that the files go when the measurement ends.
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn open(folder: &Path, actions: Actions) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir_in(folder)?;
        let data = DataDir::open(&folder.path().join("data"))?;
        let store = Arc::new(Store::open(&data)?);
        let clock = Arc::new(SystemClock);
        let recorder = Arc::new(Recorder::new(store.clone()));
        let finishes = Arc::new(Finishes::default());
        let wiring = Wiring::default();
        let world = World {
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock: clock.clone(),
            random: Arc::new(OsRandom),
            pipelines: recorder.clone(),
            objects: Arc::new(Objects::temporary(clock)?),
            queues: wiring.queues(),
            bus: finishes.clone(),
            builds: Arc::new(NoBuilds),
            projects: store,
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let provider: Arc<dyn Provider> = Arc::new(Idle(actions));
        let catalogue = Catalogue::empty()
            .with(ActionCategory::Source, "S3", provider.clone())
            .with(ActionCategory::Build, "CodeBuild", provider.clone())
            .with(ActionCategory::Test, "CodeBuild", provider.clone())
            .with(ActionCategory::Deploy, "S3", provider);
        let machine = Machine::start(world.clone(), wiring, catalogue)?;
        Ok(Self {
            recorder,
            database: data.database(),
            world,
            finishes,
            _machine: machine,
            runtime,
            _folder: folder,
        })
    }

    /// One execution after the other, each from the request to the news that it succeeded.
    pub(crate) fn alone(&self, count: usize) -> Result<Latency, Box<dyn Error>> {
        let (world, finishes) = (self.world.clone(), Arc::clone(&self.finishes));
        let each = self.runtime.block_on(async move {
            create(&world, "p5-alone").await?;
            let mut each = Vec::with_capacity(count);
            for _ in 0..count {
                let began = Instant::now();
                execute(&world, &finishes, "p5-alone").await?;
                each.push(began.elapsed());
            }
            Ok::<_, Failure>(each)
        });
        Ok(Latency::new(
            each.map_err(|error| -> Box<dyn Error> { error })?,
        ))
    }

    /// One execution after the other in each of many pipelines at the same time.
    pub(crate) fn throughput(
        &self,
        lanes: usize,
        time: Duration,
    ) -> Result<Throughput, Box<dyn Error>> {
        let (world, finishes) = (self.world.clone(), Arc::clone(&self.finishes));
        let outcome = self.runtime.block_on(async move {
            for lane in 0..lanes {
                create(&world, &format!("p5-{lane}")).await?;
            }
            let (cpu_before, began) = (cpu()?, Instant::now());
            let mut running = JoinSet::new();
            for lane in 0..lanes {
                let (world, finishes) = (world.clone(), Arc::clone(&finishes));
                running.spawn(async move {
                    let pipeline = format!("p5-{lane}");
                    let mut count = 0_u32;
                    while began.elapsed() < time {
                        execute(&world, &finishes, &pipeline).await?;
                        count += 1;
                    }
                    Ok::<_, Failure>(count)
                });
            }
            let mut count = 0;
            while let Some(lane) = running.join_next().await {
                count += lane??;
            }
            let (took, used) = (began.elapsed(), cpu()?.saturating_sub(cpu_before));
            Ok::<_, Failure>(Throughput {
                per_second: f64::from(count) / took.as_secs_f64(),
                cpu_ms: used.as_secs_f64() * 1000.0 / f64::from(count.max(1)),
                memory_mb: memory_mb()?,
            })
        });
        outcome.map_err(|error| -> Box<dyn Error> { error })
    }
}

/// Creates the pipeline, unless an earlier measurement did.
async fn create(world: &World, name: &str) -> Result<(), Failure> {
    if world.pipelines.load(name, None).await?.is_some() {
        return Ok(());
    }
    let action = |name: &str, category: &str, provider: &str, io: (&[&str], &[&str])| {
        let named = |names: &[&str]| {
            names
                .iter()
                .map(|name| json!({"name": name}))
                .collect::<Vec<_>>()
        };
        let configuration = match (category, provider) {
            ("Source", _) => json!({"S3Bucket": "sources", "S3ObjectKey": "app.zip"}),
            ("Deploy", _) => json!({"BucketName": "site", "Extract": "true"}),
            _ => json!({"ProjectName": name}),
        };
        json!({
            "name": name,
            "actionTypeId": {
                "category": category, "owner": "AWS", "provider": provider, "version": "1"
            },
            "configuration": configuration,
            "inputArtifacts": named(io.0),
            "outputArtifacts": named(io.1),
        })
    };
    let declaration = json!({
        "name": name,
        "roleArn": "arn:aws:iam::000000000000:role/pipewright",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [action("source", "Source", "S3", (&[], &["App"]))]},
            {"name": "Check", "actions": [
                action("build", "Build", "CodeBuild", (&["App"], &["Built"])),
                action("test", "Test", "CodeBuild", (&["App"], &[])),
            ]},
            {"name": "Approve", "actions": [action("approve", "Test", "CodeBuild", (&["Built"], &[]))]},
            {"name": "Deploy", "actions": [action("deploy", "Deploy", "S3", (&["Built"], &[]))]},
        ],
    });
    let declaration = serde_json::from_value(declaration)?;
    create_pipeline(
        world,
        CreatePipeline {
            declaration,
            tags: Vec::new(),
            starts: false,
            by: Caller::owner("p5"),
        },
    )
    .await?;
    Ok(())
}

/// Starts an execution and waits for the news that it succeeded.
async fn execute(world: &World, finishes: &Finishes, pipeline: &str) -> Result<(), Failure> {
    let request = StartPipelineExecution {
        pipeline: pipeline.to_owned(),
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: "arn:aws:iam::000000000000:user/p5".to_owned(),
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_request_token: None,
        by: Caller::owner("p5"),
    };
    let id = start_pipeline_execution(world, request).await?;
    let end = tokio::time::timeout(STUCK_AFTER, finishes.wait(id)).await;
    match end.map_err(|_| format!("execution {id} of {pipeline} is stuck"))? {
        EventState::Succeeded => Ok(()),
        other => Err(format!("execution {id} of {pipeline} ended as {other:?}").into()),
    }
}

/// Who waits for which execution; the bus of this world, which listens for ends alone.
#[derive(Default)]
struct Finishes(Mutex<HashMap<ExecutionId, Slot>>);

enum Slot {
    Waiting(oneshot::Sender<EventState>),
    Ended(EventState),
}

impl Finishes {
    fn slots(&self) -> MutexGuard<'_, HashMap<ExecutionId, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, id: ExecutionId) -> EventState {
        let receiver = {
            let mut slots = self.slots();
            if let Some(Slot::Ended(state)) = slots.remove(&id) {
                return state;
            }
            let (sender, receiver) = oneshot::channel();
            slots.insert(id, Slot::Waiting(sender));
            receiver
        };
        receiver.await.unwrap_or(EventState::Failed)
    }
}

#[async_trait]
impl EventBus for Finishes {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            let Subject::Pipeline { state, .. } = &change.subject else {
                continue;
            };
            if *state == EventState::Started {
                continue;
            }
            let mut slots = self.slots();
            match slots.remove(&change.execution) {
                // Whoever gave up waiting does not want the news.
                Some(Slot::Waiting(sender)) => drop(sender.send(*state)),
                Some(Slot::Ended(_)) | None => {
                    slots.insert(change.execution, Slot::Ended(*state));
                }
            }
        }
        Ok(())
    }

    async fn ask(&self, _: &ApprovalRequest) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A provider whose work is done at once, or when `/bin/true` is.
struct Idle(Actions);

#[async_trait]
impl Provider for Idle {
    async fn start(&self, _: &World, _: &Job) -> Progress {
        let result = match self.0 {
            Actions::Nothing => Ok(()),
            Actions::Children => tokio::task::spawn_blocking(child)
                .await
                .map_err(|error| error.to_string())
                .and_then(|outcome| outcome),
        };
        let output = ActionOutput::default();
        Progress::Done(match result {
            Ok(()) => ActionResult::Succeeded(output),
            Err(why) => ActionResult::Failed {
                error: ErrorDetails::system(why),
                output,
            },
        })
    }

    async fn poll(&self, world: &World, job: &Job) -> Progress {
        self.start(world, job).await
    }

    async fn stop(&self, _: &World, _: &Job) {}
}

fn child() -> Result<(), String> {
    let status = Command::new("/bin/true").stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("/bin/true: {status}")),
        Err(error) => Err(format!("/bin/true: {error}")),
    }
}

/// Nothing here builds.
struct NoBuilds;

#[async_trait]
impl BuildRunner for NoBuilds {
    async fn start(&self, _: BuildOrder) -> Result<(), BuildError> {
        Err(BuildError::Refused("nothing is built here".to_owned()))
    }

    async fn state(&self, _: &str) -> Result<BuildState, BuildError> {
        Ok(BuildState::Unknown)
    }

    async fn stop(&self, _: &str) -> Result<(), BuildError> {
        Ok(())
    }
}
