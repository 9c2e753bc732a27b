//! Whether one execution may become what a commit made of it.

use std::sync::Arc;

use model::{
    ActionStatus, Change, Execution, ExecutionMode, ExecutionStatus, StageStatus, Subject,
    change::EventState, state::Position,
};
use ports::store::{Commit, Message};

use super::{Invariant, Oracle, Tracked};

impl Oracle {
    pub(crate) fn check_execution(
        &mut self,
        commit: &Commit,
        before: &Tracked,
        was: Option<&Arc<Execution>>,
        now: &Arc<Execution>,
    ) {
        if let Some(was) = was {
            self.check_edges(was, now);
            if now.status == ExecutionStatus::Superseded && was.status != now.status {
                self.check_superseded(commit, was, now);
            }
            self.check_stopping(commit, was, now);
        }
        self.check_changes(commit, was, now);
        self.check_jobs(commit, before, now);
        self.check_entries(commit, before, was, now);
    }

    /// I3: along the edges of spec 30 §1.
    fn check_edges(&mut self, was: &Execution, now: &Execution) {
        use ExecutionStatus::{Cancelled, Failed, Stopped, Superseded};
        let id = now.id;
        let is_retried = now.attempt > was.attempt;
        let moves = match was.status {
            ExecutionStatus::InProgress => true,
            ExecutionStatus::Stopping => {
                matches!(now.status, ExecutionStatus::Stopping | Stopped)
            }
            Failed | Stopped if is_retried => !matches!(now.status, Superseded | Cancelled),
            Failed | Stopped | Superseded | Cancelled | ExecutionStatus::Succeeded => {
                now.status == was.status
            }
        };
        if !moves {
            let what = format!("{id} was {:?} and became {:?}", was.status, now.status);
            self.violated(Invariant::I3, what);
        }
        for (name, stage) in &was.stages {
            let Some(then) = now.stages.get(name) else {
                self.violated(Invariant::I3, format!("{id} never was in stage {name}"));
                continue;
            };
            let moves = match stage.status {
                StageStatus::InProgress => true,
                StageStatus::Stopping => {
                    matches!(then.status, StageStatus::Stopping | StageStatus::Stopped)
                }
                StageStatus::Failed | StageStatus::Stopped => {
                    is_retried || then.status == stage.status
                }
                StageStatus::Succeeded | StageStatus::Cancelled => then.status == stage.status,
            };
            if !moves {
                let what = format!(
                    "stage {name} of {id} was {:?} and became {:?}",
                    stage.status, then.status
                );
                self.violated(Invariant::I3, what);
            }
            for (action, state) in &stage.actions {
                let later = then.actions.get(action);
                let stays = later.is_some_and(|later| {
                    later.attempt > state.attempt
                        || state.status == ActionStatus::InProgress
                        || (later.attempt == state.attempt && later.status == state.status)
                });
                if !stays {
                    let what = format!("action {action} of {id} moved after it had ended");
                    self.violated(Invariant::I3, what);
                }
            }
        }
    }

    /// I4: by a newer one, while it waited, in the mode that has it.
    fn check_superseded(&mut self, commit: &Commit, was: &Execution, now: &Execution) {
        self.sometimes("an execution was superseded");
        let others = commit.state.executions.values();
        let by_newer = others
            .filter(|other| other.status == ExecutionStatus::InProgress)
            .any(|other| other.sequence > now.sequence);
        let waited = matches!(
            was.position,
            Position::Inbound { .. } | Position::Inside { .. }
        );
        if !by_newer || !waited || now.mode != ExecutionMode::Superseded {
            self.violated(
                Invariant::I4,
                format!("{} was superseded by nobody newer", now.id),
            );
        }
    }

