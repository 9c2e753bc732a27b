//! The function as Lambda calls it: with a batch of jobs from the queue, with the news of a build's
//! task, by the schedule that looks at open builds, and by hand with an [`Event`].

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws::{
    Batch, Handled, Telemetry, Until,
    telemetry::{Level, Unit, chain},
};
use model::{AttemptKey, Job};
use operations::codebuild::{CodeBuild, CodeBuildError, open_builds, settle};
use ports::{StoreError, World};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::{Event, Reply, Worker, WorkerError};

/// A job that began longer ago than this was offered again by the sweep, which will offer it once
/// more: it needs nobody else who asks for it again and again.
const FRESH: Duration = Duration::from_secs(90);

/// A job is begun only with so much time left: what Lambda ends half way is begun again later, and
/// takes what stands beside it along.
const BEGUN_WITH: Duration = Duration::from_secs(20);

/// How many open builds are read at once.
const PAGE: usize = 100;

/// Tells the worker to look at a job again.
#[async_trait]
pub trait Reminder: Send + Sync {
    /// Whether it will be told; not when that has been done too often.
    async fn look_again(&self, job: &Job, hops: u32, pause: Duration) -> Result<bool, StoreError>;
}

#[async_trait]
impl Reminder for aws::Queues {
    async fn look_again(&self, job: &Job, hops: u32, pause: Duration) -> Result<bool, StoreError> {
        self.look_again(job, hops, pause).await
    }
}

/// The function with what it needs.
pub struct Function {
    pub world: World,
    pub worker: Worker,
    pub reminder: Arc<dyn Reminder>,
    pub codebuild: CodeBuild,
    pub telemetry: Telemetry,
    /// When the call that is handled now is over.
    pub until: Until,
}

