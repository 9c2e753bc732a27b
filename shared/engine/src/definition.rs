//! A pipeline gets its first or a newer definition (spec 30 §4, spec 20 §11).

use std::sync::Arc;

use model::{
    Execution, ExecutionId, ExecutionStatus, StageStatus,
    change::EventState,
    declaration::{ExecutionMode, PipelineDeclaration},
    planted::{Bug, planted},
    state::{Head, Position},
};

use crate::turn::Turn;

/// Whether a newer definition ends this execution: it is in progress, shares stages with others,
/// and began with another definition than the newest.
pub(crate) fn is_outdated(head: &Head, execution: &Execution) -> bool {
    let has_failed = execution.status == ExecutionStatus::Failed;
    (execution.status == ExecutionStatus::InProgress || (has_failed && planted(Bug::TerminalMoves)))
        && execution.mode != ExecutionMode::Parallel
        && execution.definition != head.definition
}

impl Turn<'_> {
    /// Saves the declaration as the next version.
    ///
    /// Executions that share stages end: those that wait at once, those inside a stage when their
    /// running actions have. PARALLEL ones go on with the definition that they began with. Settling
    /// ends them, as many as one commit holds: see [`is_outdated`].
    pub(crate) fn change_definition(&mut self, declaration: &Arc<PipelineDeclaration>) {
        let version = self.state.head.definition + 1;
        let mut definition = PipelineDeclaration::clone(declaration);
        definition.version = Some(version);
        self.state.definitions.insert(version, Arc::new(definition));
        self.state.head.definition = version;
        if version == 1 {
            self.state.head.created = self.now;
        }
        self.state.head.updated = self.now;
        self.forget_deleted_stages(declaration);
    }

    /// Begins to end everything (spec 10, `DeletePipeline`): what runs is abandoned, as much of it as
    /// one commit holds, and the store lets go of the pipeline when nothing is left.
    pub(crate) fn delete(&mut self) {
        self.state.head.deleting = true;
    }

    /// Ends an execution because its pipeline is deleted: nothing is waited for.
    pub(crate) fn drop_execution(&mut self, id: ExecutionId) -> bool {
        if !self.afford() {
            return false;
        }
        if let (Position::Inside { .. }, Some(stage)) =
            (self.seen(id).position, self.stage_name(id))
        {
            self.abandon_actions(id, &stage, EventState::Abandoned, |_| true);
            if self.seen(id).has_actions_in_progress() {
                return false;
            }
            self.release_lock(id, &stage);
            if !self.seen(id).status.is_terminal() {
                self.stage_execution(id, &stage).status = StageStatus::Cancelled;
                self.announce_stage(id, &stage, EventState::Canceled);
            }
        }
        if !self.seen(id).status.is_terminal() {
            self.finish_cancel(id);
        }
        true
    }

    /// Ends an execution on behalf of a newer definition.
    pub(crate) fn cancel(&mut self, id: ExecutionId) -> bool {
        if !self.seen(id).cancelling {
            if !self.afford() {
                return false;
            }
            self.execution(id).cancelling = true;
        }
        let position = self.seen(id).position;
        match (position, self.stage_name(id)) {
            (Position::Inside { .. }, Some(stage)) => self.cancel_inside(id, &stage),
            (Position::Inside { .. } | Position::Inbound { .. } | Position::Done, _) => {
                self.finish_cancel(id);
                true
            }
        }
    }

    /// Stages that are gone vanish; one that still holds somebody is kept for its lock. Its transition
    /// goes at once: nobody could enable it any more, and older PARALLEL executions may come by.
    fn forget_deleted_stages(&mut self, declaration: &PipelineDeclaration) {
        let ids: Vec<String> = self.state.head.stages.keys().cloned().collect();
        for name in ids {
            let head = self.stage_head(&name);
            head.inbound.clear();
            if declaration.stage(&name).is_some() {
                continue;
            }
            head.transition = None;
            if head.lock.is_none() {
                self.state.head.stages.remove(&name);
            }
        }
    }
}
