//! What a store remembers of the table: what never changes, and what a commit needs to know of the
//! load before it. Nothing of it is ever believed without the table's word: a definition is named by
//! its version, and what is known of a head counts only for the commit that it was read with.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::PipelineDeclaration;
use uuid::Uuid;

use super::rows::Known;

/// How many of each are kept; the oldest makes room.
const HEADS_MAX: usize = 256;
const DEFINITIONS_MAX: usize = 256;
const OUTPUTS_MAX: usize = 256;

type Outputs = Arc<BTreeMap<String, String>>;

#[derive(Default)]
pub(super) struct Memory {
    heads: Kept<String, Arc<Known>, HEADS_MAX>,
    /// By the pipeline's life and the definition's version.
    definitions: Kept<(u64, u32), Arc<PipelineDeclaration>, DEFINITIONS_MAX>,
    /// Output variables of attempts that ended.
    outputs: Kept<Uuid, Outputs, OUTPUTS_MAX>,
}

impl Memory {
    pub(super) fn know(&self, pipeline: &str, known: Arc<Known>) {
        self.heads.put(pipeline.to_owned(), known);
    }

    pub(super) fn forget(&self, pipeline: &str) {
        self.heads.remove(pipeline);
    }

    /// What is known of the pipeline as of this commit.
    pub(super) fn known(&self, pipeline: &str, version: u64, commit: Uuid) -> Option<Arc<Known>> {
        let known = self.heads.get(pipeline)?;
        ((known.version, known.commit) == (version, commit)).then_some(known)
    }

    pub(super) fn definition(&self, life: u64, version: u32) -> Option<Arc<PipelineDeclaration>> {
        self.definitions.get(&(life, version))
    }

    pub(super) fn define(&self, life: u64, version: u32, definition: Arc<PipelineDeclaration>) {
        self.definitions.put((life, version), definition);
    }

    pub(super) fn outputs(&self, attempt: Uuid) -> Option<Outputs> {
        self.outputs.get(&attempt)
    }

    pub(super) fn keep_outputs(&self, attempt: Uuid, outputs: Outputs) {
        self.outputs.put(attempt, outputs);
    }
}

/// A map of bounded size; what came first goes first.
struct Kept<K, V, const MAX: usize>(Mutex<(HashMap<K, V>, VecDeque<K>)>);

impl<K, V, const MAX: usize> Default for Kept<K, V, MAX> {
    fn default() -> Self {
        Self(Mutex::new((HashMap::new(), VecDeque::new())))
    }
}

impl<K: Hash + Eq + Clone, V: Clone, const MAX: usize> Kept<K, V, MAX> {
    fn lock(&self) -> MutexGuard<'_, (HashMap<K, V>, VecDeque<K>)> {
        // Whatever a panic left is a cache all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.lock().0.get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let (map, order) = &mut *self.lock();
        if map.insert(key.clone(), value).is_none() {
            order.push_back(key);
        }
        while order.len() > MAX
            && let Some(oldest) = order.pop_front()
        {
            map.remove(&oldest);
        }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        let (map, order) = &mut *self.lock();
        if map.remove(key).is_some() {
            order.retain(|kept| kept.borrow() != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let kept: Kept<u32, u32, 2> = Kept::default();
        for key in [1, 2, 1, 3] {
            kept.put(key, key * 10);
        }
        assert_eq!(
            [1, 2, 3].map(|key| kept.get(&key)),
            [None, Some(20), Some(30)]
        );
        kept.remove(&2);
        kept.put(4, 40);
        assert_eq!(
            [2, 3, 4].map(|key| kept.get(&key)),
            [None, Some(30), Some(40)]
        );
    }
}
