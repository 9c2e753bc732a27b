//! A provider that works as long as chance says: it succeeds, fails, hangs, forgets, and lies.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use model::{
    ActionCategory, ActionOutput, Input, Job, Timestamp,
    job::{ActionResult, ErrorDetails},
    state::SourceRevision,
};
use ports::World;
use providers::{Progress, Provider};
use uuid::Uuid;

use crate::{messages::Message, scheduler::Shared};

pub(crate) struct Scripted {
    shared: Shared,
    runs: Mutex<BTreeMap<Uuid, Run>>,
}

#[derive(Clone)]
struct Run {
    ends: Timestamp,
    succeeds: bool,
}

impl Scripted {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            runs: Mutex::default(),
        }
    }

    fn go_on(&self, job: &Job) -> Progress {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.shared.lock();
        let faults = state.faults.clone();
        if state.chance.happens(faults.forget) {
            runs.remove(&job.action_execution_id);
        }
        if state.chance.happens(faults.lie) {
            lie(&mut state, job);
        }
        let now = state.now;
        let run = runs.entry(job.action_execution_id).or_insert_with(|| {
            let hangs = state.chance.happens(faults.hang);
            let minutes = if hangs {
                100_000
            } else {
                state.chance.between(0, 25)
            };
            Run {
                ends: Timestamp(now.0 + minutes * 60_000),
                succeeds: !state.chance.happens(120),
            }
        });
        if run.ends > now {
            let left = u64::try_from(run.ends.0 - now.0).unwrap_or(0);
            return Progress::Running {
                output: output(job),
                ask_again: Duration::from_millis(left.min(3_600_000)),
            };
        }
        let output = output(job);
        Progress::Done(if run.succeeds {
            ActionResult::Succeeded(output)
        } else {
            let error = ErrorDetails::job_failed("exit 1");
            ActionResult::Failed { error, output }
        })
    }
}

/// Reports with a token that nobody was given, or for another attempt.
fn lie(state: &mut crate::scheduler::State, job: &Job) {
    let mut key = job.key.clone();
    if state.chance.happens(500) {
        key.token = Uuid::from_u128(666);
    } else {
        key.attempt += 1;
    }
    let output = ActionOutput {
        summary: Some("forged".to_owned()),
        ..ActionOutput::default()
    };
    let result = ActionResult::Succeeded(output);
    let input = Input::ActionFinished { key, result };
    let pipeline = job.key.pipeline.clone();
    state.oracle.sometimes("a worker lied");
    state.send(
        0,
        &Message::Input {
            pipeline,
            input: Box::new(input),
        },
    );
}

/// What is reported names the attempt that it is of.
fn output(job: &Job) -> ActionOutput {
    let is_source = job.action_type.category == ActionCategory::Source;
    ActionOutput {
        summary: Some(job.action_execution_id.to_string()),
        revision: is_source.then(|| SourceRevision {
            revision_id: format!("v{}", job.key.attempt),
            revision_summary: None,
            revision_url: None,
            revision_change_identifier: None,
            created: None,
        }),
        ..ActionOutput::default()
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn start(&self, _: &World, job: &Job) -> Progress {
        self.shared.pause().await;
        self.go_on(job)
    }

    async fn poll(&self, _: &World, job: &Job) -> Progress {
        self.shared.pause().await;
        self.go_on(job)
    }

    async fn stop(&self, _: &World, job: &Job) {
        self.shared.pause().await;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&job.action_execution_id);
    }
}
