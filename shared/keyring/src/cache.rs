//! Holders that were unsealed, until their keys are changed.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use model::Timestamp;

use access::keys::Holder;

/// How many holders are kept; when there are more, all are forgotten and read again.
const HOLDERS_MAX: usize = 1_000;

/// Nobody has used it yet.
const NEVER: i64 = i64::MIN;

#[derive(Debug, Default)]
pub(super) struct Cache {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    holders: HashMap<String, Arc<Cached>>,
    /// How many times something was forgotten.
    generation: u64,
}

/// The holder of a key that is enabled.
#[derive(Debug)]
pub(super) struct Cached {
    holder: Arc<Holder>,
    disabled_at: Option<Timestamp>,
    last_used: AtomicI64,
}

impl Cached {
    pub(super) fn new(
        holder: Holder,
        disabled_at: Option<Timestamp>,
        last_used: Option<Timestamp>,
    ) -> Self {
        Self {
            holder: Arc::new(holder),
            disabled_at,
            last_used: AtomicI64::new(last_used.map_or(NEVER, |at| at.0)),
        }
    }

    /// The holder, unless the key has been disabled by then.
    pub(super) fn at(&self, now: Timestamp) -> Option<Arc<Holder>> {
        let is_over = self.disabled_at.is_some_and(|at| at <= now);
        (!is_over).then(|| Arc::clone(&self.holder))
    }
}

impl Cache {
    /// What is known of a key.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Cached>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.holders.get(id).map(Arc::clone)
    }

    /// To be asked before a key is read, and said when it is put here.
    pub(super) fn generation(&self) -> u64 {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.generation
    }

    /// Keeps a holder, if nothing was forgotten since it was about to be read: it could be this one.
    pub(super) fn put(&self, generation: u64, cached: Cached) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.generation != generation {
            return;
        }
        if inner.holders.len() >= HOLDERS_MAX {
            inner.holders.clear();
        }
        let id = cached.holder.access_key.clone();
        inner.holders.insert(id, Arc::new(cached));
    }

    /// Forgets a key that was changed.
    pub(super) fn forget(&self, id: &str) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.generation += 1;
        inner.holders.remove(id);
    }

    /// Whether the use of a key is to be written down; only the first one who asks is told so.
    pub(super) fn is_use_to_note(&self, id: &str, now: Timestamp, step: Duration) -> bool {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let Some(cached) = inner.holders.get(id) else {
            return false;
        };
        let noted = cached.last_used.load(Ordering::Relaxed);
        let is_due = noted == NEVER || Timestamp(noted).plus(step) <= now;
        is_due
            && cached
                .last_used
                .compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::keys::Secret;

    fn cached(id: &str) -> Cached {
        let holder = Holder {
            access_key: id.to_owned(),
            secret: Secret::new("secret"),
            arn: "arn".to_owned(),
            policies: Vec::new(),
            session: None,
        };
        Cached::new(holder, Some(Timestamp(10)), None)
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = Cache::default();
        let generation = cache.generation();
        cache.forget("A");
        cache.put(generation, cached("A"));
        assert!(cache.get("A").is_none());
        cache.put(cache.generation(), cached("A"));
        let known = cache.get("A").expect("it was put");
        assert!(known.at(Timestamp(9)).is_some());
        assert!(known.at(Timestamp(10)).is_none());
        cache.forget("A");
        assert!(cache.get("A").is_none());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let cache = Cache::default();
        for number in 0..=2 * HOLDERS_MAX {
            cache.put(0, cached(&number.to_string()));
        }
        let inner = cache.inner.read().expect("nobody panicked");
        assert_eq!(inner.holders.len(), 1);
    }

    #[test]
    fn a_use_is_written_down_once_in_a_while() {
        let cache = Cache::default();
        let step = Duration::from_millis(5);
        let is_noted = |at: i64| cache.is_use_to_note("A", Timestamp(at), step);
        assert!(!is_noted(0));
        cache.put(0, cached("A"));
        assert_eq!([0, 4, 5, 6].map(is_noted), [true, false, true, false]);
    }
}