    /// I22: a stop begins nothing, and abandoning ends at once.
    fn check_stopping(&mut self, commit: &Commit, was: &Execution, now: &Execution) {
        let is_of_it = |key: &model::AttemptKey| key.execution == now.id;
        let begins = commit.begun.iter().any(|(job, _)| is_of_it(&job.key));
        if was.status == ExecutionStatus::Stopping && now.attempt == was.attempt && begins {
            self.violated(
                Invariant::I22,
                format!("{} is stopping and begins an action", now.id),
            );
        }
        let abandons = now.stop.as_ref().is_some_and(|stop| stop.abandon);
        let lingers = now.status == ExecutionStatus::Stopping;
        if abandons && lingers && !commit.state.head.unsettled {
            self.violated(
                Invariant::I22,
                format!("{} is abandoned and has not stopped", now.id),
            );
        }
    }

    /// I7: every change of status is announced, in order, and an end once for each attempt.
    fn check_changes(&mut self, commit: &Commit, was: Option<&Arc<Execution>>, now: &Execution) {
        let changes: Vec<&Change> = commit
            .outbox
            .iter()
            .filter_map(|message| match message {
                Message::Change(change) if change.execution == now.id => Some(change),
                Message::Change(_) | Message::Job(_) | Message::Cancel(_) | Message::Ask(_) => None,
            })
            .collect();
        let known = was.map_or(0, |was| was.changes);
        let announced = changes.iter().map(|change| change.sequence);
        if !announced.eq(known + 1..=now.changes) {
            let what = format!("the changes of {} do not follow {known}", now.id);
            self.violated(Invariant::I7, what);
        }
        let of_pipeline = changes.iter().filter_map(|change| match &change.subject {
            Subject::Pipeline { state, .. } => Some(*state),
            Subject::Stage { .. } | Subject::Action(_) => None,
        });
        let last = of_pipeline.clone().next_back();
        let moved = was.is_none_or(|was| was.status != now.status || was.attempt != now.attempt);
        if moved && last.map(is_of) != Some(now.status) {
            let what = format!(
                "{} became {:?} and {last:?} was announced",
                now.id, now.status
            );
            self.violated(Invariant::I7, what);
        }
        let ends = of_pipeline
            .filter(|state| is_of(*state).is_terminal())
            .count();
        let count = self.endings.entry(now.id).or_default();
        *count += u32::try_from(ends).unwrap_or(u32::MAX);
        let count = *count;
        let expected = now.attempt - u32::from(!now.status.is_terminal());
        if count != expected {
            let what = format!(
                "{} ended {expected} times, and {count} ends were announced",
                now.id
            );
            self.violated(Invariant::I7, what);
        }
    }

    /// I10: a job is what the execution's own definition says.
    fn check_jobs(&mut self, commit: &Commit, before: &Tracked, now: &Execution) {
        for (job, _) in commit
            .begun
            .iter()
            .filter(|(job, _)| job.key.execution == now.id)
        {
            let definition = commit
                .state
                .definitions
                .get(&now.definition)
                .or_else(|| before.definitions.get(&now.definition));
            let stage = definition.and_then(|definition| definition.stage(&job.key.stage));
            let action = stage.and_then(|(_, stage)| stage.action(&job.key.action));
            let is_same = action.is_some_and(|action| {
                action.configuration == job.configuration
                    && action.action_type_id == job.action_type
            });
            if !is_same || job.pipeline_version != now.definition {
                let key = &job.key;
                let what = format!(
                    "{}/{} of {} is not of its definition",
                    key.stage, key.action, now.id
                );
                self.violated(Invariant::I10, what);
            }
        }
    }
}

/// The status that an event tells of.
pub(super) fn is_of(state: EventState) -> ExecutionStatus {
    match state {
        EventState::Started | EventState::Resumed => ExecutionStatus::InProgress,
        EventState::Stopping => ExecutionStatus::Stopping,
        EventState::Stopped | EventState::Abandoned => ExecutionStatus::Stopped,
        EventState::Succeeded => ExecutionStatus::Succeeded,
        EventState::Superseded => ExecutionStatus::Superseded,
        EventState::Failed => ExecutionStatus::Failed,
        EventState::Canceled => ExecutionStatus::Cancelled,
    }
}
