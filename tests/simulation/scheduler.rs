//! Simulated time: a heap of what happens when, and the handlers that wait in between.
//!
//! Everything runs in one thread. A handler is a future that waits at [`Shared::pause`] before each
//! thing it does to the world; there it may be delayed, overtaken, or dropped for good.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    future::Future,
    hash::{DefaultHasher, Hash},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use model::{Timestamp, input::ApprovalDecision};
use ports::store::Commit;

use crate::{
    chance::{Chance, Faults},
    messages::Message,
    oracle::Oracle,
};

/// The longest that a handler pauses.
const PAUSE_MILLIS_MAX: i64 = 15 * 60_000;

pub(crate) type TaskId = u64;

/// What the heap holds.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Resume(TaskId),
    Deliver(Box<Message>),
    User,
    Sweep,
    Crash,
    Heal,
}

struct Entry {
    happening: Happening,
    is_of_sweep: bool,
}

/// What the handlers, the adapters and the scheduler share.
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    pub(crate) oracle: Oracle,
    pub(crate) trace: DefaultHasher,
    pub(crate) events: u64,
    heap: BinaryHeap<Reverse<(Timestamp, u64, u64)>>,
    entries: BTreeMap<u64, Entry>,
    next: u64,
    /// Which handler runs now, and what it is.
    pub(crate) current: TaskId,
    pub(crate) is_of_sweep: bool,
    pub(crate) killed: bool,
    /// The answers that people are giving, by the handler that carries them.
    pub(crate) answers: BTreeMap<TaskId, ApprovalDecision>,
}

#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn new(mut chance: Chance, faults: Faults, now: Timestamp) -> Self {
        let oracle = Oracle::default();
        let chance = Chance::new(chance.next());
        Self(Arc::new(Mutex::new(State {
            now,
            chance,
            faults,
            oracle,
            trace: DefaultHasher::new(),
            events: 0,
            heap: BinaryHeap::new(),
            entries: BTreeMap::new(),
            next: 0,
            current: 0,
            is_of_sweep: false,
            killed: false,
            answers: BTreeMap::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A point where the world may have its way with a handler.
    pub(crate) fn pause(&self) -> Pause {
        Pause {
            shared: self.clone(),
            waited: false,
        }
    }
}

impl State {
    /// Lets something happen after so many milliseconds.
    pub(crate) fn after(&mut self, millis: i64, happening: Happening) {
        let is_of_sweep = self.is_of_sweep || matches!(happening, Happening::Sweep);
        self.next += 1;
        let tie = self.chance.next();
        let at = Timestamp(self.now.0.saturating_add(millis.max(0)));
        self.heap.push(Reverse((at, tie, self.next)));
        let entry = Entry {
            happening,
            is_of_sweep,
        };
        self.entries.insert(self.next, entry);
    }

    /// Shows a commit that the current handler made to the oracle.
    pub(crate) fn written(&mut self, commit: &Commit, number: Option<u64>) {
        commit.id.hash(&mut self.trace);
        let answer = self.answers.get(&self.current).cloned();
        self.oracle.committed(commit, number, answer.as_ref());
    }

    /// Goes to the next happening.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        let Reverse((at, _, number)) = self.heap.pop()?;
        let entry = self.entries.remove(&number)?;
        self.now = self.now.max(at);
        self.is_of_sweep = entry.is_of_sweep;
        self.events += 1;
        (self.now.0, number).hash(&mut self.trace);
        Some(entry.happening)
    }

    /// Whether anything but the next sweep is to come.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut others = self.entries.values();
        !others.any(|entry| !matches!(entry.happening, Happening::Sweep | Happening::User))
    }

    /// Loses what a process holds in memory: messages and waiting handlers.
    pub(crate) fn lose_memory(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        for (number, entry) in entries {
            match entry.happening {
                Happening::Resume(_) | Happening::Deliver(_) => {}
                Happening::User | Happening::Sweep | Happening::Crash | Happening::Heal => {
                    self.entries.insert(number, entry);
                }
            }
        }
        let kept = &self.entries;
        self.heap
            .retain(|Reverse((_, _, number))| kept.contains_key(number));
    }
}

pub(crate) struct Pause {
    shared: Shared,
    waited: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.waited {
            return Poll::Ready(());
        }
        self.waited = true;
        let mut state = self.shared.lock();
        let faults = state.faults.clone();
        if state.chance.happens(faults.kill) {
            state.killed = true;
            state.oracle.sometimes("a handler died");
            return Poll::Pending;
        }
        let millis = if state.chance.happens(faults.pause) {
            state.chance.between(0, PAUSE_MILLIS_MAX)
        } else if state.chance.happens(400) {
            state.chance.between(0, 40)
        } else {
            drop(state);
            return Poll::Ready(());
        };
        let current = state.current;
        state.after(millis, Happening::Resume(current));
        Poll::Pending
    }
}
