//! What must hold of every step, whatever the pipeline and the input.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    ActionStatus, Change, Effect, Execution, ExecutionId, ExecutionStatus, Input, PipelineState,
    Rejection, StageStatus, Subject, Timestamp, change::EventState, declaration::ExecutionMode,
};

use crate::engine;

/// A pipeline that is watched: each step goes through the engine twice and is compared with what
/// spec 30 §1 and §19 allow.
#[derive(Clone)]
pub(crate) struct Watched {
    /// The head, the live executions, and nothing else: what a store loads.
    pub(crate) state: PipelineState,
    /// The executions that ended, loaded only when an input names them.
    pub(crate) ended: BTreeMap<ExecutionId, Arc<Execution>>,
    pub(crate) now: Timestamp,
    /// How many changes of each execution were announced.
    sequences: BTreeMap<ExecutionId, u32>,
    /// Attempts that were begun and have not ended.
    open: BTreeSet<(ExecutionId, String, String, u32)>,
    closed: BTreeSet<(ExecutionId, String, String, u32)>,
}

impl Watched {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            state: PipelineState::empty("shop"),
            ended: BTreeMap::new(),
            now,
            sequences: BTreeMap::new(),
            open: BTreeSet::new(),
            closed: BTreeSet::new(),
        }
    }

    /// Takes one step and checks it.
    pub(crate) fn step(
        &mut self,
        input: &Input,
        also: Option<ExecutionId>,
    ) -> Result<Vec<Effect>, Rejection> {
        let mut before = self.state.clone();
        if let Some((id, ended)) = also.and_then(|id| self.ended.get_key_value(&id)) {
            before.executions.insert(*id, ended.clone());
        }
        let mut after = before.clone();
        let effects = engine::step(&mut after, input, self.now);
        let mut again = before.clone();
        let repeated = engine::step(&mut again, input, self.now);
        assert_eq!(effects, repeated, "the same step gives the same orders");
        let effects = effects?;
        assert_eq!(after, again, "the same step gives the same state");
        engine::check(&after).unwrap_or_else(|violation| panic!("{input:?}: {violation}"));
        check_edges(&before, &after);
        check_entries(&before, &after, input);
        self.check_effects(&effects, &after);
        if matches!(input, Input::Tick) {
            let due = engine::deadline(&after).is_some_and(|due| due < self.now);
            assert!(
                !due || after.head.unsettled,
                "a deadline is left in the past"
            );
        }
        self.keep(after);
        Ok(effects)
    }

    /// Takes one step and only looks at the state: for crowds, where watching takes long.
    pub(crate) fn step_unwatched(&mut self, input: &Input) -> Result<Vec<Effect>, Rejection> {
        let mut after = self.state.clone();
        let effects = engine::step(&mut after, input, self.now)?;
        engine::check(&after).unwrap_or_else(|violation| panic!("{input:?}: {violation}"));
        self.keep(after);
        Ok(effects)
    }

    /// Live executions stay; the others are put away, as a store does.
    fn keep(&mut self, after: PipelineState) {
        self.state = after;
        let executions = std::mem::take(&mut self.state.executions);
        for (id, execution) in executions {
            if execution.is_live() {
                self.ended.remove(&id);
                self.state.executions.insert(id, execution);
            } else {
                self.ended.insert(id, execution);
            }
        }
        let in_use = self.state.definitions_in_use();
        let ended: BTreeSet<u32> = self.ended.values().map(|e| e.definition).collect();
        let kept = |version: &u32| in_use.contains(version) || ended.contains(version);
        self.state.definitions.retain(|version, _| kept(version));
    }

    fn check_effects(&mut self, effects: &[Effect], after: &PipelineState) {
        let mut begun = 0;
        let mut records = 0;
        for effect in effects {
            match effect {
                Effect::Dispatch(job) | Effect::Ask(job) | Effect::Refuse(job) => {
                    begun += 1;
                    let key = &job.key;
                    let attempt = (
                        key.execution,
                        key.stage.clone(),
                        key.action.clone(),
                        key.attempt,
                    );
                    assert!(!self.closed.contains(&attempt), "begun again: {attempt:?}");
                    assert!(
                        self.open.insert(attempt.clone()),
                        "begun twice: {attempt:?}"
                    );
                }
                Effect::Record(update) => {
                    records += 1;
                    let (stage, action) = (update.stage.clone(), update.action.clone());
                    let attempt = (update.execution, stage, action, update.attempt);
                    assert!(self.open.contains(&attempt), "not open: {attempt:?}");
                    if update.status != ActionStatus::InProgress {
                        self.open.remove(&attempt);
                        assert!(self.closed.insert(attempt));
                    }
                }
                Effect::Announce(change) => self.check_change(change, after),
                Effect::Cancel(key) => {
                    let (stage, action) = (key.stage.clone(), key.action.clone());
                    let attempt = (key.execution, stage, action, key.attempt);
                    let known = self.open.contains(&attempt) || self.closed.contains(&attempt);
                    assert!(known, "cancelled without having begun: {attempt:?}");
                }
            }
        }
        assert!(
            begun <= engine::ACTIONS_PER_COMMIT,
            "{begun} attempts begun"
        );
        assert!(
            records <= engine::ACTIONS_PER_COMMIT + 1,
            "{records} records written"
        );
        self.check_open(after);
    }

    /// Every attempt that is begun and not ended is in progress, and the other way round.
    fn check_open(&self, after: &PipelineState) {
        let mut in_progress = BTreeSet::new();
        for execution in after.executions.values() {
            for (stage, running) in &execution.stages {
                for (action, state) in &running.actions {
                    if state.status == ActionStatus::InProgress {
                        let names = (stage.clone(), action.clone());
                        in_progress.insert((execution.id, names.0, names.1, state.attempt));
                    }
                }
            }
        }
        assert_eq!(self.open, in_progress);
    }

    fn check_change(&mut self, change: &Change, after: &PipelineState) {
        let last = self.sequences.entry(change.execution).or_default();
        *last += 1;
        assert_eq!(change.sequence, *last, "the sequence of changes has a gap");
        let execution = &after.executions[&change.execution];
        assert!(change.attempt <= execution.attempt);
        if let Subject::Pipeline {
            state: EventState::Superseded,
            ..
        } = &change.subject
        {
            let sequence = execution.sequence;
            let newer = after
                .executions
                .values()
                .any(|other| other.sequence > sequence);
            assert!(newer, "superseded by nobody newer");
            assert_eq!(execution.mode, ExecutionMode::Superseded);
        }
    }
}

