//! Who waits before a stage, and who enters.

use std::sync::Arc;

use model::{Execution, ExecutionId, ExecutionMode, ExecutionStatus, state::Position};
use ports::store::Commit;

use super::{Invariant, Oracle, Tracked};

impl Oracle {
    /// I14: the way into a stage that was entered was open.
    pub(crate) fn check_entries(
        &mut self,
        commit: &Commit,
        before: &Tracked,
        was: Option<&Arc<Execution>>,
        now: &Execution,
    ) {
        let opens = matches!(
            commit.audit.cause.as_str(),
            "EnableStageTransition" | "UpdatePipeline"
        );
        let entered = now.stages.keys().filter(|name| {
            let knew = was.is_some_and(|was| was.stages.contains_key(*name));
            !knew
        });
        for stage in entered {
            let head = before.head.as_ref().and_then(|head| head.stages.get(stage));
            let transition = head.and_then(|head| head.transition.as_ref());
            if transition.is_some_and(|transition| !transition.enabled) && !opens {
                let what = format!("{} crossed the closed way into {stage}", now.id);
                self.violated(Invariant::I14, what);
            }
        }
    }

    /// I11: whoever enters in QUEUED mode has overtaken nobody; in PARALLEL mode nobody waits.
    pub(crate) fn check_queues(&mut self, commit: &Commit, before: &Tracked) {
        let name = &commit.state.head.pipeline;
        let Some(mut tracked) = self.pipelines.remove(name) else {
            return;
        };
        note_arrivals(commit, &mut tracked);
        for id in &commit.changed {
            let Some(now) = tracked.executions.get(id).cloned() else {
                continue;
            };
            let was = before.executions.get(id);
            for stage in now.stages.keys() {
                let knew = was.is_some_and(|was| was.stages.contains_key(stage));
                if knew {
                    continue;
                }
                let overtaken = tracked.overtaken(stage, *id);
                if now.mode == ExecutionMode::Queued && overtaken.is_some() {
                    self.violated(
                        Invariant::I11,
                        format!("{id} overtook {overtaken:?} at {stage}"),
                    );
                }
                if let Some(waiting) = tracked.arrivals.get_mut(stage) {
                    waiting.retain(|waits| waits != id);
                }
            }
        }
        self.check_parallel(commit, &tracked);
        self.pipelines.insert(name.clone(), tracked);
    }

    fn check_parallel(&mut self, commit: &Commit, tracked: &Tracked) {
        let head = &commit.state.head;
        for execution in commit.state.executions.values() {
            let Position::Inbound { stage, .. } = execution.position else {
                continue;
            };
            let is_parallel = execution.mode == ExecutionMode::Parallel;
            if !is_parallel || execution.status != ExecutionStatus::InProgress || head.unsettled {
                continue;
            }
            let Some(definition) = tracked.definitions.get(&execution.definition) else {
                continue;
            };
            let stage = &definition.stages[stage].name;
            let transition = head
                .stages
                .get(stage)
                .and_then(|head| head.transition.as_ref());
            if transition.is_none_or(|transition| transition.enabled) {
                let what = format!("{} waits before {stage} for nothing", execution.id);
                self.violated(Invariant::I11, what);
            }
        }
    }
}

impl Tracked {
    /// Who came to the stage before `id` and still waits there.
    fn overtaken(&self, stage: &str, id: ExecutionId) -> Option<ExecutionId> {
        let waiting = self.arrivals.get(stage)?;
        let first = *waiting.first()?;
        let execution = self.executions.get(&first)?;
        let Position::Inbound { stage: at, .. } = execution.position else {
            return None;
        };
        let definition = self.definitions.get(&execution.definition)?;
        let waits_here = definition
            .stages
            .get(at)
            .is_some_and(|there| there.name == stage);
        (first != id && waits_here && execution.status == ExecutionStatus::InProgress)
            .then_some(first)
    }
}

/// Keeps who came to which stage, and forgets who is over.
fn note_arrivals(commit: &Commit, tracked: &mut Tracked) {
    for (stage, head) in &commit.state.head.stages {
        let waiting = tracked.arrivals.entry(stage.clone()).or_default();
        for id in &head.inbound {
            if !waiting.contains(id) {
                waiting.push(*id);
            }
        }
    }
    let executions = &tracked.executions;
    for waiting in tracked.arrivals.values_mut() {
        waiting.retain(|id| {
            let status = executions.get(id).map(|execution| execution.status);
            status == Some(ExecutionStatus::InProgress)
        });
    }
}
