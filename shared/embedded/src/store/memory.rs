//! What the store knows without asking the database: states of pipelines in use, deadlines, jobs to
//! be done, outboxes to be delivered. All of it is read from rows at the start; the writer brings it
//! up to date after each transaction and before anybody hears of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{ExecutionId, PipelineState, Timestamp};
use ports::Loaded;
use uuid::Uuid;

use super::rows::Attempt;

/// How many bytes the states in memory take as JSON; the least recently used ones make room.
const STATES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a state takes beside its executions.
const STATE_BYTES: usize = 1024;

/// A pipeline as it is after its latest commit.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) version: u64,
    pub(super) commit: Uuid,
    pub(super) deadline: Option<Timestamp>,
    pub(super) state: Arc<PipelineState>,
    /// What the writer needs of each execution in `state`.
    pub(super) live: BTreeMap<ExecutionId, Live>,
}

#[derive(Clone, Debug)]
pub(super) struct Live {
    /// The attempts of its actions, in the order in which they began.
    pub(super) attempts: Arc<[(Uuid, Attempt)]>,
    /// How large its row is.
    pub(super) bytes: usize,
}

impl Entry {
    pub(super) fn loaded(&self) -> Loaded {
        Loaded {
            state: PipelineState::clone(&self.state),
            version: self.version,
            commit: self.commit,
        }
    }

    fn bytes(&self) -> usize {
        self.live.values().map(|live| live.bytes).sum::<usize>() + STATE_BYTES
    }
}

/// What one transaction changes in memory once it is committed.
#[derive(Default)]
pub(super) struct Fresh {
    /// Pipelines as they are now; none where one has gone.
    pub(super) entries: BTreeMap<Arc<str>, Option<Arc<Entry>>>,
    pub(super) outboxes: Vec<u64>,
    /// Jobs that began, with their rows, or ended.
    pub(super) jobs: Vec<(Uuid, Option<u64>)>,
}

#[derive(Default)]
pub(super) struct Memory {
    states: States,
    pub(super) deadlines: BTreeMap<Arc<str>, Timestamp>,
    due: BTreeSet<(Timestamp, Arc<str>)>,
    /// The rows of the jobs that workers have to do, by attempt.
    pub(super) jobs: BTreeMap<Uuid, u64>,
    /// The commits whose outboxes nobody marked as delivered.
    pub(super) undelivered: BTreeSet<u64>,
    /// The number of the latest commit.
    pub(super) last: u64,
}

/// The memory, shared between the writer and everybody else; held for moments only.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Memory>>);

impl Shared {
    pub(super) fn new(memory: Memory) -> Self {
        Self(Arc::new(Mutex::new(memory)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Memory> {
        // No change of the memory can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    pub(super) fn state(&mut self, pipeline: &str) -> Option<Arc<Entry>> {
        self.states.get(pipeline)
    }

    /// Keeps a state that was read when `as_of` was the latest commit. A commit since then may have
    /// changed it, so the state is kept only when there was none.
    pub(super) fn remember(&mut self, pipeline: &str, entry: &Arc<Entry>, as_of: u64) {
        if self.last == as_of {
            self.states.put(Arc::from(pipeline), Arc::clone(entry));
        }
    }

    pub(super) fn set_deadline(&mut self, pipeline: &Arc<str>, deadline: Option<Timestamp>) {
        let before = match deadline {
            Some(at) => self.deadlines.insert(Arc::clone(pipeline), at),
            None => self.deadlines.remove(pipeline),
        };
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.due.remove(&(at, Arc::clone(pipeline)));
        }
        if let Some(at) = deadline {
            self.due.insert((at, Arc::clone(pipeline)));
        }
    }

    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<String> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        due.take(limit)
            .map(|(_, name)| String::from(&**name))
            .collect()
    }

    /// Takes over what a transaction changed, up to commit `last`.
    pub(super) fn publish(&mut self, fresh: Fresh, last: u64) {
        for (name, entry) in fresh.entries {
            self.set_deadline(&name, entry.as_ref().and_then(|entry| entry.deadline));
            match entry {
                Some(entry) => self.states.put(name, entry),
                None => self.states.remove(&name),
            }
        }
        self.undelivered.extend(fresh.outboxes);
        for (id, row) in fresh.jobs {
            match row {
                Some(row) => self.jobs.insert(id, row),
                None => self.jobs.remove(&id),
            };
        }
        self.last = last;
    }

    /// Up to which commit every outbox was delivered.
    pub(super) fn delivered_up_to(&self) -> u64 {
        self.undelivered
            .first()
            .map_or(self.last, |first| first - 1)
    }
}

/// Decoded states, the least recently used ones dropped when they take too much.
#[derive(Default)]
struct States {
    kept: HashMap<Arc<str>, Kept>,
    by_use: BTreeMap<u64, Arc<str>>,
    uses: u64,
    bytes: usize,
}

struct Kept {
    entry: Arc<Entry>,
    used: u64,
    bytes: usize,
}

impl States {
    fn get(&mut self, pipeline: &str) -> Option<Arc<Entry>> {
        let kept = self.kept.get_mut(pipeline)?;
        self.uses += 1;
        if let Some(name) = self.by_use.remove(&kept.used) {
            self.by_use.insert(self.uses, name);
        }
        kept.used = self.uses;
        Some(Arc::clone(&kept.entry))
    }

