//! Whether a commit may follow the one before it.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    ActionStatus, Execution, ExecutionId, ExecutionMode, ExecutionStatus, derive,
    input::ApprovalDecision, state::Position,
};
use ports::store::{Commit, Message};

use super::{Invariant, Oracle, Tracked};

const HEAD_BYTES_MAX: usize = 64 * 1024;
const ITEM_BYTES_MAX: usize = 400 * 1024;
const COMMIT_ITEMS_MAX: usize = 100;

/// How often a commit is weighed: it takes longer than everything else here.
const WEIGHED_EVERY: u64 = 16;

impl Oracle {
    /// Looks at a commit that was written, and keeps it.
    pub(crate) fn committed(
        &mut self,
        commit: &Commit,
        number: Option<u64>,
        answer: Option<&ApprovalDecision>,
    ) {
        self.commits += 1;
        self.authors.insert(commit.audit.by.clone());
        let name = commit.state.head.pipeline.clone();
        let before = self.pipelines.get(&name).cloned().unwrap_or_default();
        self.check_order(commit, &before);
        self.check_locks(commit);
        self.check_results(commit, &before);
        self.check_answer(commit, &before, answer);
        self.check_deadline(commit);
        self.check_size(commit);
        for id in &commit.changed {
            let Some(now) = commit.state.executions.get(id) else {
                continue;
            };
            self.check_execution(commit, &before, before.executions.get(id), now);
        }
        self.check_tokens(commit, &before);
        if let Some(number) = number {
            self.outboxes.insert(number, commit.outbox.clone());
        }
        let after = self.pipelines.entry(name).or_default();
        after.keep(commit);
        self.check_queues(commit, &before);
    }

    /// I9: each commit is decided on the one before it.
    fn check_order(&mut self, commit: &Commit, before: &Tracked) {
        if commit.expected_version != before.version {
            let (expected, found) = (commit.expected_version, before.version);
            self.violated(
                Invariant::I9,
                format!("a commit on version {expected} replaced {found}"),
            );
        }
        if !self.commit_ids.insert(commit.id) {
            self.violated(
                Invariant::I9,
                format!("commit {} was written twice", commit.id),
            );
        }
        if let Some(head) = &before.head
            && (head.sequence > commit.state.head.sequence || head.clock > commit.state.head.clock)
        {
            self.violated(Invariant::I9, "the head went back");
        }
        for (id, was) in &before.executions {
            match commit.state.executions.get(id) {
                None if was.is_live() => {
                    self.violated(
                        Invariant::I9,
                        format!("{id} was live and a commit forgot it"),
                    );
                }
                Some(now) if is_stale(commit, was, now) => {
                    self.violated(
                        Invariant::I9,
                        format!("a commit knew {id} as it had been earlier"),
                    );
                }
                Some(_) | None => {}
            }
        }
        let known: BTreeSet<_> = before.executions.keys().chain(&commit.changed).collect();
        if known.len() as u64 != commit.state.head.sequence {
            let (known, counted) = (known.len(), commit.state.head.sequence);
            let what = format!("{known} executions are known and {counted} were started");
            self.violated(Invariant::I23, what);
        }
    }

    /// I1: nobody shares a stage.
    fn check_locks(&mut self, commit: &Commit) {
        let state = &commit.state;
        if let Err(violation) = engine::check(state) {
            self.violated(
                super::of_defect(&violation.to_string()),
                violation.to_string(),
            );
        }
        let mut inside = BTreeSet::new();
        for execution in state.executions.values().filter(|e| e.is_live()) {
            let Position::Inside { stage } = execution.position else {
                continue;
            };
            if execution.mode == ExecutionMode::Parallel {
                continue;
            }
            let name = &state.definitions[&execution.definition].stages[stage].name;
            if !inside.insert(name) {
                self.violated(
                    Invariant::I1,
                    format!("two executions are inside stage {name}"),
                );
            }
        }
    }

