//! Builds on ECS: each is one task of its own, in which the agent asks the API what to do.
//!
//! * [`Builds`] is the port: it starts a task, looks at it, ends it.
//! * `record`: what is kept of a build in the table; `agents` serves the API from it.
//! * `task`: what is asked of ECS; `image`: task definitions for images of projects.
//! * `over`: the report of a build whose agent made none.
//!
//! **At most one task for an attempt.** The record comes first, and names no task. `RunTask` has the
//! build's id as its client token and as `startedBy`; when its answer is lost, tasks are listed by
//! that before it is sent again, and a client token that was used already names the task that it
//! started. A task that comes up beside the recorded one is stopped.
//!
//! **Nothing that passes fails a build.** No capacity, throttling and lost answers leave the record
//! without a task: the build counts as unknown, and whoever asks for it orders it again.
//!
//! A build is over when its report is in the record. The agent's comes through the API; for a task
//! that stopped without one, a report is made here, and the first of the two stays.

mod agents;
mod image;
mod over;
mod record;
mod task;

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::build::{BuildKind, BuildOrder, BuildPhase, BuildReport, BuildState};
use ports::{BuildRunner, Clock, Random, StoreError, builds::BuildError};
use sha2::{Digest, Sha256};

use crate::{Clients, Settings, SettingsError, SystemRandom, Table};

pub use agents::Agents;
pub(crate) use record::stream_of;
use record::{Record, Records};
use task::{Began, Looked, Tasks};

/// For how long capacity is waited for.
const CAPACITY_WITHIN: Duration = Duration::from_hours(1);

/// How long a task may take until its agent runs: the image is fetched in this time.
const BEGIN_WITHIN: Duration = Duration::from_mins(30);

/// How long an agent may be silent; it speaks every thirty seconds.
const SILENT_AT_MOST: Duration = Duration::from_mins(10);

/// How long ECS may not know a task that it started.
const UNKNOWN_AT_MOST: Duration = Duration::from_mins(2);

/// How long after its task a report may still be on its way.
const REPORT_GRACE: Duration = Duration::from_secs(10);

/// How many tokens count at once: those of orders whose answers were lost.
const TOKENS_MAX: usize = 4;

/// Runs builds as tasks of ECS.
#[derive(Clone)]
pub struct Builds {
    records: Records,
    tasks: Tasks,
    clock: Arc<dyn Clock>,
}

