//! What holds after every step; tests, the simulation and production call [`check`].

use model::{
    ActionStatus, Execution, ExecutionId, ExecutionStatus, PipelineState, StageStatus,
    declaration::ExecutionMode, state::Position,
};
use thiserror::Error;

use crate::{
    definition::is_outdated,
    limits::{CONCURRENT_EXECUTIONS_MAX, PARALLEL_ACTIONS_MAX},
};

/// An invariant that does not hold: a defect of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("stage `{stage}` is locked by {holder}, which is not inside it")]
    LockWithoutHolder { stage: String, holder: ExecutionId },
    #[error("{execution} is inside stage `{stage}` without its lock")]
    InsideWithoutLock {
        stage: String,
        execution: ExecutionId,
    },
    #[error("{execution} waits at stage `{stage}` and is not in its queue")]
    WaitsOutsideQueue {
        stage: String,
        execution: ExecutionId,
    },
    #[error("{count} executions wait at stage `{stage}` of a SUPERSEDED pipeline")]
    TooManyWait { stage: String, count: usize },
    #[error("{execution} runs {count} actions at once in PARALLEL mode")]
    TooManyActions {
        execution: ExecutionId,
        count: usize,
    },
    #[error("{count} executions are in progress")]
    TooManyExecutions { count: usize },
    #[error("action `{action}` of {execution} is in progress without a deadline")]
    NoDeadline {
        execution: ExecutionId,
        action: String,
    },
    #[error("action `{action}` of {execution} has ended and keeps a deadline")]
    DeadlineLeft {
        execution: ExecutionId,
        action: String,
    },
    #[error("{execution} is {status:?} and its stage `{stage}` is {stage_status:?}")]
    StatusesDiffer {
        execution: ExecutionId,
        status: ExecutionStatus,
        stage: String,
        stage_status: StageStatus,
    },
    #[error("{0} was superseded and its mode supersedes nothing")]
    SupersededInVain(ExecutionId),
    #[error("{0} runs on a definition that was not loaded")]
    DefinitionMissing(ExecutionId),
    #[error("{0} is in progress and nothing will ever move it")]
    Stuck(ExecutionId),
}

/// Checks a pipeline's state.
pub fn check(state: &PipelineState) -> Result<(), Violation> {
    for (stage, head) in &state.head.stages {
        if let Some(holder) = head.lock {
            let execution = state.executions.get(&holder);
            if !execution.is_some_and(|execution| is_inside(state, execution, stage)) {
                return Err(Violation::LockWithoutHolder {
                    stage: stage.clone(),
                    holder,
                });
            }
        }
        let superseding = head
            .inbound
            .iter()
            .filter_map(|id| state.executions.get(id));
        let superseding =
            superseding.filter(|e| e.mode == ExecutionMode::Superseded && !e.status.is_terminal());
        let count = superseding.count();
        if count > 1 {
            return Err(Violation::TooManyWait {
                stage: stage.clone(),
                count,
            });
        }
    }
    for execution in state.executions.values() {
        check_execution(state, execution)?;
    }
    let limited = state
        .executions
        .values()
        .filter(|e| e.mode != ExecutionMode::Superseded);
    let count = limited.filter(|e| !e.status.is_terminal()).count();
    if count > CONCURRENT_EXECUTIONS_MAX {
        return Err(Violation::TooManyExecutions { count });
    }
    Ok(())
}

fn is_inside(state: &PipelineState, execution: &Execution, stage: &str) -> bool {
    let Position::Inside { stage: at } = execution.position else {
        return false;
    };
    let definition = state.definitions.get(&execution.definition);
    let name = definition.and_then(|definition| definition.stages.get(at));
    execution.is_live() && name.is_some_and(|declared| declared.name == stage)
}