    /// I8: a result is of the attempt that is in progress, and settles it once.
    fn check_results(&mut self, commit: &Commit, before: &Tracked) {
        for update in &commit.updates {
            let attempt = (
                update.execution,
                update.stage.clone(),
                update.action.clone(),
                update.attempt,
            );
            let was = before.executions.get(&update.execution);
            let state = was.and_then(|e| e.stages.get(&update.stage)?.actions.get(&update.action));
            let is_open = state.is_some_and(|state| {
                state.status == ActionStatus::InProgress && state.attempt == update.attempt
            });
            let is_begun = commit
                .begun
                .iter()
                .any(|(job, _)| job.action_execution_id == update.action_execution_id);
            if !is_open && !is_begun {
                self.violated(
                    Invariant::I8,
                    format!("a result for {attempt:?}, which is not open"),
                );
            }
            if update.status != ActionStatus::InProgress && !self.settled.insert(attempt.clone()) {
                self.violated(Invariant::I8, format!("{attempt:?} was settled twice"));
            }
            let marker = update
                .output
                .summary
                .as_deref()
                .filter(|_| update.by.is_none());
            if marker.is_some_and(|marker| marker != update.action_execution_id.to_string()) {
                let what = format!("{attempt:?} took the result of {marker:?}");
                self.violated(Invariant::I8, what);
            }
        }
    }

    /// I13: an approval that a person ended was ended by the answer that was given, with its own
    /// token, and in time.
    fn check_answer(
        &mut self,
        commit: &Commit,
        before: &Tracked,
        answer: Option<&ApprovalDecision>,
    ) {
        let answered = commit.updates.iter().filter(|update| update.by.is_some());
        for update in answered {
            let what = format!("{}/{}#{}", update.stage, update.action, update.attempt);
            let Some(answer) = answer else {
                self.violated(Invariant::I13, format!("{what} was answered by nobody"));
                continue;
            };
            let Some(was) = before.executions.get(&update.execution) else {
                continue;
            };
            let token =
                derive::attempt_token(was.secret, &update.stage, &update.action, update.attempt);
            if token != answer.token {
                self.violated(
                    Invariant::I13,
                    format!("{what} was answered with a foreign token"),
                );
            }
            let state = was
                .stages
                .get(&update.stage)
                .and_then(|s| s.actions.get(&update.action));
            if state.is_some_and(|state| state.until.is_some_and(|until| until <= update.at)) {
                self.violated(
                    Invariant::I13,
                    format!("{what} was answered after it expired"),
                );
            }
            if state.is_some_and(|state| state.decided) {
                self.violated(Invariant::I13, format!("{what} was answered twice"));
            }
            self.sometimes("an approval was answered");
        }
    }

    /// I15: what waits has a deadline, and nothing else has.
    fn check_deadline(&mut self, commit: &Commit) {
        let live = commit
            .state
            .executions
            .values()
            .flat_map(|e| e.stages.values());
        let actions = live.flat_map(|stage| stage.actions.values());
        let in_progress: Vec<_> = actions
            .filter(|a| a.status == ActionStatus::InProgress)
            .collect();
        if in_progress.iter().any(|action| action.until.is_none()) {
            self.violated(Invariant::I15, "an action in progress has no deadline");
        }
        let earliest = in_progress.iter().filter_map(|action| action.until).min();
        let written = commit.deadline;
        let is_right = if commit.state.head.unsettled {
            written.is_some_and(|written| earliest.is_none_or(|earliest| written <= earliest))
        } else {
            written == earliest
        };
        if !is_right {
            let what = format!("the deadline {written:?} is written and {earliest:?} is the next");
            self.violated(Invariant::I15, what);
        }
    }

