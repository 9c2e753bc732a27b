//! Fills a data directory with pipelines and finished executions: the real machine over the real
//! store, with providers that do nothing.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use access::Caller;
use async_trait::async_trait;
use embedded::{DataDir, GitRepositories, Objects, OsRandom, Store, SystemClock};
use model::{
    ActionCategory, ActionOutput, Change, Job, Subject,
    build::{BuildOrder, BuildState},
    change::EventState,
    effect::ApprovalRequest,
    job::ActionResult,
    state::{Trigger, TriggerType},
};
use operations::{
    CreatePipeline, OperationError, StartPipelineExecution, create_pipeline,
    start_pipeline_execution,
};
use pipewright::machine::{Machine, Wiring};
use ports::{
    Account, BuildRunner, EventBus, StoreError, World, builds::BuildError, objects::PutObject,
};
use providers::{Catalogue, Progress, Provider};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet, time::sleep};

/// The pipeline that has half of all executions.
pub(crate) const BUSY: &str = "busy";

/// How many executions of it go on at a time while it is filled.
const BUSY_AT_A_TIME: usize = 40;

/// How many other pipelines are filled at a time.
const LANES: usize = 64;

/// How often a start is tried, and how long it waits in between.
const STARTS_TRIED: usize = 1_000;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// How many pipelines take turns when executions are started.
pub(crate) const STARTED: usize = 64;

/// The name of one of those.
pub(crate) fn started(number: usize) -> String {
    format!("start-{number:02}")
}

type Failure = Box<dyn Error + Send + Sync>;

/// A data directory that is being filled.
pub(crate) struct Fill {
    world: World,
    ends: Arc<Ends>,
    runtime: Runtime,
    _machine: Machine,
}

impl Fill {
    pub(crate) fn open(data: &Path) -> Result<Self, Box<dyn Error>> {
        let data = DataDir::open(data)?;
        let store = Arc::new(Store::open(&data)?);
        let clock = Arc::new(SystemClock);
        let objects = Objects::open(&data.objects(), clock.clone())?;
        let ends = Arc::new(Ends::default());
        let wiring = Wiring::default();
        let world = World {
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock,
            random: Arc::new(OsRandom),
            pipelines: store.clone(),
            objects: Arc::new(objects),
            queues: wiring.queues(),
            bus: ends.clone(),
            builds: Arc::new(NoBuilds),
            projects: store,
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), data.path())),
        };
        let idle: Arc<dyn Provider> = Arc::new(Idle);
        let catalogue = Catalogue::empty()
            .with(ActionCategory::Source, "S3", idle.clone())
            .with(ActionCategory::Build, "CodeBuild", idle.clone())
            .with(ActionCategory::Test, "CodeBuild", idle.clone())
            .with(ActionCategory::Deploy, "S3", idle);
        let machine = Machine::start(world.clone(), wiring, catalogue)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            world,
            ends,
            runtime,
            _machine: machine,
        })
    }

    /// Makes what is missing of so many pipelines and finished executions.
    pub(crate) fn up_to(&self, pipelines: usize, executions: usize) -> Result<(), Box<dyn Error>> {
        let (world, ends) = (self.world.clone(), Arc::clone(&self.ends));
        let filled = self
            .runtime
            .block_on(fill(world, ends, pipelines, executions));
        filled.map_err(|error| -> Box<dyn Error> { error })
    }
}

