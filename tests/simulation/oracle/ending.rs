//! What must hold when everything has come to its end.

use std::collections::BTreeMap;

use model::{Change, ExecutionId, ExecutionStatus, PipelineState, Subject};
use ports::store::JournalEntry;

use super::{Invariant, Oracle};

impl Oracle {
    /// I6: everything has ended.
    pub(crate) fn check_ended(&mut self) {
        let executions = self.pipelines.values().flat_map(|p| p.executions.values());
        let open = executions.filter(|execution| !super::commit::is_over(execution));
        let open: Vec<String> = open.map(|e| format!("{} ({:?})", e.id, e.status)).collect();
        if !open.is_empty() {
            self.violated(
                Invariant::I6,
                format!("these never end: {}", open.join(", ")),
            );
        }
    }

    /// I7: whoever listens has heard of every change.
    pub(crate) fn check_received(&mut self) {
        let executions = self.pipelines.values().flat_map(|p| p.executions.values());
        let silent = executions.filter(|execution| {
            let received = self.received.get(&execution.id);
            let sequences = received.into_iter().flat_map(BTreeMap::keys).copied();
            !sequences.eq(1..=execution.changes)
        });
        let silent: Vec<String> = silent.map(|execution| execution.id.to_string()).collect();
        if !silent.is_empty() {
            let what = format!("not every change was heard of: {}", silent.join(", "));
            self.violated(Invariant::I7, what);
        }
    }

    /// I9: what is stored is what the commits wrote, and what the journal tells.
    pub(crate) fn check_stored(&mut self, stored: &PipelineState, version: u64) {
        let Some(tracked) = self.pipelines.get(&stored.head.pipeline) else {
            return;
        };
        let is_same = tracked.head.as_ref() == Some(&stored.head) && tracked.version == version;
        if !is_same {
            self.violated(Invariant::I9, "the stored head is not the last one written");
        }
    }

    pub(crate) fn check_journal(&mut self, journal: &[JournalEntry]) {
        let mut told: BTreeMap<ExecutionId, (u32, ExecutionStatus)> = BTreeMap::new();
        for change in journal.iter().flat_map(|entry| &entry.changes) {
            let (sequence, status) = told
                .entry(change.execution)
                .or_insert((0, ExecutionStatus::InProgress));
            if change.sequence != *sequence + 1 {
                let what = format!("the journal of {} has a gap", change.execution);
                self.violated(Invariant::I9, what);
                return;
            }
            *sequence = change.sequence;
            if let Some(told) = told_status(change) {
                *status = told;
            }
        }
        let executions = self.pipelines.values().flat_map(|p| p.executions.values());
        let differs = executions
            .filter(|e| told.get(&e.id).map(|(_, status)| *status) != Some(e.status))
            .map(|e| e.id);
        let differs: Vec<ExecutionId> = differs.collect();
        if !differs.is_empty() {
            self.violated(
                Invariant::I9,
                format!("the journal tells otherwise of {differs:?}"),
            );
        }
    }

    /// I23: each start is one execution.
    pub(crate) fn check_counted(&mut self, pipeline: &str, listed: usize) {
        let known = self
            .pipelines
            .get(pipeline)
            .map_or(0, |p| p.executions.len());
        if known != listed {
            let what =
                format!("{known} executions of {pipeline} were written and {listed} are there");
            self.violated(Invariant::I23, what);
        }
    }
}

fn told_status(change: &Change) -> Option<ExecutionStatus> {
    match &change.subject {
        Subject::Pipeline { state, .. } => Some(super::execution::is_of(*state)),
        Subject::Stage { .. } | Subject::Action(_) => None,
    }
}
