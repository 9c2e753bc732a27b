//! The way into a stage is closed and opened (spec 30 §17).

use model::{
    ExecutionId, ExecutionStatus, Rejection, Timestamp,
    change::EventState,
    state::{Position, Transition},
};

use crate::{limits::HELD_BY_TRANSITION_MAX, turn::Turn};

impl Turn<'_> {
    pub(crate) fn set_transition(
        &mut self,
        stage: &str,
        enabled: bool,
        reason: Option<&str>,
        by: &str,
    ) -> Result<(), Rejection> {
        let definition = self.state.current_definition();
        if definition
            .and_then(|definition| definition.stage(stage))
            .is_none()
        {
            return Err(Rejection::StageNotFound(stage.to_owned()));
        }
        let now = self.now;
        let head = self.stage_head(stage);
        let was_closed = head.transition.take().and_then(|was| was.closed_since);
        head.transition = Some(Transition {
            enabled,
            changed_by: by.to_owned(),
            changed_at: now,
            reason: reason.filter(|_| !enabled).map(str::to_owned),
            closed_since: (!enabled).then(|| was_closed.unwrap_or(now)),
        });
        if let Some(since) = was_closed.filter(|_| enabled) {
            self.stop_held_too_long(stage, since);
        }
        Ok(())
    }

    /// What the transition held for more than 30 days does not go on when it is enabled.
    fn stop_held_too_long(&mut self, stage: &str, closed: Timestamp) {
        let now = self.now;
        let held: Vec<ExecutionId> = self
            .state
            .executions
            .values()
            .filter(|execution| execution.status == ExecutionStatus::InProgress)
            .filter(|execution| match execution.position {
                Position::Inbound { since, .. } => {
                    now.since(since.max(closed)) > HELD_BY_TRANSITION_MAX
                }
                Position::Inside { .. } | Position::Done => false,
            })
            .map(|execution| execution.id)
            .filter(|id| self.stage_name(*id).as_deref() == Some(stage))
            .collect();
        for id in held {
            let execution = self.execution(id);
            let summary = "The transition was disabled for more than 30 days";
            execution.status_summary = Some(summary.to_owned());
            self.announce_pipeline(id, EventState::Stopping);
            self.finish_stop(id, None);
        }
    }
}