/// Statuses move along the published edges only (spec 30 §1).
fn check_edges(before: &PipelineState, after: &PipelineState) {
    for (id, now) in &after.executions {
        let Some(was) = before.executions.get(id) else {
            continue;
        };
        assert!(
            pipeline_edge(was.status, now.status),
            "{id}: {:?} became {:?}",
            was.status,
            now.status
        );
        assert_eq!(
            (was.sequence, was.definition, was.mode),
            (now.sequence, now.definition, now.mode)
        );
        assert!(was.changes <= now.changes && was.attempt <= now.attempt);
        for (name, stage) in &was.stages {
            let then = &now.stages[name];
            assert!(
                stage_edge(stage.status, then.status),
                "{id} {name}: {:?} became {:?}",
                stage.status,
                then.status
            );
            for (action, state) in &stage.actions {
                let then = &then.actions[action];
                let is_newer = then.attempt > state.attempt;
                let ended = state.status != ActionStatus::InProgress;
                assert!(
                    is_newer || !ended || then.status == state.status,
                    "{id} {action}"
                );
                assert!(then.attempt >= state.attempt, "{id} {action}");
            }
        }
    }
    for id in before.executions.keys() {
        assert!(after.executions.contains_key(id), "{id} was dropped");
    }
}

/// Whether one step may lead from one status to the other; a step may go along several edges.
fn pipeline_edge(from: ExecutionStatus, to: ExecutionStatus) -> bool {
    use ExecutionStatus::{
        Cancelled, Failed, InProgress, Stopped, Stopping, Succeeded, Superseded,
    };
    match from {
        InProgress => true,
        // `Stopping` never becomes `Cancelled`: a stop beats an update.
        Stopping => matches!(to, Stopping | Stopped),
        Failed | Stopped => !matches!(to, Superseded | Cancelled),
        Succeeded | Superseded | Cancelled => from == to,
    }
}

fn stage_edge(from: StageStatus, to: StageStatus) -> bool {
    use StageStatus::{Cancelled, Failed, InProgress, Stopped, Stopping, Succeeded};
    match from {
        InProgress | Failed | Stopped => true,
        Stopping => matches!(to, Stopping | Stopped),
        Succeeded | Cancelled => from == to,
    }
}

/// Who entered a stage was allowed to: the way was open, and in QUEUED mode it was its turn.
fn check_entries(before: &PipelineState, after: &PipelineState, input: &Input) {
    for (id, now) in &after.executions {
        let was = before.executions.get(id);
        let entered = now.stages.keys().filter(|name| {
            let knew = was.is_some_and(|was| was.stages.contains_key(*name));
            !knew
        });
        for name in entered {
            let opens = matches!(
                input,
                Input::TransitionSet { enabled: true, .. } | Input::DefinitionChanged { .. }
            );
            let closed = is_closed(before, name) && !opens;
            assert!(!closed, "{id} crossed the closed way into {name}");
            if now.mode == ExecutionMode::Queued {
                let overtaken = first_in_queue(after, name);
                assert!(
                    overtaken.is_none_or(|other| !was_before(before, name, other, *id)),
                    "{id} overtook {overtaken:?} at {name}"
                );
            }
        }
    }
}

fn is_closed(state: &PipelineState, stage: &str) -> bool {
    let transition = state
        .head
        .stages
        .get(stage)
        .and_then(|head| head.transition.as_ref());
    transition.is_some_and(|transition| !transition.enabled)
}

fn first_in_queue(state: &PipelineState, stage: &str) -> Option<ExecutionId> {
    let queue = &state.head.stages.get(stage)?.inbound;
    let waits = |id: &&ExecutionId| state.executions.get(*id).is_some_and(|e| e.is_live());
    queue.iter().find(waits).copied()
}

/// Whether `one` waited at the stage already, and `other` behind it or not at all.
fn was_before(state: &PipelineState, stage: &str, one: ExecutionId, other: ExecutionId) -> bool {
    let Some(head) = state.head.stages.get(stage) else {
        return false;
    };
    let place = |id| head.inbound.iter().position(|waits| *waits == id);
    match (place(one), place(other)) {
        (Some(one), Some(other)) => one < other,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
