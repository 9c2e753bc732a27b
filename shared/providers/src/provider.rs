//! What every action provider can do.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use model::{
    ActionOutput, Job,
    job::{ActionResult, ErrorDetails},
};
use ports::World;

/// Runs the actions of one type.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Whether an action with this configuration, in which no reference is left, could begin at all:
    /// what can be told without a world.
    fn check(&self, _configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        Ok(())
    }

    /// Begins the job, or finds it running: the same job may be offered again after a crash.
    async fn start(&self, world: &World, job: &Job) -> Progress;

    /// Says how a running job goes on.
    async fn poll(&self, world: &World, job: &Job) -> Progress;

    /// Ends a job whose result no longer counts.
    async fn stop(&self, world: &World, job: &Job);
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Done(ActionResult),
    Running {
        /// What is known so far.
        output: ActionOutput,
        /// When to ask again, unless something wakes the worker before.
        ask_again: Duration,
    },
}

impl Progress {
    /// The end of a job that failed before it had anything to show.
    pub fn failed(error: ErrorDetails) -> Self {
        Self::Done(ActionResult::Failed {
            error,
            output: ActionOutput::default(),
        })
    }
}

impl From<Result<ActionOutput, ErrorDetails>> for Progress {
    fn from(result: Result<ActionOutput, ErrorDetails>) -> Self {
        match result {
            Ok(output) => Self::Done(ActionResult::Succeeded(output)),
            Err(error) => Self::failed(error),
        }
    }
}