fn check_execution(state: &PipelineState, execution: &Execution) -> Result<(), Violation> {
    let id = execution.id;
    let Some(definition) = state.definitions.get(&execution.definition) else {
        return Err(Violation::DefinitionMissing(id));
    };
    check_deadlines(execution)?;
    if execution.status == ExecutionStatus::Superseded
        && execution.mode != ExecutionMode::Superseded
    {
        return Err(Violation::SupersededInVain(id));
    }
    if !execution.is_live() {
        return Ok(());
    }
    let name = |stage: usize| definition.stages[stage].name.clone();
    match execution.position {
        Position::Inside { stage } => {
            check_inside(state, execution, name(stage))?;
            if state.head.unsettled || execution.has_actions_in_progress() {
                return Ok(());
            }
            Err(Violation::Stuck(id))
        }
        Position::Inbound { stage, .. } => check_inbound(state, execution, name(stage)),
        Position::Done => Err(Violation::Stuck(id)),
    }
}

fn check_inside(
    state: &PipelineState,
    execution: &Execution,
    stage: String,
) -> Result<(), Violation> {
    let id = execution.id;
    let in_progress = execution
        .stages
        .values()
        .flat_map(|stage| stage.actions.values());
    let count = in_progress
        .filter(|a| a.status == ActionStatus::InProgress)
        .count();
    if execution.mode == ExecutionMode::Parallel {
        if count > PARALLEL_ACTIONS_MAX {
            return Err(Violation::TooManyActions {
                execution: id,
                count,
            });
        }
    } else if state.head.stages.get(&stage).and_then(|head| head.lock) != Some(id) {
        return Err(Violation::InsideWithoutLock {
            stage,
            execution: id,
        });
    }
    let stage_status = execution.stages.get(&stage).map(|stage| stage.status);
    let expected = match execution.status {
        ExecutionStatus::InProgress => StageStatus::InProgress,
        ExecutionStatus::Stopping => StageStatus::Stopping,
        ExecutionStatus::Failed => StageStatus::Failed,
        ExecutionStatus::Stopped
        | ExecutionStatus::Succeeded
        | ExecutionStatus::Superseded
        | ExecutionStatus::Cancelled => return Err(Violation::Stuck(id)),
    };
    match stage_status {
        Some(found) if found != expected => Err(Violation::StatusesDiffer {
            execution: id,
            status: execution.status,
            stage,
            stage_status: found,
        }),
        Some(_) | None => Ok(()),
    }
}

fn check_inbound(
    state: &PipelineState,
    execution: &Execution,
    stage: String,
) -> Result<(), Violation> {
    let id = execution.id;
    let head = state.head.stages.get(&stage);
    let is_closed = head.is_some_and(|h| h.transition.as_ref().is_some_and(|t| !t.enabled));
    if execution.mode == ExecutionMode::Parallel {
        let may_wait = is_closed || state.head.unsettled;
        return if may_wait {
            Ok(())
        } else {
            Err(Violation::Stuck(id))
        };
    }
    if is_outdated(&state.head, execution) && state.head.unsettled {
        // It left the queue and is cancelled with the next tick.
        return Ok(());
    }
    let Some(head) = head.filter(|head| head.inbound.contains(&id)) else {
        return Err(Violation::WaitsOutsideQueue {
            stage,
            execution: id,
        });
    };
    let waits = |id: &&ExecutionId| state.executions.get(*id).is_some_and(|e| e.is_live());
    let is_first = head.inbound.iter().find(waits) == Some(&id);
    if is_first && head.lock.is_none() && !is_closed && !state.head.unsettled {
        return Err(Violation::Stuck(id));
    }
    Ok(())
}

fn check_deadlines(execution: &Execution) -> Result<(), Violation> {
    for stage in execution.stages.values() {
        for (action, state) in &stage.actions {
            let (execution, action) = (execution.id, action.clone());
            match (state.status, state.until) {
                (ActionStatus::InProgress, None) => {
                    return Err(Violation::NoDeadline { execution, action });
                }
                (
                    ActionStatus::Succeeded | ActionStatus::Failed | ActionStatus::Abandoned,
                    Some(_),
                ) => return Err(Violation::DeadlineLeft { execution, action }),
                (ActionStatus::InProgress, Some(_))
                | (
                    ActionStatus::Succeeded | ActionStatus::Failed | ActionStatus::Abandoned,
                    None,
                ) => {}
            }
        }
    }
    Ok(())
}
