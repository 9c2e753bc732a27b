//! The largest pipeline that CodePipeline allows, with as many live executions as it can have: every
//! item and every commit stay within what DynamoDB takes (DESIGN §4).

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ActionCategory, ActionDeclaration, ActionOutput, Effect, ExecutionId, Input, Job,
    PipelineDeclaration, PipelineState,
    declaration::{ExecutionMode, PipelineVariableDeclaration},
    input::Start,
    job::ActionResult,
    state::{RevisionType, SourceRevision, SourceRevisionOverride, Trigger, TriggerType},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    declare::{action, pipeline, plain_stage},
    oracle::Watched,
    transcript::BEGINNING,
};

const ITEM_BYTES_MAX: usize = 400 * 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;
const ORDINARY_HEAD_BYTES_MAX: usize = 4 * 1024;
const COMMIT_ITEMS_MAX: usize = 100;
/// Besides the head, executions, definition and attempts: the journal entry with the outbox, and
/// the request token.
const OTHER_ITEMS: usize = 2;

const WEIGHED_EVERY: usize = 50;

const STAGES: usize = 50;
const SOURCES: usize = 100;
const ACTIONS: usize = 1_000;

/// Somebody with the longest ARN that an assumed role can have.
fn somebody() -> String {
    format!(
        "arn:aws:sts::111122223333:assumed-role/{}/{}",
        "r".repeat(64),
        "s".repeat(64)
    )
}

fn long(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:0>width$}", width = 100 - prefix.len())
}

/// 50 stages and 1,000 actions, all in parallel: 100 sources, the others spread.
fn largest(mode: ExecutionMode) -> PipelineDeclaration {
    let rest = (ACTIONS - SOURCES) / (STAGES - 1);
    let stage = |at: usize| {
        let count = if at == 0 { SOURCES } else { rest };
        let one = |number| act(at, number);
        plain_stage(&long("stage", at), (0..count).map(one).collect())
    };
    let mut declaration = pipeline((0..STAGES).map(stage).collect());
    declaration.name = "p".repeat(100);
    declaration.execution_mode = mode;
    let variable = |number| PipelineVariableDeclaration {
        name: format!("{number:0>128}"),
        default_value: Some("v".repeat(800)),
        description: None,
    };
    declaration.variables = (0..50).map(variable).collect();
    declaration
}

fn act(at: usize, number: usize) -> ActionDeclaration {
    let name = long("action", at * 100 + number);
    if at == 0 {
        return action(&name, ActionCategory::Source, "S3", 1);
    }
    let mut action = action(&name, ActionCategory::Build, "CodeBuild", 1);
    action
        .configuration
        .insert("EnvironmentVariables".into(), "e".repeat(1_000));
    action
}

struct Crowd {
    watched: Watched,
    jobs: Vec<Job>,
    started: u128,
    commits: usize,
    largest_head: usize,
    largest_execution: usize,
    most_items: usize,
}

impl Crowd {
    fn new(declaration: PipelineDeclaration) -> Self {
        let mut crowd = Self {
            watched: Watched::new(BEGINNING),
            jobs: Vec::new(),
            started: 0,
            commits: 0,
            largest_head: 0,
            largest_execution: 0,
            most_items: 0,
        };
        crowd.define(declaration);
        crowd
    }

    fn define(&mut self, declaration: PipelineDeclaration) {
        let declaration = Arc::new(declaration);
        self.apply(&Input::DefinitionChanged { declaration });
    }

