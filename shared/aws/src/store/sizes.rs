//! The largest pipeline that CodePipeline allows (spec 50), with as many live executions as it can
//! have: every item and every transaction stay within what DynamoDB takes, as they are really written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use model::{
    ActionCategory, ActionDeclaration, ActionOutput, Effect, ExecutionId, Input, Job,
    PipelineDeclaration, PipelineState, Timestamp,
    declaration::ExecutionMode,
    input::Start,
    job::ActionResult,
    state::{RevisionType, SourceRevision, SourceRevisionOverride, Trigger, TriggerType},
};
use ports::store::{Audit, Commit, Doer, Message};
use serde_json::json;
use uuid::Uuid;

use super::{
    commit::{Expiry, Plan},
    rows::Known,
};
use crate::table::{ITEM_BYTES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_ITEMS_MAX};

const STAGES: usize = 50;
const SOURCES: usize = 100;
const ACTIONS: usize = 1_000;
const EXECUTIONS: usize = 50;

/// The most bytes that the output variables of one action have together.
const OUTPUTS_BYTES: usize = 122_880;

const ORDINARY_HEAD_BYTES_MAX: usize = 4 * 1024;

/// Not every one of thousands of commits need be weighed: executions grow by little.
const WEIGHED_EVERY: usize = 40;

const BEGINNING: Timestamp = Timestamp(1_800_000_000_000);

/// Text that deflates as badly as names and ids do.
fn noise(seed: usize, bytes: usize) -> String {
    let mut chance = u64::try_from(seed).expect("small") + 1;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let _ = write!(text, "{:x}", chance >> 16);
    }
    text.truncate(bytes);
    text
}

fn long(prefix: &str, number: usize) -> String {
    format!("{prefix}{number}-{}", noise(number, 90 - prefix.len()))
}

fn action(at: usize, number: usize) -> ActionDeclaration {
    let name = long("action", at * 100 + number);
    let (category, provider) = if at == 0 {
        ("Source", "S3")
    } else {
        ("Build", "CodeBuild")
    };
    let type_id = json!({
        "category": category, "owner": "AWS", "provider": provider, "version": "1"
    });
    let mut action = json!({
        "name": name, "actionTypeId": type_id, "namespace": long("space", at * 100 + number),
    });
    if at > 0 {
        action["configuration"] = json!({ "ProjectName": noise(number, 150) });
    }
    serde_json::from_value(action).expect("it is an action")
}

/// 50 stages and 1,000 actions, as many of them side by side as there may be.
fn largest(mode: ExecutionMode) -> PipelineDeclaration {
    let rest = (ACTIONS - SOURCES) / (STAGES - 1);
    let stage = |at: usize| {
        let count = if at == 0 { SOURCES } else { rest };
        let actions: Vec<_> = (0..count).map(|number| action(at, number)).collect();
        json!({ "name": long("stage", at), "actions": actions })
    };
    let stages: Vec<_> = (0..STAGES).map(stage).collect();
    of_stages(&stages, mode)
}

fn of_stages(stages: &[serde_json::Value], mode: ExecutionMode) -> PipelineDeclaration {
    let declaration = json!({
        "name": "p".repeat(100), "roleArn": "arn:aws:iam::111122223333:role/r",
        "artifactStore": { "type": "S3", "location": "artifacts" },
        "pipelineType": "V2", "stages": stages,
    });
    let mut declaration: PipelineDeclaration =
        serde_json::from_value(declaration).expect("it is a pipeline");
    declaration.execution_mode = mode;
    declaration
}

/// A pipeline with all that goes on in it, and the largest of what its commits wrote.
struct Crowd {
    state: PipelineState,
    now: Timestamp,
    jobs: Vec<Job>,
    started: u128,
    commits: usize,
    ended: usize,
    outputs: BTreeMap<String, String>,
    head: usize,
    item: usize,
    items: usize,
    transaction: usize,
}

impl Crowd {
    fn new(declaration: PipelineDeclaration) -> Self {
        let mut crowd = Self {
            state: PipelineState::empty(&declaration.name),
            now: BEGINNING,
            jobs: Vec::new(),
            started: 0,
            commits: 0,
            ended: 0,
            outputs: BTreeMap::new(),
            head: 0,
            item: 0,
            items: 0,
            transaction: 0,
        };
        crowd.define(declaration);
        crowd
    }

