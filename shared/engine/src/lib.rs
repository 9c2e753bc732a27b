//! The verbs: what a pipeline does about what happens to it.
//!
//! [`step`] is a function of the state, one input and the time. It is total: any input in any
//! state returns. A repeated or late result changes nothing; only a person's request can be
//! rejected. What is to be done in the world comes back as orders that are complete in themselves.
//!
//! One file per subject: [`start`], [`stage`], [`action`], [`job`], [`approval`], [`stop`], [`retry`],
//! [`transition`], [`definition`], [`variables`], [`limits`] and the [`invariants`] that hold after
//! every step. The rules are those of spec 30; each is cited where it is kept.

mod action;
mod approval;
mod definition;
mod invariants;
mod job;
mod limits;
mod retry;
mod stage;
mod start;
mod stop;
mod transition;
mod turn;
mod variables;

use model::{
    ActionStatus, Effect, Execution, Input, PipelineState, Rejection, Timestamp,
    planted::{Bug, planted},
};

pub use invariants::{Violation, check};
pub use limits::{ACTIONS_PER_COMMIT, CONCURRENT_EXECUTIONS_MAX, PARALLEL_ACTIONS_MAX};
use turn::Turn;

/// Applies one input, and everything that follows from it, to a pipeline.
///
/// On a rejection the state may have been touched: the caller drops it.
pub fn step(
    state: &mut PipelineState,
    input: &Input,
    now: Timestamp,
) -> Result<Vec<Effect>, Rejection> {
    if state.head.deleting && is_request(input) {
        return Err(Rejection::PipelineNotFound(state.head.pipeline.clone()));
    }
    let mut turn = Turn::begin(state, now);
    let is_answer = matches!(input, Input::ApprovalDecided(_));
    if !(is_answer && planted(Bug::ApprovalAfterExpiry)) {
        turn.expire();
    }
    match input {
        Input::DefinitionChanged { declaration } => turn.change_definition(declaration),
        Input::PipelineDeleted => turn.delete(),
        Input::Start(start) => turn.start(start)?,
        Input::ActionProgressed { key, output } => turn.progress_action(key, output),
        Input::ActionFinished { key, result } => turn.finish_action(key, result),
        Input::ApprovalDecided(decision) => turn.decide_approval(decision)?,
        Input::TransitionSet {
            stage,
            enabled,
            reason,
            by,
        } => {
            turn.set_transition(stage, *enabled, reason.as_deref(), by)?;
        }
        Input::StopRequested {
            execution,
            abandon,
            reason,
            by,
        } => {
            turn.stop(*execution, *abandon, reason.as_deref(), by)?;
        }
        Input::RetryRequested {
            stage,
            execution,
            mode,
        } => {
            turn.retry(stage, *execution, *mode)?;
        }
        Input::Tick => {}
    }
    turn.settle();
    Ok(turn.end())
}

/// Whether somebody wants something of the pipeline; one that is being deleted gives it to nobody.
fn is_request(input: &Input) -> bool {
    match input {
        Input::DefinitionChanged { .. }
        | Input::Start(_)
        | Input::ApprovalDecided(_)
        | Input::TransitionSet { .. }
        | Input::StopRequested { .. }
        | Input::RetryRequested { .. } => true,
        Input::PipelineDeleted
        | Input::ActionProgressed { .. }
        | Input::ActionFinished { .. }
        | Input::Tick => false,
    }
}

/// A deadline that has come whatever a clock says, one that was set back too.
const AT_ONCE: Timestamp = Timestamp(0);

/// When [`Input::Tick`] is next worth sending, if no other input comes before.
pub fn deadline(state: &PipelineState) -> Option<Timestamp> {
    if planted(Bug::NoDeadline) {
        return None;
    }
    if state.head.unsettled {
        return Some(AT_ONCE);
    }
    state
        .executions
        .values()
        .filter_map(|execution| earliest(execution))
        .min()
}

fn earliest(execution: &Execution) -> Option<Timestamp> {
    let actions = execution
        .stages
        .values()
        .flat_map(|stage| stage.actions.values());
    let in_progress = actions.filter(|action| action.status == ActionStatus::InProgress);
    in_progress.filter_map(|action| action.until).min()
}