    fn start(&mut self) {
        self.started += 1;
        let of = |number| SourceRevisionOverride {
            action_name: long("action", number),
            revision_type: RevisionType::S3ObjectVersionId,
            revision_value: "r".repeat(900),
        };
        let start = Start {
            execution: ExecutionId(Uuid::from_u128(u128::MAX - self.started)),
            secret: Uuid::from_u128(u128::MAX / 3 - self.started),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: somebody(),
            },
            variables: BTreeMap::new(),
            overrides: (0..50).map(of).collect(),
        };
        self.apply(&Input::Start(Box::new(start)));
    }

    fn start_plainly(&mut self) {
        self.started += 1;
        let start = Start {
            execution: ExecutionId(Uuid::from_u128(u128::MAX - self.started)),
            secret: Uuid::from_u128(self.started),
            trigger: Trigger {
                kind: TriggerType::CloudWatchEvent,
                detail: "rule".to_owned(),
            },
            variables: BTreeMap::new(),
            overrides: Vec::new(),
        };
        self.apply(&Input::Start(Box::new(start)));
    }

    /// Reports every job that is open, with all that a worker can tell.
    fn finish_all(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            let revision = SourceRevision {
                revision_id: "i".repeat(300),
                revision_summary: Some("s".repeat(2_048)),
                revision_url: Some("u".repeat(2_048)),
                revision_change_identifier: None,
                created: Some(BEGINNING),
            };
            let is_source = job.action_type.category == ActionCategory::Source;
            let output = ActionOutput {
                revision: is_source.then_some(revision),
                ..ActionOutput::default()
            };
            let result = ActionResult::Succeeded(output);
            self.apply(&Input::ActionFinished {
                key: job.key,
                result,
            });
        }
    }

    fn set_transition(&mut self, stage: usize, enabled: bool) {
        let stage = long("stage", stage);
        let reason = Some("r".repeat(300));
        self.apply(&Input::TransitionSet {
            stage,
            enabled,
            reason,
            by: somebody(),
        });
    }

    fn settle(&mut self) {
        while self.watched.state.head.unsettled {
            self.apply(&Input::Tick);
        }
    }

    /// One step, one commit, measured.
    fn apply(&mut self, input: &Input) {
        let before = self.watched.state.clone();
        let effects = self
            .watched
            .step_unwatched(input)
            .expect("nothing here is rejected");
        self.measure(&before, &effects);
        for effect in effects {
            if let Effect::Dispatch(job) = effect {
                self.jobs.push(*job);
            }
        }
    }

    fn measure(&mut self, before: &PipelineState, effects: &[Effect]) {
        let after = &self.watched.state;
        self.largest_head = self.largest_head.max(bytes(&after.head));
        let touched = after
            .executions
            .iter()
            .chain(&self.watched.ended)
            .filter(|(id, now)| {
                let was = before.executions.get(id);
                was.is_some_and(|was| !Arc::ptr_eq(was, now))
                    || (was.is_none() && after.executions.contains_key(id))
            });
        let mut executions = 0;
        self.commits += 1;
        for (_, execution) in touched {
            executions += 1;
            // Executions grow by little and end large: not every commit need be weighed.
            if !execution.is_live() || self.commits.is_multiple_of(WEIGHED_EVERY) {
                self.largest_execution = self.largest_execution.max(bytes(execution));
            }
        }
        let mut attempts = std::collections::BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Dispatch(job) | Effect::Ask(job) | Effect::Refuse(job) => {
                    attempts.insert(job.action_execution_id);
                    let size = bytes(job);
                    assert!(size <= ITEM_BYTES_MAX, "a job of {size} bytes");
                }
                Effect::Record(update) => {
                    attempts.insert(update.action_execution_id);
                }
                Effect::Cancel(_) | Effect::Announce(_) => {}
            }
        }
        let definition = usize::from(after.head.definition != before.head.definition);
        let items = 1 + executions + definition + attempts.len() + OTHER_ITEMS;
        self.most_items = self.most_items.max(items);
    }

    fn check(&self) {
        let Self {
            largest_head: head,
            largest_execution: execution,
            most_items: items,
            ..
        } = self;
        assert!(*head <= HEAD_BYTES_MAX, "a head of {head} bytes");
        assert!(
            *execution <= ITEM_BYTES_MAX,
            "an execution of {execution} bytes"
        );
        assert!(*items <= COMMIT_ITEMS_MAX, "a commit of {items} items");
    }
}

fn bytes(item: &impl Serialize) -> usize {
    serde_json::to_string(item).expect("it serialises").len()
}

#[test]
fn one_execution_of_the_largest_pipeline_fits_into_its_item() {
    let mut crowd = Crowd::new(largest(ExecutionMode::Superseded));
    crowd.start();
    while !crowd.watched.state.executions.is_empty() {
        crowd.settle();
        crowd.finish_all();
    }
    let execution = crowd
        .watched
        .ended
        .values()
        .next()
        .expect("it was put away");
    let actions: usize = execution
        .stages
        .values()
        .map(|stage| stage.actions.len())
        .sum();
    assert!(actions > 980, "all of its actions ran: {actions}");
    crowd.check();
    assert!(
        crowd.largest_execution > ITEM_BYTES_MAX / 2,
        "this is a large one"
    );
}

#[test]
fn a_full_superseding_pipeline_is_cancelled_in_commits_that_fit() {
    let mut declaration = largest(ExecutionMode::Superseded);
    for stage in &mut declaration.stages {
        stage.actions.truncate(1);
    }
    let mut crowd = Crowd::new(declaration.clone());
    // One inside each stage and one at each door: the last stages fill first.
    for stage in (0..STAGES).rev() {
        for _ in 0..2 {
            let inside = std::mem::take(&mut crowd.jobs);
            crowd.start_plainly();
            for _ in 0..stage {
                crowd.finish_all();
            }
            crowd.jobs.extend(inside);
        }
        crowd.set_transition(stage, false);
    }
    assert_eq!(crowd.watched.state.executions.len(), 2 * STAGES);
    crowd.define(declaration);
    crowd.settle();
    crowd.finish_all();
    assert!(
        crowd.watched.state.executions.is_empty(),
        "all are cancelled"
    );
    crowd.check();
}

#[test]
fn fifty_parallel_executions_are_let_go_in_commits_that_fit() {
    let mut crowd = Crowd::new(largest(ExecutionMode::Parallel));
    crowd.set_transition(0, false);
    for _ in 0..50 {
        crowd.start();
    }
    crowd.set_transition(0, true);
    crowd.settle();
    crowd.watched.now = crowd.watched.now.plus(std::time::Duration::from_hours(2));
    crowd.apply(&Input::Tick);
    crowd.settle();
    crowd.check();
    assert!(crowd.most_items > COMMIT_ITEMS_MAX / 2, "this is a crowd");
}

#[test]
fn an_ordinary_head_is_small() {
    let stage = |at| plain_stage(&format!("Stage-{at}"), vec![act(1, at)]);
    let mut declaration = pipeline((0..6).map(stage).collect());
    declaration.execution_mode = ExecutionMode::Queued;
    let mut crowd = Crowd::new(declaration);
    for _ in 0..12 {
        crowd.start_plainly();
        crowd.finish_all();
    }
    let stage = "Stage-3".to_owned();
    let (reason, by) = (Some("the database moves".to_owned()), somebody());
    crowd.apply(&Input::TransitionSet {
        stage,
        enabled: false,
        reason,
        by,
    });
    assert!(
        crowd.largest_head <= ORDINARY_HEAD_BYTES_MAX,
        "{} bytes",
        crowd.largest_head
    );
}