    fn define(&mut self, declaration: PipelineDeclaration) {
        let declaration = Arc::new(declaration);
        self.apply(&Input::DefinitionChanged { declaration });
    }

    fn start(&mut self, overrides: usize) {
        self.started += 1;
        let of = |number| SourceRevisionOverride {
            action_name: long("action", number),
            revision_type: RevisionType::S3ObjectVersionId,
            revision_value: noise(number, 900),
        };
        let start = Start {
            execution: ExecutionId(Uuid::from_u128(u128::MAX - self.started)),
            secret: Uuid::from_u128(u128::MAX / 3 - self.started),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: noise(1, 190),
            },
            variables: BTreeMap::new(),
            overrides: (0..overrides).map(of).collect(),
        };
        self.apply(&Input::Start(Box::new(start)));
    }

    /// Reports every job that is open, with all that a worker can tell.
    fn finish_all(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            let seed = self.commits;
            let revision = SourceRevision {
                revision_id: noise(seed, 300),
                revision_summary: Some(noise(seed, 2_048)),
                revision_url: Some(noise(seed, 2_048)),
                revision_change_identifier: None,
                created: Some(BEGINNING),
            };
            let is_source = job.action_type.category == ActionCategory::Source;
            let output = ActionOutput {
                revision: is_source.then_some(revision),
                variables: Arc::new(self.outputs.clone()),
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
        self.apply(&Input::TransitionSet {
            stage: long("stage", stage),
            enabled,
            reason: Some(noise(stage, 300)),
            by: noise(2, 190),
        });
    }

    fn settle(&mut self) {
        while self.state.head.unsettled {
            self.apply(&Input::Tick);
        }
    }

    /// One step, one commit.
    fn apply(&mut self, input: &Input) {
        let before = self.state.clone();
        let effects = engine::step(&mut self.state, input, self.now);
        let commit = self.commit(&before, effects.expect("nothing here is rejected"));
        self.jobs
            .extend(commit.begun.iter().map(|(job, _)| Job::clone(job)));
        self.commits += 1;
        let ends = |id: &ExecutionId| !self.state.executions[id].is_live();
        let ended = commit.changed.iter().filter(|id| ends(id)).count();
        self.ended += ended;
        if ended > 0 || commit.begun.len() > 1 || self.commits.is_multiple_of(WEIGHED_EVERY) {
            self.weigh(&commit, &before);
        }
        self.state
            .executions
            .retain(|_, execution| execution.is_live());
        let in_use = self.state.definitions_in_use();
        self.state
            .definitions
            .retain(|version, _| in_use.contains(version));
    }

    fn commit(&self, before: &PipelineState, effects: Vec<Effect>) -> Commit {
        let (mut begun, mut updates, mut outbox) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Dispatch(job) => {
                    let job: Arc<Job> = Arc::from(job);
                    begun.push((Arc::clone(&job), Doer::Worker));
                    outbox.push(Message::Job(job));
                }
                Effect::Ask(job) | Effect::Refuse(job) => {
                    begun.push((Arc::from(job), Doer::Nobody));
                }
                Effect::Record(update) => updates.push(*update),
                Effect::Cancel(key) => outbox.push(Message::Cancel(*key)),
                Effect::Announce(change) => outbox.push(Message::Change(*change)),
            }
        }
        let executions = self.state.executions.iter();
        let changed = executions.filter(|(id, now)| {
            let was = before.executions.get(id);
            was.is_none_or(|was| was != *now)
        });
        Commit {
            id: Uuid::from_u128(7),
            expected_version: 1_000_000,
            expected_commit: Uuid::from_u128(6),
            changed: changed.map(|(id, _)| *id).collect(),
            new_definition: before.head.definition != self.state.head.definition,
            state: self.state.clone(),
            new_tags: false,
            gone: false,
            begun,
            updates,
            outbox,
            token: Some((noise(3, 128), ExecutionId(Uuid::nil()))),
            deadline: Some(self.now),
            audit: Audit {
                at: self.now,
                by: noise(2, 190),
                cause: "StartPipelineExecution".to_owned(),
            },
        }
    }

    fn weigh(&mut self, commit: &Commit, before: &PipelineState) {
        let live = before.executions.values();
        let known = Known {
            version: 1_000_000,
            life: 1 << 52,
            last: 1 << 52,
            tags: 1,
            live: live
                .map(|execution| (execution.sequence, 999_999))
                .collect(),
            ..Known::default()
        };
        let expiry = Expiry {
            history: 2_000_000_000,
            attempts: 2_000_000_000,
        };
        let plan = Plan::new(commit, Some(&known), (1 << 52) + 1, expiry).expect("it fits");
        let bytes = plan.writes.iter().map(crate::table::Write::bytes);
        self.item = bytes.clone().max().unwrap_or_default().max(self.item);
        self.transaction = self.transaction.max(bytes.sum());
        self.head = self.head.max(plan.writes[0].bytes());
        self.items = self.items.max(plan.writes.len());
        let keys: BTreeSet<_> = plan.writes.iter().map(crate::table::Write::key).collect();
        assert_eq!(keys.len(), plan.writes.len(), "no item is written twice");
    }

    fn check(&self) {
        let Self {
            head,
            item,
            items,
            transaction,
            ..
        } = self;
        assert!(*head <= super::HEAD_BYTES_MAX, "a head of {head} bytes");
        assert!(*item <= ITEM_BYTES_MAX, "an item of {item} bytes");
        assert!(*items <= TRANSACTION_ITEMS_MAX, "a commit of {items} items");
        assert!(
            *transaction <= TRANSACTION_BYTES_MAX,
            "a commit of {transaction} bytes"
        );
    }
}

