//! Takes a job, runs its provider, reports the outcome.
//!
//! A message is a hint: a job that is no longer open is dropped, one that is running already is
//! found again by its provider, and whatever a provider does wrong ends at this edge.

#[cfg(feature = "lambda")]
pub mod lambda;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use model::{ActionOutput, AttemptKey, Input, Job, job::ErrorDetails};
use ports::{StoreError, World, store::Claim};
use providers::{Catalogue, Progress, fit, fit_output};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A worker with what it needs.
pub struct Worker {
    world: World,
    catalogue: Catalogue,
}

/// What a worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// Here is a job to begin.
    Offered(Arc<Job>),
    /// It is time to ask the provider of a running job again.
    Due(Arc<Job>),
    /// The attempt no longer counts: end its work.
    Cancelled(AttemptKey),
}

/// What the worker wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Done,
    /// Another worker has the job in hand; nothing was done.
    Elsewhere,
    /// Send [`Event::Due`] after this long.
    AskAgain(Duration),
}

#[derive(Debug, Error)]
pub enum WorkerError {
    /// Nothing is lost: the job is still open, and whoever offers it again finds it.
    #[error("failed to reach the pipeline of a job")]
    Store(#[from] StoreError),
}

impl Worker {
    pub fn new(world: World, catalogue: Catalogue) -> Self {
        Self { world, catalogue }
    }

    /// Handles one event. It may be repeated after an error.
    pub async fn handle(&self, event: Event) -> Result<Reply, WorkerError> {
        match event {
            Event::Offered(job) => self.begin(&job).await,
            Event::Due(job) if self.world.pipelines.is_open(&job.key).await? => {
                self.go_on(&job, Step::Poll).await
            }
            Event::Due(_) => Ok(Reply::Done),
            Event::Cancelled(key) => self.cancel(&key).await,
        }
    }

    async fn begin(&self, job: &Job) -> Result<Reply, WorkerError> {
        match self.world.pipelines.claim(job).await? {
            Claim::Closed => Ok(Reply::Done),
            Claim::Elsewhere => Ok(Reply::Elsewhere),
            Claim::Taken => {
                let reply = self.go_on(job, Step::Start).await;
                // What cannot be released now is free when this call's time is over.
                let _ = self.world.pipelines.release(job).await;
                reply
            }
        }
    }

    async fn go_on(&self, job: &Job, step: Step) -> Result<Reply, WorkerError> {
        match self.ask_provider(job, step).await {
            Progress::Done(result) => {
                let input = Input::ActionFinished {
                    key: job.key.clone(),
                    result: fit(result),
                };
                self.world.queues.send(&job.key.pipeline, input).await?;
                Ok(Reply::Done)
            }
            Progress::Running { output, ask_again } => {
                // What a provider says at the start is kept, so that people can follow its link;
                // later only what moves is worth a commit.
                let is_news = step == Step::Start || output.percent_complete.is_some();
                if is_news && output != ActionOutput::default() {
                    let input = Input::ActionProgressed {
                        key: job.key.clone(),
                        output: fit_output(output),
                    };
                    self.world.queues.send(&job.key.pipeline, input).await?;
                }
                if step == Step::Start && !self.world.pipelines.is_open(&job.key).await? {
                    // The order to end it came before there was anything to end.
                    return self.cancel(&job.key).await;
                }
                Ok(Reply::AskAgain(ask_again))
            }
        }
    }

    async fn ask_provider(&self, job: &Job, step: Step) -> Progress {
        let provider = match self.catalogue.find(&job.action_type) {
            Ok(provider) => provider,
            Err(error) => return Progress::failed(error),
        };
        let asked = match step {
            Step::Start => provider.start(&self.world, job),
            Step::Poll => provider.poll(&self.world, job),
        };
        AssertUnwindSafe(asked)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                let name = &job.action_type.provider;
                Progress::failed(ErrorDetails::system(format!(
                    "provider `{name}` failed unexpectedly"
                )))
            })
    }

    async fn cancel(&self, key: &AttemptKey) -> Result<Reply, WorkerError> {
        let of_execution = self
            .world
            .pipelines
            .action_executions(&key.pipeline, key.execution)
            .await?;
        let record = of_execution.iter().find(|record| record.job.key == *key);
        if let Some(record) = record
            && let Ok(provider) = self.catalogue.find(&record.job.action_type)
        {
            let stopped = provider.stop(&self.world, &record.job);
            // A provider that fails here leaves work that its own timeout ends.
            let _ = AssertUnwindSafe(stopped).catch_unwind().await;
        }
        Ok(Reply::Done)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Poll,
}
