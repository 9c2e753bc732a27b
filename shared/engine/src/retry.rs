//! A failed or stopped stage is tried again (spec 30 §7).

use model::{
    ActionStatus, Execution, ExecutionId, ExecutionStatus, Rejection, StageStatus,
    change::EventState,
    declaration::{ExecutionMode, RetryMode},
    state::{StageExecution, StageRetry},
};

use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn retry(
        &mut self,
        stage: &str,
        id: ExecutionId,
        mode: RetryMode,
    ) -> Result<(), Rejection> {
        self.check_retry(stage, id, mode)?;
        let at = self.now;
        if !self.is_parallel(id) {
            self.stage_head(stage).lock = Some(id);
        }
        let execution = self.execution(id);
        execution.status = ExecutionStatus::InProgress;
        execution.stop = None;
        execution.attempt += 1;
        let running = self.stage_execution(id, stage);
        running.status = StageStatus::InProgress;
        let manual = running.retry.as_ref().map_or(0, |retry| retry.manual) + 1;
        running.retry = Some(StageRetry { manual, at });
        for action in running.actions.values_mut() {
            action.rerun = match (mode, action.status) {
                (_, ActionStatus::InProgress) => false,
                // An earlier retry of all actions may have ended before it came to this one.
                (RetryMode::FailedActions, ActionStatus::Succeeded) => action.rerun,
                (_, ActionStatus::Failed | ActionStatus::Abandoned)
                | (RetryMode::AllActions, ActionStatus::Succeeded) => true,
            };
        }
        self.announce_pipeline(id, EventState::Resumed);
        self.announce_stage(id, stage, EventState::Resumed);
        Ok(())
    }

    /// The preconditions in the API's order (spec 10, `RetryStageExecution`).
    fn check_retry(&self, stage: &str, id: ExecutionId, mode: RetryMode) -> Result<(), Rejection> {
        let execution = self.state.executions.get(&id);
        self.check_stage_exists(stage, execution.map(|execution| &**execution))?;
        let Some(execution) = execution else {
            return Err(Rejection::NotLatestPipelineExecution(id));
        };
        let Some(running) = execution.stages.get(stage) else {
            return Err(Rejection::NotLatestPipelineExecution(id));
        };
        let is_parallel = execution.mode == ExecutionMode::Parallel;
        if !is_parallel {
            let latest = self
                .state
                .head
                .stages
                .get(stage)
                .and_then(|head| head.latest);
            if latest != Some(id) {
                return Err(Rejection::NotLatestPipelineExecution(id));
            }
            if execution.definition != self.state.head.definition {
                return Err(not_retryable(
                    "the pipeline was updated since the execution began",
                ));
            }
        }
        check_status(running, mode)?;
        self.check_concurrency(execution.mode)
    }

    fn check_stage_exists(
        &self,
        stage: &str,
        execution: Option<&Execution>,
    ) -> Result<(), Rejection> {
        // A PARALLEL execution is retried on the definition that it runs on (spec 30 §4).
        let parallel = execution.filter(|e| e.mode == ExecutionMode::Parallel);
        let version = parallel.map_or(self.state.head.definition, |e| e.definition);
        let definition = self.state.definitions.get(&version);
        match definition.and_then(|definition| definition.stage(stage)) {
            Some(_) => Ok(()),
            None => Err(Rejection::StageNotFound(stage.to_owned())),
        }
    }
}

fn check_status(stage: &StageExecution, mode: RetryMode) -> Result<(), Rejection> {
    match stage.status {
        StageStatus::Stopped => return Ok(()),
        StageStatus::Failed => {}
        StageStatus::InProgress | StageStatus::Stopping => {
            return Err(not_retryable("it is in progress"));
        }
        StageStatus::Succeeded => return Err(not_retryable("it succeeded")),
        StageStatus::Cancelled => return Err(not_retryable("it was cancelled")),
    }
    let has = |status| stage.actions.values().any(|action| action.status == status);
    match mode {
        RetryMode::FailedActions if !has(ActionStatus::Failed) => {
            Err(not_retryable("none of its actions failed"))
        }
        RetryMode::AllActions if has(ActionStatus::InProgress) => {
            Err(not_retryable("one of its actions is still in progress"))
        }
        RetryMode::FailedActions | RetryMode::AllActions => Ok(()),
    }
}

fn not_retryable(why: &str) -> Rejection {
    Rejection::StageNotRetryable(why.to_owned())
}
