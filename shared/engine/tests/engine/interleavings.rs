//! Every order in which a small pipeline's inputs can come: two executions, two stages, one action
//! each, with retries, stops and a transition, in all three modes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use model::{
    ActionOutput, ActionStatus, AttemptKey, Effect, Execution, ExecutionId, ExecutionStatus, Input,
    declaration::RetryMode,
    input::Start,
    job::{ActionResult, ErrorDetails},
    state::{Trigger, TriggerType},
};
use uuid::Uuid;

use crate::{declare::declare, oracle::Watched, transcript::BEGINNING};

const EXECUTIONS: u128 = 2;

/// Attempts of one action; more than this many retries lead to nothing new.
const ATTEMPTS_MAX: u32 = 2;

/// More states than the largest of the three spaces has.
const STATES_MAX: usize = 200_000;

/// One state of the world: the pipeline, and the attempts that workers have.
#[derive(Clone)]
struct Place {
    watched: Watched,
    attempts: Vec<AttemptKey>,
}

impl Place {
    /// Whether a worker's result for this attempt would count.
    fn open(&self, key: &AttemptKey) -> bool {
        let execution = self.watched.state.executions.get(&key.execution);
        let stage = execution.and_then(|execution| execution.stages.get(&key.stage));
        let action = stage.and_then(|stage| stage.actions.get(&key.action));
        action.is_some_and(|a| a.status == ActionStatus::InProgress && a.attempt == key.attempt)
    }
}

/// Visits every state that can be reached; says how many there are, and in how many of them
/// everything has succeeded.
fn explore(mode: &str) -> (usize, usize) {
    let declaration = Arc::new(declare("Source > Deploy", &[&format!("mode {mode}")]));
    let mut watched = Watched::new(BEGINNING);
    watched
        .step(&Input::DefinitionChanged { declaration }, None)
        .expect("never rejected");
    let first = Place {
        watched,
        attempts: Vec::new(),
    };
    let mut seen = BTreeSet::from([fingerprint(&first)]);
    let mut ahead = VecDeque::from([first]);
    let mut succeeded = 0;
    while let Some(place) = ahead.pop_front() {
        let ended = place.watched.ended.values();
        let good = ended
            .filter(|e| e.status == ExecutionStatus::Succeeded)
            .count();
        succeeded += usize::from(good == 2);
        for (input, also) in inputs(&place) {
            let mut next = place.clone();
            let Ok(effects) = next.watched.step(&input, also) else {
                continue;
            };
            for effect in effects {
                if let Effect::Dispatch(job) = effect {
                    next.attempts.push(job.key.clone());
                }
            }
            if seen.insert(fingerprint(&next)) {
                assert!(seen.len() <= STATES_MAX, "more states than expected");
                ahead.push_back(next);
            }
        }
    }
    (seen.len(), succeeded)
}

/// Everything that can come next, sensible or not, with the execution that it names.
fn inputs(place: &Place) -> Vec<(Input, Option<ExecutionId>)> {
    let mut inputs = starts(place);
    inputs.extend(results(place));
    inputs.extend(transitions(place));
    for execution in place.watched.state.executions.keys().copied() {
        for abandon in [true, false] {
            let (reason, by) = (None, "ann".to_owned());
            let input = Input::StopRequested {
                execution,
                abandon,
                reason,
                by,
            };
            inputs.push((input, Some(execution)));
        }
    }
    inputs.extend(retries(place));
    inputs
}

fn starts(place: &Place) -> Vec<(Input, Option<ExecutionId>)> {
    let known = (place.watched.state.executions.len() + place.watched.ended.len()) as u128;
    if known == EXECUTIONS {
        return Vec::new();
    }
    let start = Start {
        execution: ExecutionId(Uuid::from_u128(EXECUTIONS - known)),
        secret: Uuid::from_u128(1_000),
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: "start".to_owned(),
        },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
    };
    vec![(Input::Start(Box::new(start)), None)]
}

fn results(place: &Place) -> Vec<(Input, Option<ExecutionId>)> {
    let mut inputs = Vec::new();
    for key in &place.attempts {
        let output = ActionOutput::default();
        let error = ErrorDetails::job_failed("exit 1");
        let mut results = vec![ActionResult::Succeeded(output.clone())];
        if place.open(key) {
            results.push(ActionResult::Failed { error, output });
        }
        for result in results {
            let key = key.clone();
            inputs.push((Input::ActionFinished { key, result }, None));
        }
    }
    inputs
}

fn transitions(place: &Place) -> Vec<(Input, Option<ExecutionId>)> {
    let deploy = place.watched.state.head.stages.get("Deploy");
    let transition = deploy.and_then(|head| head.transition.as_ref());
    let enabled = transition.is_some_and(|transition| !transition.enabled);
    let (stage, reason, by) = ("Deploy".to_owned(), None, "ann".to_owned());
    let input = Input::TransitionSet {
        stage,
        enabled,
        reason,
        by,
    };
    vec![(input, None)]
}

fn retries(place: &Place) -> Vec<(Input, Option<ExecutionId>)> {
    let mut inputs = Vec::new();
    let Watched { state, ended, .. } = &place.watched;
    for execution in state.executions.keys().chain(ended.keys()).copied() {
        let tried = place
            .attempts
            .iter()
            .filter(|key| key.execution == execution);
        if tried.map(|key| key.attempt).max() >= Some(ATTEMPTS_MAX) {
            continue;
        }
        for (stage, mode) in [
            ("Source", RetryMode::FailedActions),
            ("Deploy", RetryMode::FailedActions),
            ("Deploy", RetryMode::AllActions),
        ] {
            let stage = stage.to_owned();
            let input = Input::RetryRequested {
                stage,
                execution,
                mode,
            };
            inputs.push((input, Some(execution)));
        }
    }
    inputs
}

/// What tells two states apart for whatever comes next.
fn fingerprint(place: &Place) -> u64 {
    let Watched { state, ended, .. } = &place.watched;
    let mut text = format!("{:?}", state.head);
    let all: BTreeMap<&ExecutionId, &Arc<Execution>> =
        state.executions.iter().chain(ended).collect();
    for execution in all.values() {
        let mut execution = Execution::clone(execution);
        execution.changes = 0;
        let _ = write!(text, "{execution:?}");
    }
    let attempts: BTreeSet<_> = place.attempts.iter().map(|key| key.token).collect();
    let _ = write!(text, "{attempts:?}");
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn every_order_of_two_superseding_executions_is_right() {
    let (states, succeeded) = explore("SUPERSEDED");
    assert!(
        states > 1_000 && succeeded > 0,
        "{states} states, {succeeded} good ends"
    );
}

#[test]
fn every_order_of_two_queued_executions_is_right() {
    let (states, succeeded) = explore("QUEUED");
    assert!(
        states > 1_000 && succeeded > 0,
        "{states} states, {succeeded} good ends"
    );
}

#[test]
fn every_order_of_two_parallel_executions_is_right() {
    let (states, succeeded) = explore("PARALLEL");
    assert!(
        states > 1_000 && succeeded > 0,
        "{states} states, {succeeded} good ends"
    );
}
