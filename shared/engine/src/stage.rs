//! Executions move through stages: arrive at the door, enter, work, leave (spec 30 §3–§5).

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ActionStatus, Execution, ExecutionId, ExecutionStatus, StageStatus,
    change::EventState,
    declaration::{ActionDeclaration, ExecutionMode, StageDeclaration},
    planted::{Bug, planted},
    state::{Position, StageExecution},
};

use crate::{definition::is_outdated, limits::PARALLEL_ACTIONS_MAX, turn::Turn};

/// How often the settling loop may go round in one step. Each round moves an execution by at least
/// one stage or action, and budget bounds the actions; the rest follows with the next tick.
const ROUNDS_MAX: usize = 1_000;

impl Turn<'_> {
    /// Moves every execution as far as it can go, those in the last stages first, so that a stage
    /// is free before the one behind it looks.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for id in self.in_order_of_progress() {
                moved |= self.advance(id);
            }
            if !moved {
                return;
            }
        }
        self.unsettled = true;
    }

    fn in_order_of_progress(&self) -> Vec<ExecutionId> {
        let live = self
            .state
            .executions
            .values()
            .filter(|execution| execution.is_live());
        let mut order: Vec<_> = live
            .map(|execution| {
                let (stage, is_inbound) = match execution.position {
                    Position::Inside { stage } => (stage, false),
                    Position::Inbound { stage, .. } => (stage, true),
                    Position::Done => (usize::MAX, false),
                };
                let mut sequence = execution.sequence;
                if planted(Bug::QueueOvertaken) {
                    sequence = u64::MAX - sequence;
                }
                (std::cmp::Reverse(stage), is_inbound, sequence, execution.id)
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, _, id)| id).collect()
    }

    /// Moves one execution on, if it can move; says whether it did.
    fn advance(&mut self, id: ExecutionId) -> bool {
        if self.state.head.deleting {
            return self.drop_execution(id);
        }
        let execution = Arc::clone(self.seen(id));
        if is_outdated(&self.state.head, &execution) {
            return self.cancel(id);
        }
        match execution.position {
            Position::Done => false,
            Position::Inbound { stage, .. } => {
                execution.status == ExecutionStatus::InProgress && self.enter(id, stage)
            }
            Position::Inside { stage } => {
                let definition = self.definition_of(id);
                let stage = &definition.stages[stage];
                match execution.status {
                    ExecutionStatus::Stopping
                        if planted(Bug::StopStartsAnother) && has_more(&execution, stage) =>
                    {
                        self.work(id, stage)
                    }
                    ExecutionStatus::Stopping => self.advance_stop(id, &stage.name),
                    ExecutionStatus::InProgress => self.work(id, stage),
                    ExecutionStatus::Stopped
                    | ExecutionStatus::Succeeded
                    | ExecutionStatus::Superseded
                    | ExecutionStatus::Failed
                    | ExecutionStatus::Cancelled => false,
                }
            }
        }
    }

    /// Reaches the door of a stage, or the end (spec 30 §3, §4).
    pub(crate) fn arrive(&mut self, id: ExecutionId, stage: usize) {
        let definition = self.definition_of(id);
        let Some(declaration) = definition.stages.get(stage) else {
            let execution = self.execution(id);
            execution.position = Position::Done;
            execution.status = ExecutionStatus::Succeeded;
            self.announce_pipeline(id, EventState::Succeeded);
            return;
        };
        let since = self.now;
        self.execution(id).position = Position::Inbound { stage, since };
        match self.seen(id).mode {
            ExecutionMode::Parallel => {}
            ExecutionMode::Queued => self.queue(id, &declaration.name),
            ExecutionMode::Superseded => {
                self.queue(id, &declaration.name);
                self.supersede_waiting(&declaration.name);
            }
        }
    }

    fn queue(&mut self, id: ExecutionId, stage: &str) {
        self.forget_ended_inbound(stage);
        self.stage_head(stage).inbound.push(id);
    }

    /// A stopped execution stays visible at the door until something else waits or enters there.
    fn forget_ended_inbound(&mut self, stage: &str) {
        let inbound = self.stage_head(stage).inbound.clone();
        let waits = |id: &ExecutionId| {
            let execution = self.state.executions.get(id);
            execution.is_some_and(|execution| !execution.status.is_terminal())
        };
        let still: Vec<_> = inbound.into_iter().filter(waits).collect();
        self.stage_head(stage).inbound = still;
    }

    /// Of several that wait at one door, only the newest stays (spec 30 §4).
    fn supersede_waiting(&mut self, stage: &str) {
        let inbound = self.stage_head(stage).inbound.clone();
        let newest = inbound.iter().copied().max_by_key(|id| {
            let sequence = self.seen(*id).sequence;
            if planted(Bug::OlderSupersedes) {
                return u64::MAX - sequence;
            }
            sequence
        });
        let Some(newest) = newest else { return };
        for id in inbound.into_iter().filter(|id| *id != newest) {
            let execution = self.execution(id);
            execution.status = ExecutionStatus::Superseded;
            execution.position = Position::Done;
            self.announce_pipeline(id, EventState::Superseded);
        }
        self.stage_head(stage).inbound = vec![newest];
    }

    /// Enters the stage if it is free, its transition enabled, and nobody comes first.
    fn enter(&mut self, id: ExecutionId, stage: usize) -> bool {
        let name = self.definition_of(id).stages[stage].name.clone();
        let is_parallel = self.is_parallel(id);
        let head = self.stage_head(&name);
        if head
            .transition
            .as_ref()
            .is_some_and(|transition| !transition.enabled)
            && !planted(Bug::TransitionCrossed)
        {
            return false;
        }
        if !is_parallel {
            if head.lock.is_some() {
                return false;
            }
            self.forget_ended_inbound(&name);
            let head = self.stage_head(&name);
            if head.inbound.first() != Some(&id) && !planted(Bug::QueueOvertaken) {
                return false;
            }
            head.inbound.retain(|waits| *waits != id);
            head.lock = Some(id);
            head.latest = Some(id);
        }
        let entered = self.now;
        let execution = self.execution(id);
        execution.position = Position::Inside { stage };
        let begun = StageExecution {
            status: StageStatus::InProgress,
            entered,
            actions: BTreeMap::new(),
            retry: None,
        };
        execution.stages.insert(name.clone(), begun);
        self.announce_stage(id, &name, EventState::Started);
        true
    }

    /// Starts what can start in the stage; fails or leaves it when its actions have (spec 30 §5).
    fn work(&mut self, id: ExecutionId, stage: &StageDeclaration) -> bool {
        let running = &self.seen(id).stages[&stage.name];
        let states = stage.actions.iter().map(|action| standing(running, action));
        if states.clone().any(|standing| standing == Standing::Failed) {
            self.fail_stage(id, &stage.name);
            return true;
        }
        let order_of = |action: &&ActionDeclaration| {
            (standing(running, action) != Standing::Succeeded).then_some(action.run_order)
        };
        let Some(group) = stage.actions.iter().filter_map(|a| order_of(&a)).min() else {
            self.leave(id, &stage.name);
            return true;
        };
        let ready: Vec<&ActionDeclaration> = stage
            .actions
            .iter()
            .filter(|action| action.run_order == group)
            .filter(|action| standing(running, action) == Standing::Ready)
            .collect();
        let in_progress = states
            .filter(|standing| *standing == Standing::InProgress)
            .count();
        let room = if self.is_parallel(id) {
            PARALLEL_ACTIONS_MAX.saturating_sub(in_progress)
        } else {
            usize::MAX
        };
        let mut moved = false;
        for action in ready.into_iter().take(room) {
            if !self.afford() {
                break;
            }
            self.begin_action(id, &stage.name, action);
            moved = true;
        }
        moved
    }

    fn fail_stage(&mut self, id: ExecutionId, stage: &str) {
        self.stage_execution(id, stage).status = StageStatus::Failed;
        self.announce_stage(id, stage, EventState::Failed);
        self.execution(id).status = ExecutionStatus::Failed;
        self.announce_pipeline(id, EventState::Failed);
        self.release_lock(id, stage);
    }

    fn leave(&mut self, id: ExecutionId, stage: &str) {
        self.stage_execution(id, stage).status = StageStatus::Succeeded;
        self.announce_stage(id, stage, EventState::Succeeded);
        self.release_lock(id, stage);
        let Position::Inside { stage } = self.seen(id).position else {
            return;
        };
        self.arrive(id, stage + 1);
    }

    /// Lets the next one in, once no action of the holder is in progress any more (spec 30 §3).
    pub(crate) fn release_lock(&mut self, id: ExecutionId, stage: &str) {
        let runs = self.seen(id).has_actions_in_progress();
        if runs && !planted(Bug::LockReleasedEarly) {
            return;
        }
        let head = self.stage_head(stage);
        if head.lock == Some(id) {
            head.lock = None;
        }
    }
}

/// Where an action of a stage stands, for deciding what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ready,
    InProgress,
    Succeeded,
    Failed,
}

fn standing(stage: &StageExecution, action: &ActionDeclaration) -> Standing {
    let Some(state) = stage.actions.get(&action.name) else {
        return Standing::Ready;
    };
    if state.rerun {
        return Standing::Ready;
    }
    match state.status {
        ActionStatus::InProgress => Standing::InProgress,
        ActionStatus::Succeeded => Standing::Succeeded,
        ActionStatus::Failed | ActionStatus::Abandoned => Standing::Failed,
    }
}

/// Whether a stage in which nothing failed has actions that were not begun.
fn has_more(execution: &Execution, stage: &StageDeclaration) -> bool {
    let running = &execution.stages[&stage.name].actions;
    let ended_well = running
        .values()
        .all(|action| action.status == ActionStatus::Succeeded);
    ended_well && running.len() < stage.actions.len()
}