/// A message of the queue of jobs.
#[derive(Deserialize)]
struct Told {
    #[serde(flatten)]
    what: What,
    /// How often the worker told itself before.
    #[serde(default)]
    hops: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum What {
    Offered(Arc<Job>),
    Due(Arc<Job>),
    Cancelled(AttemptKey),
    /// The build of that id has news.
    Wake(String),
    /// Look at every open build.
    Settle(bool),
}

/// `ECS Task State Change`, as much of it as matters.
#[derive(Deserialize)]
struct TaskChanged {
    detail: Task,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    /// The id of the build that the task was started for.
    started_by: Option<String>,
}

/// Why something that the function was told was not done.
#[derive(Debug, Error)]
pub enum Undone {
    #[error("the message cannot be read")]
    Unread(#[from] serde_json::Error),
    #[error("the function's time is over; it is tried again with the next call")]
    NoTime,
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error("failed to look for the job of a build, or to ask for it again")]
    Store(#[from] StoreError),
    #[error("failed to bring a build to its end")]
    Build(#[from] CodeBuildError),
}

impl Function {
    /// Handles one call; an error fails it, and Lambda tries again.
    pub async fn handle(&self, event: Value) -> Handled {
        if event.get("Records").is_some() {
            let batch = Batch::read(event)?;
            let failed = self.messages(&batch).await;
            return Ok(batch.response(&failed));
        }
        if event.get("detail-type").is_some() {
            let changed: TaskChanged = serde_json::from_value(event)?;
            // A task that somebody else started in our cluster is none of ours.
            if let Some(build) = changed.detail.started_by {
                self.wake(&build).await?;
            }
            return Ok(Value::Null);
        }
        let told: Told = serde_json::from_value(event)?;
        self.take(told).await?;
        Ok(Value::Null)
    }

    /// Says which messages failed.
    async fn messages(&self, batch: &Batch) -> HashSet<usize> {
        let mut failed = HashSet::new();
        for (place, message) in batch.messages.iter().enumerate() {
            let done = match serde_json::from_str::<Told>(&message.body) {
                Ok(told) => self.take(told).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = done {
                failed.insert(place);
                let id = json!(message.id);
                let fields = [("message_id", id), ("error", json!(chain(&error)))];
                self.telemetry
                    .log(Level::Error, "a message was not handled", fields);
            }
        }
        failed
    }

    async fn take(&self, told: Told) -> Result<(), Undone> {
        if !self.until.has_time(self.world.clock.now()) {
            return Err(Undone::NoTime);
        }
        match told.what {
            What::Offered(_) if !self.until.leaves(self.world.clock.now(), BEGUN_WITH) => {
                Err(Undone::NoTime)
            }
            What::Offered(job) => {
                let waited = self.since(&job);
                let reply = self.worker.handle(Event::Offered(Arc::clone(&job))).await?;
                if reply == Reply::Elsewhere {
                    return Ok(());
                }
                self.tell(&job, reply, Some(waited));
                if waited <= FRESH {
                    self.go_on(&job, told.hops, reply).await?;
                }
                Ok(())
            }
            What::Due(job) => {
                let reply = self.worker.handle(Event::Due(Arc::clone(&job))).await?;
                self.tell(&job, reply, None);
                self.go_on(&job, told.hops, reply).await
            }
            What::Cancelled(key) => {
                self.worker.handle(Event::Cancelled(key)).await?;
                Ok(())
            }
            What::Wake(build) => self.wake(&build).await,
            What::Settle(is_wanted) if is_wanted => self.settle().await,
            What::Settle(_) => Ok(()),
        }
    }

    /// Sees to it that the worker looks at a job again that is not done.
    async fn go_on(&self, job: &Job, hops: u32, reply: Reply) -> Result<(), Undone> {
        let Reply::AskAgain(pause) = reply else {
            return Ok(());
        };
        if !self.reminder.look_again(job, hops, pause).await? {
            let message = "a job was looked at too often; the sweep goes on with it";
            self.telemetry.log(
                Level::Warning,
                message,
                [
                    ("pipeline", json!(job.key.pipeline)),
                    ("execution_id", json!(job.key.execution.to_string())),
                    ("stage", json!(job.key.stage)),
                    ("action", json!(job.key.action)),
                ],
            );
        }
        Ok(())
    }

    /// A build has news: its job is looked at, or, where it has none, the build itself.
    async fn wake(&self, build: &str) -> Result<(), Undone> {
        let Ok(id) = Uuid::parse_str(build) else {
            return Ok(());
        };
        // The first open job behind the id before it is the one with this id, if it is open.
        let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
        let jobs = self.world.pipelines.open_jobs(Some(before), 1).await?;
        let job = jobs.first().filter(|job| job.action_execution_id == id);
        if let Some(job) = job {
            let reply = self.worker.handle(Event::Due(Arc::clone(job))).await?;
            self.tell(job, reply, None);
        }
        let record = self.codebuild.builds.build(build).await?;
        if let Some(record) = record.filter(|record| record.end.is_none()) {
            settle(&self.codebuild, &record).await?;
        }
        Ok(())
    }

    /// Brings every open build on its way; one that cannot go on holds no other up.
    async fn settle(&self) -> Result<(), Undone> {
        let (mut after, mut failed) = (0, None);
        loop {
            let open = open_builds(&self.codebuild, after, PAGE).await?;
            let Some(last) = open.last() else {
                return failed.map_or(Ok(()), |error: CodeBuildError| Err(error.into()));
            };
            after = last.place;
            for record in open {
                if !self.until.has_time(self.world.clock.now()) {
                    return Err(Undone::NoTime);
                }
                if let Err(error) = settle(&self.codebuild, &record).await {
                    let fields = [("build", json!(record.id)), ("error", json!(chain(&error)))];
                    self.telemetry
                        .log(Level::Warning, "a build cannot go on", fields);
                    failed = Some(error);
                }
            }
        }
    }

    /// How long ago the job began.
    fn since(&self, job: &Job) -> Duration {
        let millis = self.world.clock.now().0.saturating_sub(job.started.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    fn tell(&self, job: &Job, reply: Reply, waited: Option<Duration>) {
        let fields = [
            ("pipeline", json!(job.key.pipeline)),
            ("execution_id", json!(job.key.execution.to_string())),
            ("correlation_id", json!(job.key.execution.to_string())),
            ("stage", json!(job.key.stage)),
            ("action", json!(job.key.action)),
            ("attempt", json!(job.key.attempt)),
            ("done", json!(reply == Reply::Done)),
        ];
        let Some(waited) = waited.filter(|waited| *waited <= FRESH) else {
            return self
                .telemetry
                .log(Level::Info, "a job was looked at", fields);
        };
        let dimensions = [
            ("Pipeline", job.key.pipeline.as_str()),
            ("Stage", &job.key.stage),
            ("Provider", &job.action_type.provider),
        ];
        let millis = waited.as_secs_f64() * 1_000.0;
        let metrics = [("ActionQueueMs", Unit::Milliseconds, millis)];
        self.telemetry
            .metrics("a job was begun", &dimensions, &metrics, fields);
    }
}