#[test]
fn one_execution_of_the_largest_pipeline_fits() {
    let mut crowd = Crowd::new(largest(ExecutionMode::Superseded));
    crowd.start(EXECUTIONS);
    while !crowd.state.executions.is_empty() {
        crowd.settle();
        crowd.finish_all();
    }
    assert_eq!(crowd.ended, 1);
    crowd.check();
    assert!(crowd.item > ITEM_BYTES_MAX / 8, "this is a large one");
}

#[test]
fn the_output_variables_of_actions_side_by_side_fit() {
    let mut declaration = largest(ExecutionMode::Superseded);
    declaration.stages.truncate(3);
    let mut crowd = Crowd::new(declaration);
    crowd.outputs = (0..15)
        .map(|number| (format!("V{number}"), noise(number, OUTPUTS_BYTES / 15 - 8)))
        .collect();
    crowd.start(0);
    while !crowd.state.executions.is_empty() {
        crowd.settle();
        crowd.finish_all();
    }
    crowd.check();
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
            crowd.start(0);
            for _ in 0..stage {
                crowd.finish_all();
            }
            crowd.jobs.extend(inside);
        }
        crowd.set_transition(stage, false);
    }
    assert_eq!(crowd.state.executions.len(), 2 * STAGES);
    crowd.define(declaration);
    crowd.settle();
    crowd.finish_all();
    assert!(crowd.state.executions.is_empty(), "all are cancelled");
    crowd.check();
    assert!(crowd.items > TRANSACTION_ITEMS_MAX / 2, "this is a crowd");
}

#[test]
fn fifty_parallel_executions_are_let_go_in_commits_that_fit() {
    let mut crowd = Crowd::new(largest(ExecutionMode::Parallel));
    crowd.set_transition(0, false);
    for _ in 0..EXECUTIONS {
        crowd.start(EXECUTIONS);
    }
    crowd.set_transition(0, true);
    crowd.settle();
    crowd.now = crowd.now.plus(Duration::from_hours(2));
    crowd.apply(&Input::Tick);
    crowd.settle();
    crowd.check();
    assert!(crowd.items > TRANSACTION_ITEMS_MAX / 2, "this is a crowd");
}

#[test]
fn an_ordinary_head_is_small() {
    let stage = |at| json!({ "name": format!("Stage-{at}"), "actions": [action(at, 0)] });
    let stages: Vec<_> = (0..6).map(stage).collect();
    let declaration = of_stages(&stages, ExecutionMode::Queued);
    let mut crowd = Crowd::new(declaration);
    for _ in 0..12 {
        crowd.start(0);
        crowd.finish_all();
    }
    crowd.apply(&Input::TransitionSet {
        stage: "Stage-3".to_owned(),
        enabled: false,
        reason: Some("the database moves".to_owned()),
        by: noise(2, 190),
    });
    assert!(
        crowd.head <= ORDINARY_HEAD_BYTES_MAX,
        "{} bytes",
        crowd.head
    );
    assert!(crowd.head > 200, "it was weighed");
}
