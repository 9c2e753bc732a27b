//! Executions end before their time: stopped by a person (spec 30 §6) or cancelled by a newer
//! definition (spec 30 §4).

use model::{
    ActionStatus, ExecutionId, ExecutionStatus, Rejection, StageStatus, Subject,
    change::EventState,
    state::{Position, Stop},
};

use crate::turn::Turn;

impl Turn<'_> {
    /// Begins to stop an execution; one that waits at a door has stopped at once.
    pub(crate) fn stop(
        &mut self,
        id: ExecutionId,
        abandon: bool,
        reason: Option<&str>,
        by: &str,
    ) -> Result<(), Rejection> {
        let Some(execution) = self.state.executions.get(&id) else {
            return Err(Rejection::PipelineExecutionNotStoppable(id));
        };
        let was_stopping = match execution.status {
            ExecutionStatus::InProgress => false,
            ExecutionStatus::Stopping => {
                let abandons = execution.stop.as_ref().is_some_and(|stop| stop.abandon);
                if abandons || !abandon {
                    return Err(Rejection::DuplicatedStopRequest(id));
                }
                true
            }
            ExecutionStatus::Stopped
            | ExecutionStatus::Succeeded
            | ExecutionStatus::Superseded
            | ExecutionStatus::Failed
            | ExecutionStatus::Cancelled => {
                return Err(Rejection::PipelineExecutionNotStoppable(id));
            }
        };
        let at = self.now;
        let reason = reason
            .filter(|reason| !reason.is_empty())
            .map(str::to_owned);
        let execution = self.execution(id);
        execution.stop = Some(Stop {
            abandon,
            reason: reason.clone(),
            by: by.to_owned(),
            at,
        });
        if was_stopping {
            return Ok(());
        }
        // A stop beats a newer definition (spec 30 §1).
        execution.cancelling = false;
        execution.status = ExecutionStatus::Stopping;
        let state = EventState::Stopping;
        self.announce(
            id,
            Subject::Pipeline {
                state,
                trigger: None,
                comment: reason,
            },
        );
        match self.seen(id).position {
            Position::Inside { .. } => {
                let Some(stage) = self.stage_name(id) else {
                    return Ok(());
                };
                self.stage_execution(id, &stage).status = StageStatus::Stopping;
                self.announce_stage(id, &stage, EventState::Stopping);
            }
            Position::Inbound { .. } | Position::Done => self.finish_stop(id, None),
        }
        Ok(())
    }

    /// Goes on with a stop inside a stage: abandons what runs, or waits for it, then stops.
    pub(crate) fn advance_stop(&mut self, id: ExecutionId, stage: &str) -> bool {
        let abandons = self.seen(id).stop.as_ref().is_some_and(|stop| stop.abandon);
        if abandons {
            self.abandon_actions(id, stage, EventState::Abandoned, |_| true);
        }
        if self.seen(id).has_actions_in_progress() {
            return false;
        }
        self.stage_execution(id, stage).status = StageStatus::Stopped;
        self.announce_stage(id, stage, EventState::Stopped);
        self.finish_stop(id, Some(stage));
        true
    }

    pub(crate) fn finish_stop(&mut self, id: ExecutionId, stage: Option<&str>) {
        self.execution(id).status = ExecutionStatus::Stopped;
        self.announce_pipeline(id, EventState::Stopped);
        if let Some(stage) = stage {
            self.release_lock(id, stage);
        }
    }

    /// Ends an execution inside a stage on behalf of a newer definition: a pending approval is
    /// ended, other actions are waited for (spec 30 §4).
    pub(crate) fn cancel_inside(&mut self, id: ExecutionId, stage: &str) -> bool {
        self.abandon_actions(id, stage, EventState::Canceled, |is_approval| is_approval);
        if self.seen(id).has_actions_in_progress() {
            return false;
        }
        self.stage_execution(id, stage).status = StageStatus::Cancelled;
        self.announce_stage(id, stage, EventState::Canceled);
        self.finish_cancel(id);
        self.release_lock(id, stage);
        true
    }

    pub(crate) fn finish_cancel(&mut self, id: ExecutionId) {
        let execution = self.execution(id);
        execution.status = ExecutionStatus::Cancelled;
        execution.cancelling = false;
        execution.position = Position::Done;
        self.announce_pipeline(id, EventState::Canceled);
    }

    /// Gives up the actions in progress that `which` selects (it is told whether one is an
    /// approval), as many as one commit holds.
    pub(crate) fn abandon_actions(
        &mut self,
        id: ExecutionId,
        stage: &str,
        state: EventState,
        which: impl Fn(bool) -> bool,
    ) {
        let declaration = self.definition_of(id);
        let Some((_, declaration)) = declaration.stage(stage) else {
            return;
        };
        for action in &declaration.actions {
            let running = self
                .seen(id)
                .stages
                .get(stage)
                .and_then(|s| s.actions.get(&action.name));
            let in_progress = running.is_some_and(|a| a.status == ActionStatus::InProgress);
            if !in_progress || !which(crate::approval::is_approval(action)) {
                continue;
            }
            if !self.afford() {
                return;
            }
            self.abandon_action(id, stage, action, state);
        }
    }
}
