//! One step in the making: the state, the time, and the orders so far.

use std::sync::Arc;

use model::{
    Change, Effect, Execution, ExecutionId, ExecutionStatus, PipelineState, Subject, Timestamp,
    change::EventState,
    declaration::{ExecutionMode, PipelineDeclaration},
    planted::{Bug, planted},
    state::{Position, StageExecution, StageHead},
};

use crate::limits::ACTIONS_PER_COMMIT;

/// The state during a step. Every change of an execution goes through [`Turn::execution`], which
/// copies it on the first write, so that the commit can tell what changed.
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut PipelineState,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
    /// How many more attempts this step may begin or abandon.
    pub(crate) budget: usize,
    /// Something was left undone for want of budget.
    pub(crate) unsettled: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn begin(state: &'a mut PipelineState, now: Timestamp) -> Self {
        // A clock that was set back must not make a deadline fire later or a history run backwards.
        let now = now.max(state.head.clock);
        Self {
            state,
            now,
            effects: Vec::new(),
            budget: ACTIONS_PER_COMMIT,
            unsettled: false,
        }
    }

    pub(crate) fn end(self) -> Vec<Effect> {
        if !self.effects.is_empty() || self.unsettled != self.state.head.unsettled {
            self.state.head.clock = self.now;
        }
        self.state.head.unsettled = self.unsettled;
        self.effects
    }

    /// Takes one unit of budget; false when there is none left.
    pub(crate) fn afford(&mut self) -> bool {
        if self.budget == 0 {
            self.unsettled = true;
            return false;
        }
        self.budget -= 1;
        true
    }

    /// The execution to change. The callers hold an id that they found in the state.
    pub(crate) fn execution(&mut self, id: ExecutionId) -> &mut Execution {
        let shared = self
            .state
            .executions
            .get_mut(&id)
            .expect("the id was read from this state");
        let execution = Arc::make_mut(shared);
        execution.updated = self.now;
        execution
    }

    /// The execution to read.
    pub(crate) fn seen(&self, id: ExecutionId) -> &Arc<Execution> {
        self.state
            .executions
            .get(&id)
            .expect("the id was read from this state")
    }

    /// The definition that an execution runs on.
    pub(crate) fn definition_of(&self, id: ExecutionId) -> Arc<PipelineDeclaration> {
        let version = self.seen(id).definition;
        let definition = self.state.definitions.get(&version);
        Arc::clone(definition.expect("a loaded execution comes with its definition"))
    }

    /// The stage execution to change.
    pub(crate) fn stage_execution(&mut self, id: ExecutionId, stage: &str) -> &mut StageExecution {
        let stages = &mut self.execution(id).stages;
        stages.get_mut(stage).expect("the stage was entered")
    }

    pub(crate) fn stage_head(&mut self, stage: &str) -> &mut StageHead {
        if !self.state.head.stages.contains_key(stage) {
            self.state
                .head
                .stages
                .insert(stage.to_owned(), StageHead::default());
        }
        self.state
            .head
            .stages
            .get_mut(stage)
            .expect("it was inserted")
    }

    /// The name of the stage that an execution is inside of or waits for.
    pub(crate) fn stage_name(&self, id: ExecutionId) -> Option<String> {
        let execution = self.seen(id);
        let (Position::Inbound { stage, .. } | Position::Inside { stage }) = execution.position
        else {
            return None;
        };
        self.definition_of(id)
            .stages
            .get(stage)
            .map(|stage| stage.name.clone())
    }

    pub(crate) fn is_parallel(&self, id: ExecutionId) -> bool {
        self.seen(id).mode == ExecutionMode::Parallel
    }

    /// Makes a change known, numbered within its execution.
    pub(crate) fn announce(&mut self, id: ExecutionId, subject: Subject) {
        let (at, pipeline) = (self.now, self.state.head.pipeline.clone());
        let execution = self.execution(id);
        if planted(Bug::ChangeNotAnnounced) && execution.status == ExecutionStatus::Stopped {
            return;
        }
        execution.changes += 1;
        let started = match &subject {
            Subject::Pipeline { .. } => execution.started,
            Subject::Stage { stage, .. } => execution
                .stages
                .get(stage)
                .map_or(at, |stage| stage.entered),
            Subject::Action(change) => {
                let stage = execution.stages.get(&change.stage);
                let action = stage.and_then(|stage| stage.actions.get(&change.action));
                action.map_or(at, |action| action.started)
            }
        };
        let change = Change {
            pipeline,
            execution: id,
            sequence: execution.changes,
            at,
            pipeline_version: execution.definition,
            attempt: execution.attempt,
            started,
            subject,
        };
        self.effects.push(Effect::Announce(Box::new(change)));
    }

    pub(crate) fn announce_pipeline(&mut self, id: ExecutionId, state: EventState) {
        self.announce(
            id,
            Subject::Pipeline {
                state,
                trigger: None,
                comment: None,
            },
        );
    }

    pub(crate) fn announce_stage(&mut self, id: ExecutionId, stage: &str, state: EventState) {
        let retry = self
            .seen(id)
            .stages
            .get(stage)
            .and_then(|stage| stage.retry.as_ref());
        let last_retry = retry.map(|retry| retry.at);
        self.announce(
            id,
            Subject::Stage {
                stage: stage.to_owned(),
                state,
                last_retry,
            },
        );
    }
}