async fn fill(
    world: World,
    ends: Arc<Ends>,
    pipelines: usize,
    executions: usize,
) -> Result<(), Failure> {
    source(&world).await?;
    create(&world, five_actions(BUSY)).await?;
    for number in 0..STARTED {
        create(&world, one_question(&started(number))).await?;
    }
    let others = pipelines.saturating_sub(1 + STARTED).max(1);
    let names: Vec<String> = (0..others)
        .map(|number| format!("other-{number:04}"))
        .collect();
    for name in &names {
        create(&world, five_actions(name)).await?;
    }
    let mut lanes: JoinSet<Result<(), Failure>> = JoinSet::new();
    let half = executions / 2;
    let busy = (world.clone(), Arc::clone(&ends));
    lanes.spawn(async move { run(&busy.0, &busy.1, BUSY, half, BUSY_AT_A_TIME).await });
    let places = Arc::new(Semaphore::new(LANES));
    for (number, name) in names.into_iter().enumerate() {
        let share =
            (executions - half) / others + usize::from(number < (executions - half) % others);
        let (world, ends, places) = (world.clone(), Arc::clone(&ends), Arc::clone(&places));
        lanes.spawn(async move {
            let _place = places.acquire().await?;
            run(&world, &ends, &name, share, 1).await
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    Ok(())
}

/// Runs executions until the pipeline has that many, so many at a time.
async fn run(
    world: &World,
    ends: &Ends,
    pipeline: &str,
    count: usize,
    at_a_time: usize,
) -> Result<(), Failure> {
    let newest = world.pipelines.executions(pipeline, u64::MAX, 1).await?;
    let there = newest.first().map_or(0, |newest| newest.sequence);
    let missing = count.saturating_sub(usize::try_from(there)?);
    let places = ends.of(pipeline, at_a_time);
    for _ in 0..missing {
        // Whatever ends gives its place back.
        places.acquire().await?.forget();
        start(world, pipeline).await?;
    }
    let all = places.acquire_many(u32::try_from(at_a_time)?).await?;
    drop(all);
    Ok(())
}

/// Starts an execution; where many change the pipeline at once, somebody has to come again.
async fn start(world: &World, pipeline: &str) -> Result<(), Failure> {
    for _ in 0..STARTS_TRIED {
        let request = StartPipelineExecution {
            pipeline: pipeline.to_owned(),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: "arn:aws:iam::000000000000:user/fill".to_owned(),
            },
            variables: BTreeMap::new(),
            source_revisions: Vec::new(),
            client_request_token: None,
            by: Caller::owner("fill"),
        };
        match start_pipeline_execution(world, request).await {
            Ok(_) => return Ok(()),
            Err(OperationError::Busy) => sleep(BETWEEN_TRIES).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(format!("{pipeline} is too busy").into())
}

async fn create(world: &World, declaration: Value) -> Result<(), Failure> {
    let name = declaration["name"].as_str().unwrap_or_default();
    if world.pipelines.load(name, None).await?.is_some() {
        return Ok(());
    }
    create_pipeline(
        world,
        CreatePipeline {
            declaration: serde_json::from_value(declaration)?,
            tags: Vec::new(),
            starts: false,
            by: Caller::owner("fill"),
        },
    )
    .await?;
    Ok(())
}

/// The object that sources take.
async fn source(world: &World) -> Result<(), Failure> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), "an application")?;
    world.objects.create_bucket("sources").await?;
    let object = PutObject {
        bucket: "sources",
        key: "app.zip",
        from: file.path(),
        metadata: ports::objects::ObjectMetadata::default(),
        create_only: false,
    };
    world.objects.put(object).await?;
    Ok(())
}

fn action(name: &str, category: &str, provider: &str, inputs: &[&str], outputs: &[&str]) -> Value {
    let named =
        |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
    let configuration = match (category, provider) {
        ("Source", _) => json!({
            "S3Bucket": "sources", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false",
        }),
        ("Deploy", _) => json!({"BucketName": "site", "Extract": "true"}),
        ("Approval", _) => json!({}),
        _ => json!({"ProjectName": name}),
    };
    json!({
        "name": name,
        "actionTypeId": {
            "category": category, "owner": "AWS", "provider": provider, "version": "1"
        },
        "configuration": configuration,
        "inputArtifacts": named(inputs),
        "outputArtifacts": named(outputs),
    })
}

fn declaration(name: &str, mode: &str, stages: &[(&str, Vec<Value>)]) -> Value {
    let stages: Value = stages
        .iter()
        .map(|(name, actions)| json!({"name": name, "actions": actions}))
        .collect();
    json!({
        "name": name,
        "pipelineType": "V2",
        "executionMode": mode,
        "roleArn": "arn:aws:iam::000000000000:role/pipewright",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": stages,
    })
}

/// A source, two in parallel, one, a deployment.
fn five_actions(name: &str) -> Value {
    let stages = [
        (
            "Source",
            vec![action("source", "Source", "S3", &[], &["App"])],
        ),
        (
            "Check",
            vec![
                action("build", "Build", "CodeBuild", &["App"], &["Built"]),
                action("test", "Test", "CodeBuild", &["App"], &[]),
            ],
        ),
        (
            "Approve",
            vec![action("approve", "Test", "CodeBuild", &["Built"], &[])],
        ),
        (
            "Deploy",
            vec![action("deploy", "Deploy", "S3", &["Built"], &[])],
        ),
    ];
    declaration(name, "QUEUED", &stages)
}

/// A source, and a question that nobody answers: what comes next supersedes what waits.
fn one_question(name: &str) -> Value {
    let stages = [
        (
            "Source",
            vec![action("source", "Source", "S3", &[], &["App"])],
        ),
        ("Ask", vec![action("ask", "Approval", "Manual", &[], &[])]),
    ];
    declaration(name, "SUPERSEDED", &stages)
}

/// Who waits for the end of executions; the bus of this world, which listens for ends alone.
#[derive(Default)]
struct Ends(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Ends {
    /// The places of a pipeline, of which each execution that ends gives one back.
    fn of(&self, pipeline: &str, places: usize) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Semaphore::new(places));
        Arc::clone(all.entry(pipeline.to_owned()).or_insert_with(made))
    }
}

#[async_trait]
impl EventBus for Ends {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            let ended = matches!(
                &change.subject,
                Subject::Pipeline { state, .. } if *state != EventState::Started
            );
            if ended {
                self.of(&change.pipeline, 0).add_permits(1);
            }
        }
        Ok(())
    }

    async fn ask(&self, _: &ApprovalRequest) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A provider whose work is done at once.
struct Idle;

#[async_trait]
impl Provider for Idle {
    async fn start(&self, _: &World, _: &Job) -> Progress {
        Progress::Done(ActionResult::Succeeded(ActionOutput::default()))
    }

    async fn poll(&self, world: &World, job: &Job) -> Progress {
        self.start(world, job).await
    }

    async fn stop(&self, _: &World, _: &Job) {}
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