impl Builds {
    /// A runner for the cluster that the function's environment names.
    pub fn new(
        clients: &Clients,
        settings: &Settings,
        table: Table,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            records: Records::new(table, settings)?,
            tasks: Tasks::new(clients, settings)?,
            clock,
        })
    }

    /// Checks an order as far as that is possible before anything is done.
    fn admit(order: &BuildOrder) -> Result<(), BuildError> {
        if uuid::Uuid::try_parse(&order.id).is_err() {
            let text = format!("`{}` is no build id", order.id);
            return Err(BuildError::Refused(text));
        }
        if matches!(order.what, BuildKind::Commands { .. }) && order.inputs.is_empty() {
            return Err(BuildError::Refused("commands have an input".to_owned()));
        }
        match order.image() {
            Some(name) if !image::is_image_name(name) => {
                Err(BuildError::Refused(format!("`{name}` names no image")))
            }
            _ => Ok(()),
        }
    }

    /// The build's record; it is made where there is none.
    async fn record(&self, order: &BuildOrder) -> Result<Record, StoreError> {
        match self.records.begin(order, self.clock.now()).await {
            Ok(record) => Ok(record),
            // Another one was faster, or this one's answer was lost.
            Err(StoreError::Conflict) => {
                let record = self.records.find(&order.id).await?;
                record.ok_or(StoreError::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    async fn go_on(&self, order: &BuildOrder) -> Result<(), Trouble> {
        let record = self.record(order).await?;
        if record.report.is_some() || record.task.is_some() {
            return Ok(());
        }
        let image = match order.image().filter(|name| !image::is_ours(name)) {
            Some(name) => Some(self.tasks.definition_for(name).await?),
            None => None,
        };
        let began = match self.tasks.find(&order.id).await? {
            Some(task) => Began::Task(task),
            None if record.is_stopping => {
                let report = over::stopped(&record, self.clock.now());
                self.records.end(&order.id, &report).await?;
                return Ok(());
            }
            None => self.run(order, &record, image).await?,
        };
        match began {
            Began::Task(task) => self.attach(&order.id, &task).await,
            Began::Lost => Ok(()),
            Began::NoCapacity(why) => {
                // An order before this one whose answer was lost may have begun a task; it keeps its
                // token, and the next order keeps the name under which ECS knows it.
                if record.tokens.is_empty() {
                    self.records.turn(&record).await?;
                }
                if self.clock.now().since(record.started) < CAPACITY_WITHIN {
                    return Ok(());
                }
                Err(Trouble::Refused(format!(
                    "no task could be started for an hour: {why}"
                )))
            }
        }
    }

    async fn run(
        &self,
        order: &BuildOrder,
        record: &Record,
        image: Option<String>,
    ) -> Result<Began, Trouble> {
        let token = format!(
            "{}{}",
            SystemRandom.uuid().simple(),
            SystemRandom.uuid().simple()
        );
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut tokens = record.tokens.clone();
        tokens.push(digest);
        let surplus = tokens.len().saturating_sub(TOKENS_MAX);
        tokens.drain(..surplus);
        // Before a task may show it, the API knows it.
        self.records.admit(record, &tokens).await?;
        self.tasks.run(&order.id, record.turn, &token, image).await
    }

    /// Keeps which task the build's is; when it is over already, that task is nobody's.
    async fn attach(&self, id: &str, task: &str) -> Result<(), Trouble> {
        let attached = self.records.attach(id, task, self.clock.now()).await;
        if matches!(attached, Err(StoreError::Conflict)) {
            let known = self.records.find(id).await?;
            let is_ours = known.is_some_and(|known| known.task.as_deref() == Some(task));
            if !is_ours {
                let why = "the build is over, or has another task";
                self.tasks.stop(task, why).await?;
            }
            return Ok(());
        }
        attached?;
        let known = self.records.find(id).await?;
        if known.is_some_and(|known| known.is_stopping) {
            self.tasks.stop(task, "the build was stopped").await?;
        }
        Ok(())
    }

    async fn look(&self, id: &str) -> Result<BuildState, Trouble> {
        let Some(record) = self.records.find(id).await? else {
            return Ok(BuildState::Unknown);
        };
        if let Some(report) = record.report {
            return Ok(BuildState::Finished(Box::new(report)));
        }
        let now = self.clock.now();
        let Some(task) = &record.task else {
            if record.is_stopping && self.tasks.find(id).await?.is_none() {
                return self.end(id, over::stopped(&record, now)).await;
            }
            return Ok(BuildState::Unknown);
        };
        match self.tasks.look(task).await? {
            Looked::Unknown if now.since(record.attached) < UNKNOWN_AT_MOST => {
                Ok(BuildState::Running)
            }
            Looked::Unknown => self.end(id, over::forgotten(&record, now)).await,
            Looked::Beginning => {
                if now.since(record.attached) >= BEGIN_WITHIN {
                    let why = "its container did not begin within 30 minutes";
                    self.tasks.stop(task, why).await?;
                }
                Ok(BuildState::Running)
            }
            Looked::Running(since) => {
                let heard = record.told.max(since.unwrap_or(record.attached));
                if now.since(heard) >= SILENT_AT_MOST {
                    let why = "its agent was silent for 10 minutes";
                    self.tasks.stop(task, why).await?;
                }
                Ok(BuildState::Running)
            }
            Looked::Stopped(stopped) => {
                let at = stopped.at.unwrap_or(record.attached);
                if now.since(at) < REPORT_GRACE {
                    return Ok(BuildState::Running);
                }
                let report = over::stopped_by_itself(&record, &stopped, now);
                self.end(id, report).await
            }
        }
    }

    /// Ends a build with a report, or with the one that came before it.
    async fn end(&self, id: &str, report: BuildReport) -> Result<BuildState, Trouble> {
        match self.records.end(id, &report).await {
            Ok(()) => Ok(BuildState::Finished(Box::new(report))),
            Err(StoreError::Conflict) => {
                let report = self.records.find(id).await?.and_then(|it| it.report);
                Ok(report.map_or(BuildState::Running, |report| {
                    BuildState::Finished(Box::new(report))
                }))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn end_task(&self, id: &str) -> Result<(), Trouble> {
        let Some(record) = self.records.find(id).await? else {
            return Ok(());
        };
        if record.report.is_some() {
            return Ok(());
        }
        match self.records.stop(id).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let task = match record.task {
            Some(task) => Some(task),
            None => self.tasks.find(id).await?,
        };
        match task {
            Some(task) => self.tasks.stop(&task, "the build was stopped").await,
            None => Ok(()),
        }
    }
}

/// Why something did not work.
#[derive(Debug)]
enum Trouble {
    /// It will be no different the next time.
    Refused(String),
    /// It passes, or nobody knows what came of it.
    Passing(Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => Self::Refused(error.to_string()),
            error => Self::Passing(error.into()),
        }
    }
}

impl Trouble {
    fn into_error(self, doing: &str) -> BuildError {
        match self {
            Self::Refused(why) => BuildError::Refused(why),
            Self::Passing(source) => BuildError::System {
                doing: doing.to_owned(),
                source: io::Error::other(source),
            },
        }
    }
}

#[async_trait]
impl BuildRunner for Builds {
    /// An `Ok` says that the build runs or will: what passes is tried again by whoever asks for it.
    async fn start(&self, order: BuildOrder) -> Result<(), BuildError> {
        Self::admit(&order)?;
        match self.go_on(&order).await {
            Ok(()) | Err(Trouble::Passing(_)) => Ok(()),
            Err(Trouble::Refused(why)) => {
                let now = self.clock.now();
                if let Ok(Some(record)) = self.records.find(&order.id).await {
                    let report = over::refused(&record, &why, now);
                    // Where it cannot be written, the answer says it.
                    let _ = self.records.end(&order.id, &report).await;
                }
                Err(BuildError::Refused(why))
            }
        }
    }

    /// Running, too, while nobody can tell.
    async fn state(&self, id: &str) -> Result<BuildState, BuildError> {
        match self.look(id).await {
            Ok(state) => Ok(state),
            Err(Trouble::Passing(_)) => Ok(BuildState::Running),
            Err(refused) => Err(refused.into_error("look at a build")),
        }
    }

    async fn phases(&self, id: &str) -> Result<Vec<BuildPhase>, BuildError> {
        let found = self.records.find(id).await;
        let found = found.map_err(|error| Trouble::from(error).into_error("read a build"))?;
        let open = found.filter(|record| record.report.is_none());
        Ok(open.map_or_else(Vec::new, |record| record.phases))
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        let ended = self.end_task(id).await;
        ended.map_err(|trouble| trouble.into_error("stop a build"))
    }
}