    fn remove(&mut self, pipeline: &str) {
        if let Some(kept) = self.kept.remove(pipeline) {
            self.by_use.remove(&kept.used);
            self.bytes -= kept.bytes;
        }
    }

    fn put(&mut self, pipeline: Arc<str>, entry: Arc<Entry>) {
        self.uses += 1;
        let bytes = entry.bytes();
        let kept = Kept {
            entry,
            used: self.uses,
            bytes,
        };
        if let Some(before) = self.kept.insert(Arc::clone(&pipeline), kept) {
            self.by_use.remove(&before.used);
            self.bytes -= before.bytes;
        }
        self.by_use.insert(self.uses, pipeline);
        self.bytes += bytes;
        while self.bytes > STATES_BYTES_MAX
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            if let Some(dropped) = self.kept.remove(&oldest) {
                self.bytes -= dropped.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Arc<Entry> {
        let attempts = Arc::from([]);
        let live = Live { attempts, bytes };
        Arc::new(Entry {
            number: 1,
            version: 1,
            commit: Uuid::nil(),
            deadline: None,
            state: Arc::new(PipelineState::empty("p")),
            live: [(ExecutionId(Uuid::nil()), live)].into(),
        })
    }

    #[test]
    fn the_least_recently_used_state_makes_room() {
        let mut memory = Memory::default();
        let third = STATES_BYTES_MAX / 3;
        for name in ["a", "b"] {
            memory.remember(name, &entry(third), 0);
        }
        assert!(memory.state("a").is_some());
        memory.remember("c", &entry(third), 0);
        assert!(memory.state("a").is_some());
        assert!(memory.state("b").is_none());
        assert!(memory.state("c").is_some());
    }

    #[test]
    fn a_state_that_a_commit_may_have_overtaken_is_not_kept() {
        let mut memory = Memory::default();
        memory.publish(Fresh::default(), 7);
        memory.remember("a", &entry(1), 6);
        assert!(memory.state("a").is_none());
        memory.remember("a", &entry(1), 7);
        assert!(memory.state("a").is_some());
    }

    #[test]
    fn everything_before_the_first_undelivered_outbox_was_delivered() {
        let mut memory = Memory::default();
        let outboxes = vec![2, 4];
        memory.publish(
            Fresh {
                outboxes,
                ..Fresh::default()
            },
            5,
        );
        assert_eq!(memory.delivered_up_to(), 1);
        memory.undelivered.remove(&2);
        assert_eq!(memory.delivered_up_to(), 3);
        memory.undelivered.remove(&4);
        assert_eq!(memory.delivered_up_to(), 5);
    }

    #[test]
    fn a_new_deadline_replaces_the_old_one() {
        let mut memory = Memory::default();
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        memory.set_deadline(&a, Some(Timestamp(5)));
        memory.set_deadline(&b, Some(Timestamp(4)));
        memory.set_deadline(&a, Some(Timestamp(3)));
        assert_eq!(memory.due(Timestamp(4), 9), ["a", "b"]);
        memory.set_deadline(&a, None);
        assert_eq!(memory.due(Timestamp(9), 9), ["b"]);
    }
}
