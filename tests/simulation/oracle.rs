//! What must hold whatever goes wrong: the invariants, checked after every commit and every answer.
//!
//! It looks at what was written, not at how it came about. The names are those of the plan of
//! tests: I1 to I23.

mod commit;
mod ending;
mod execution;
mod queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use model::{
    AttemptKey, Change, Execution, ExecutionId, PipelineDeclaration, Timestamp,
    effect::ApprovalRequest, state::Head,
};
use ports::store::Message;
use uuid::Uuid;

/// An invariant, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// A stage holds at most one execution, and that one has its lock.
    I1,
    /// What was accepted is never lost.
    I2,
    /// One client request token starts one execution.
    I2b,
    /// Statuses move along the published edges; what has ended stays so.
    I3,
    /// Only a newer execution supersedes, and only one that waits.
    I4,
    /// Everything ends by its deadline.
    I6,
    /// Every change is announced exactly once, without a gap.
    I7,
    /// A result counts for the attempt that it is of, once.
    I8,
    /// Each commit follows the one before it, and the journal tells what is stored.
    I9,
    /// An execution keeps to its own definition.
    I10,
    /// A queue keeps its order; parallel executions do not wait for each other.
    I11,
    /// An approval is answered with its own token, in time, once.
    I13,
    /// Nobody crosses a disabled transition.
    I14,
    /// Every wait has a deadline that is written down.
    I15,
    /// An outbox is handed out before it is marked, and soon.
    I16,
    /// Everything has a largest size.
    I17,
    /// A stopping execution begins nothing; an abandoned one ends at once.
    I22,
    /// No execution appears or vanishes.
    I23,
    /// A handler panicked, which is never right.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// One pipeline as the commits made it.
#[derive(Clone, Default)]
pub(crate) struct Tracked {
    pub(crate) version: u64,
    pub(crate) head: Option<Head>,
    pub(crate) definitions: BTreeMap<u32, Arc<PipelineDeclaration>>,
    /// Every execution that ever was.
    pub(crate) executions: BTreeMap<ExecutionId, Arc<Execution>>,
    /// Who waits at which stage, in the order in which they came.
    arrivals: BTreeMap<String, Vec<ExecutionId>>,
}

type Attempt = (ExecutionId, String, String, u32);

#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) pipelines: BTreeMap<String, Tracked>,
    pub(crate) violation: Option<Violation>,
    pub(crate) commits: u64,
    pub(crate) asks: Vec<ApprovalRequest>,
    sometimes: BTreeSet<&'static str>,
    commit_ids: BTreeSet<Uuid>,
    /// Who changed something, by the name that each request has of its own.
    authors: BTreeSet<String>,
    tokens: BTreeMap<(String, String), ExecutionId>,
    settled: BTreeSet<Attempt>,
    /// How often a pipeline event told of an end.
    endings: BTreeMap<ExecutionId, u32>,
    /// What each commit left to hand out, and what was handed out.
    outboxes: BTreeMap<u64, Vec<Message>>,
    offers: BTreeSet<Uuid>,
    cancels: BTreeSet<AttemptKey>,
    asked: BTreeSet<AttemptKey>,
    received: BTreeMap<ExecutionId, BTreeMap<u32, Change>>,
}

impl Oracle {
    /// Notes a violation; the first one counts.
    pub(crate) fn violated(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violation.is_none() {
            let what = what.into();
            self.violation = Some(Violation { invariant, what });
        }
    }

    /// Notes that something which ought to happen in some run has happened.
    pub(crate) fn sometimes(&mut self, what: &'static str) {
        self.sometimes.insert(what);
    }

    pub(crate) fn happened(&self) -> BTreeSet<&'static str> {
        self.sometimes.clone()
    }

    pub(crate) fn offered(&mut self, job: Uuid) {
        self.offers.insert(job);
    }

    pub(crate) fn cancelled(&mut self, key: &AttemptKey) {
        self.cancels.insert(key.clone());
    }

    pub(crate) fn asked(&mut self, request: &ApprovalRequest) {
        if self.asked.insert(request.key.clone()) {
            self.asks.push(request.clone());
        }
    }

    pub(crate) fn published(&mut self, changes: &[Change]) {
        for change in changes {
            let of_execution = self.received.entry(change.execution).or_default();
            let earlier = of_execution.insert(change.sequence, change.clone());
            if earlier.is_some_and(|earlier| earlier != *change) {
                let what = format!(
                    "change {} of {} was told twice, differently",
                    change.sequence, change.execution
                );
                self.violated(Invariant::I7, what);
            }
        }
    }

    /// I16: whoever marks an outbox has handed out what is in it.
    pub(crate) fn marked(&mut self, commits: &[u64]) {
        for commit in commits {
            let Some(messages) = self.outboxes.remove(commit) else {
                continue;
            };
            let missing = messages
                .iter()
                .find(|message| !self.was_handed_out(message));
            if let Some(missing) = missing {
                let what =
                    format!("outbox {commit} is marked and this was not handed out: {missing:?}");
                self.violated(Invariant::I16, what);
            }
        }
    }

    fn was_handed_out(&self, message: &Message) -> bool {
        match message {
            Message::Job(job) => self.offers.contains(&job.action_execution_id),
            Message::Cancel(key) => self.cancels.contains(key),
            Message::Ask(request) => self.asked.contains(&request.key),
            Message::Change(change) => {
                let of_execution = self.received.get(&change.execution);
                of_execution.is_some_and(|received| received.contains_key(&change.sequence))
            }
        }
    }

    /// I2: a request that was answered with success has changed something.
    pub(crate) fn accepted(&mut self, by: &str, what: &str) {
        if !self.authors.contains(by) {
            self.violated(
                Invariant::I2,
                format!("{what} by {by} was accepted and is nowhere"),
            );
        }
    }

    /// I2, I2b: a start that was answered has made its execution, the same for the same token.
    pub(crate) fn started(&mut self, pipeline: &str, token: Option<&str>, id: ExecutionId) {
        let known = self
            .pipelines
            .get(pipeline)
            .is_some_and(|p| p.executions.contains_key(&id));
        if !known {
            self.violated(Invariant::I2, format!("{id} was started and is nowhere"));
        }
        if let Some(token) = token {
            let place = (pipeline.to_owned(), token.to_owned());
            let first = *self.tokens.entry(place).or_insert(id);
            if first != id {
                let what = format!("token {token} started {first} and {id}");
                self.violated(Invariant::I2b, what);
            }
        }
    }

    /// The next time at which something runs out.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let executions = self.pipelines.values().flat_map(|p| p.executions.values());
        let stages = executions.flat_map(|execution| execution.stages.values());
        let actions = stages.flat_map(|stage| stage.actions.values());
        actions.filter_map(|action| action.until).min()
    }

    pub(crate) fn live(&self) -> usize {
        let executions = self.pipelines.values().flat_map(|p| p.executions.values());
        executions.filter(|execution| execution.is_live()).count()
    }

    pub(crate) fn executions(&self) -> usize {
        self.pipelines
            .values()
            .map(|pipeline| pipeline.executions.len())
            .sum()
    }
}

/// Which invariant the engine's own complaint is about.
pub(crate) fn of_defect(what: &str) -> Invariant {
    if what.contains("lock") {
        Invariant::I1
    } else if what.contains("deadline") {
        Invariant::I15
    } else if what.contains("superseded") || what.contains("SUPERSEDED") {
        Invariant::I4
    } else {
        Invariant::I6
    }
}
