//! What was asked for and what was answered, as the people outside remember it.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that the server answered for, in all its lives.
#[derive(Default)]
pub(super) struct Ledger {
    /// By client request token.
    pub(super) starts: BTreeMap<String, Start>,
    /// By the token of the approval.
    pub(super) answers: BTreeMap<String, Decision>,
    /// Executions whose stop was acknowledged.
    pub(super) stopped: BTreeSet<String>,
    /// What the builds of an execution had noted when its build was known to have succeeded.
    pub(super) built: BTreeMap<String, String>,
}

/// An execution that somebody asked for.
pub(super) struct Start {
    pub(super) pipeline: String,
    /// None as long as no answer came.
    pub(super) execution: Option<String>,
}

/// An answer to an approval.
#[derive(Clone)]
pub(super) struct Decision {
    pub(super) pipeline: String,
    pub(super) execution: String,
    pub(super) summary: String,
    pub(super) approved: bool,
    /// Whether the server said that it has it.
    pub(super) acknowledged: bool,
}

impl Ledger {
    pub(super) fn summary(&self) -> String {
        let acknowledged = |decision: &&Decision| decision.acknowledged;
        format!(
            "{} executions asked for, {} approvals answered, {} executions stopped",
            self.starts.len(),
            self.answers.values().filter(acknowledged).count(),
            self.stopped.len()
        )
    }
}