    /// I17: items and commits have a largest size.
    fn check_size(&mut self, commit: &Commit) {
        let new_definition = usize::from(commit.new_definition);
        let begun: BTreeSet<_> = commit
            .begun
            .iter()
            .map(|(job, _)| job.action_execution_id)
            .collect();
        let updated = commit
            .updates
            .iter()
            .map(|update| update.action_execution_id);
        let attempts = begun
            .iter()
            .copied()
            .chain(updated)
            .collect::<BTreeSet<_>>()
            .len();
        // The head, the journal entry and a token come on top.
        let items = 3 + commit.changed.len() + attempts + new_definition;
        if items > COMMIT_ITEMS_MAX {
            self.violated(Invariant::I17, format!("a commit of {items} items"));
        }
        if !self.commits.is_multiple_of(WEIGHED_EVERY) {
            return;
        }
        let weigh = |text: serde_json::Result<String>| text.map_or(usize::MAX, |text| text.len());
        let head = weigh(serde_json::to_string(&commit.state.head));
        if head > HEAD_BYTES_MAX {
            self.violated(Invariant::I17, format!("a head of {head} bytes"));
        }
        for id in &commit.changed {
            let execution = weigh(serde_json::to_string(&commit.state.executions[id]));
            if execution > ITEM_BYTES_MAX {
                self.violated(Invariant::I17, format!("an execution of {execution} bytes"));
            }
        }
    }

    /// I2b: no two executions have the same token, which starts write into their trigger.
    fn check_tokens(&mut self, commit: &Commit, before: &Tracked) {
        let is_new = |id: &&ExecutionId| !before.executions.contains_key(*id);
        for id in commit.changed.iter().filter(is_new) {
            let Some(now) = commit.state.executions.get(id) else {
                continue;
            };
            let token = &now.trigger.detail;
            let mut others = before.executions.values();
            if token.starts_with("token-") && others.any(|other| other.trigger.detail == *token) {
                self.violated(
                    Invariant::I2b,
                    format!("{token} started another execution, {id}"),
                );
            }
        }
    }

    /// I6: nothing is in progress long after its deadline.
    pub(crate) fn check_overdue(&mut self, allowance: model::Timestamp) {
        if let Some(deadline) = self
            .next_deadline()
            .filter(|deadline| *deadline < allowance)
        {
            let what = format!(
                "an action is in progress although it ran out at {}",
                deadline.0
            );
            self.violated(Invariant::I6, what);
        }
    }

    /// I16: nothing waits in an outbox for long.
    pub(crate) fn check_outboxes(
        &mut self,
        left: &[ports::store::Outbox],
        allowance: model::Timestamp,
    ) {
        if let Some(old) = left.iter().find(|outbox| outbox.at < allowance) {
            let count = old
                .messages
                .iter()
                .filter(|m| matches!(m, Message::Job(_)))
                .count();
            let what = format!("outbox {} with {count} jobs is still there", old.commit);
            self.violated(Invariant::I16, what);
        }
    }
}

impl Tracked {
    fn keep(&mut self, commit: &Commit) {
        self.version += 1;
        self.head = Some(commit.state.head.clone());
        for (version, definition) in &commit.state.definitions {
            self.definitions.insert(*version, Arc::clone(definition));
        }
        for id in &commit.changed {
            if let Some(execution) = commit.state.executions.get(id) {
                self.executions.insert(*id, Arc::clone(execution));
            }
        }
    }
}

/// Whether a commit took an execution for what it had been earlier: it changed unseen, or its
/// announcements are numbered again from an earlier one.
fn is_stale(commit: &Commit, was: &Arc<Execution>, now: &Arc<Execution>) -> bool {
    if !commit.changed.contains(&was.id) {
        return now != was;
    }
    let announces_again = commit.outbox.iter().any(|message| match message {
        Message::Change(change) => change.execution == was.id && change.sequence <= was.changes,
        Message::Job(_) | Message::Cancel(_) | Message::Ask(_) => false,
    });
    announces_again || now.changes < was.changes
}

/// Whether an execution can still be stopped, answered or waited for.
pub(crate) fn is_over(execution: &Execution) -> bool {
    match execution.status {
        ExecutionStatus::InProgress | ExecutionStatus::Stopping => false,
        ExecutionStatus::Stopped
        | ExecutionStatus::Succeeded
        | ExecutionStatus::Superseded
        | ExecutionStatus::Failed
        | ExecutionStatus::Cancelled => !execution.has_actions_in_progress(),
    }
}
