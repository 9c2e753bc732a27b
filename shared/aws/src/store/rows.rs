//! The items of a pipeline's own partition: its head, its live executions, its tags.
//!
//! A query is no snapshot. So the head says at which version of the pipeline each of the other items
//! was written last: what does not agree with it was read in the middle of a commit, and is read again.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use model::{Timestamp, state::Head};
use ports::StoreError;
use uuid::Uuid;

use crate::{
    keys::{self, Work},
    table::{Condition, Item},
};

/// The most bytes of a pipeline's head as JSON, which every commit writes; as in the embedded store.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

pub(super) const VERSION: &str = "version";
pub(super) const COMMIT: &str = "commit";
pub(super) const LIFE: &str = "life";
pub(super) const BODY: &str = "body";
const LAST: &str = "last";
const TAGS: &str = "tags";
const LIVE: &str = "live";
const LEAVING: &str = "leaving";

/// By sequence number, the version of the pipeline at which an execution was written last.
type Written = BTreeMap<u64, u64>;

/// What the head knows besides the engine's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    pub(super) version: u64,
    pub(super) commit: Uuid,
    pub(super) life: u64,
    /// The number of the last commit.
    pub(super) last: u64,
    /// When the tags were written last; 0 when there are none.
    pub(super) tags: u64,
    pub(super) live: Written,
    /// Executions that ended and had no room in their commits to be put with the other ended ones:
    /// they stay among the live ones until a commit has.
    pub(super) leaving: Written,
    /// Those of them that were loaded.
    pub(super) loaded: BTreeMap<u64, Item>,
}

impl Known {
    pub(super) fn of(head: &Item) -> Result<Self, StoreError> {
        let commit = head.get_text(COMMIT)?.parse();
        Ok(Self {
            version: head.get_number(VERSION)?,
            commit: commit.map_err(|error| head.corrupt(error))?,
            life: head.get_number(LIFE)?,
            last: head.get_number(LAST)?,
            tags: head.get_number(TAGS)?,
            live: written(head, LIVE)?,
            leaving: written(head, LEAVING)?,
            loaded: BTreeMap::new(),
        })
    }

    /// The head's item.
    pub(super) fn item(
        &self,
        head: &Head,
        deadline: Option<Timestamp>,
    ) -> Result<Item, StoreError> {
        let name = &head.pipeline;
        let item = Item::new(keys::head(name))
            .number(VERSION, self.version)
            .text(COMMIT, self.commit.to_string())
            .number(LIFE, self.life)
            .number(LAST, self.last)
            .number(TAGS, self.tags)
            .text(LIVE, listed(&self.live))
            .text(LEAVING, listed(&self.leaving))
            .json(
                BODY,
                head,
                || format!("head of pipeline `{name}`"),
                HEAD_BYTES_MAX,
            )?;
        Ok(match deadline {
            Some(at) => {
                let at = u64::try_from(at.0).unwrap_or_default();
                item.work(Work::Due, keys::shard_of(name), keys::ordered(at))
            }
            None => item,
        })
    }

    /// The head is still the one of this commit.
    pub(super) fn unchanged(&self) -> Condition {
        let version = AttributeValue::N(self.version.to_string());
        let commit = AttributeValue::S(self.commit.to_string());
        Condition::Equals(vec![(VERSION, version), (COMMIT, commit)])
    }
}

fn listed(written: &Written) -> String {
    let each = written.iter().map(|(of, at)| format!("{of}:{at}"));
    each.collect::<Vec<_>>().join(",")
}

fn written(head: &Item, name: &str) -> Result<Written, StoreError> {
    let text = head.get_text(name)?;
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (of, at) = pair.split_once(':')?;
        Some((of.parse().ok()?, at.parse().ok()?))
    };
    let each =
        pairs.map(|pair| read(pair).ok_or_else(|| head.corrupt(format!("`{name}` has `{pair}`"))));
    each.collect()
}

/// A pipeline's own items, all as of one commit.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) known: Known,
    pub(super) head: Item,
    pub(super) live: BTreeMap<u64, Item>,
    pub(super) tags: Option<Item>,
}

/// What one query found.
#[derive(Debug)]
pub(super) enum Read {
    Nothing,
    Whole(Box<Rows>),
    /// The items are not of one commit; with the head's.
    Torn(u64, Uuid),
}

impl Read {
    pub(super) fn of(items: Vec<Item>) -> Result<Self, StoreError> {
        let (mut head, mut tags, mut executions) = (None, None, BTreeMap::new());
        for item in items {
            let sk = item.key().sk;
            if sk == keys::HEAD {
                head = Some(item);
            } else if sk == keys::TAGS {
                tags = Some(item);
            } else if let Some(sequence) = sk.strip_prefix(keys::LIVE) {
                let sequence: u64 = sequence.parse().map_err(|error| item.corrupt(error))?;
                executions.insert(sequence, item);
            }
        }
        // Executions without a head are of a pipeline that was deleted.
        let Some(head) = head else {
            return Ok(Self::Nothing);
        };
        let mut known = Known::of(&head)?;
        // So are those of another life.
        let is_ours = |item: &Item| item.get_number(LIFE).is_ok_and(|life| life == known.life);
        executions.retain(|_, item| is_ours(item));
        tags = tags.filter(is_ours);
        let mut loaded = BTreeMap::new();
        for (sequence, at) in &known.leaving {
            // One of these expires where it is.
            let item = executions.remove(sequence);
            if let Some(item) = item.filter(|item| is_written(item, *at)) {
                loaded.insert(*sequence, item);
            }
        }
        let is_whole = executions.len() == known.live.len()
            && known.live.iter().all(|(sequence, at)| {
                let item = executions.get(sequence);
                item.is_some_and(|item| is_written(item, *at))
            })
            && tags
                .as_ref()
                .map_or(known.tags == 0, |item| is_written(item, known.tags));
        if !is_whole {
            return Ok(Self::Torn(known.version, known.commit));
        }
        known.loaded = loaded;
        Ok(Self::Whole(Box::new(Rows {
            known,
            head,
            live: executions,
            tags,
        })))
    }
}

fn is_written(item: &Item, at: u64) -> bool {
    item.get_number(VERSION).is_ok_and(|version| version == at)
}

#[cfg(test)]
mod tests {
    use model::PipelineState;

    use super::*;

    fn head(live: &[(u64, u64)], leaving: &[(u64, u64)], tags: u64) -> Item {
        let known = Known {
            version: 9,
            life: 5,
            tags,
            live: live.iter().copied().collect(),
            leaving: leaving.iter().copied().collect(),
            ..Known::default()
        };
        let state = PipelineState::empty("p");
        known.item(&state.head, None).expect("it fits")
    }

    fn execution(sequence: u64, version: u64, life: u64) -> Item {
        let item = Item::new(keys::live("p", sequence));
        item.number(VERSION, version).number(LIFE, life)
    }

    fn tags(version: u64) -> Item {
        let item = Item::new(keys::tags("p"));
        item.number(VERSION, version).number(LIFE, 5)
    }

    fn is_torn(items: Vec<Item>) -> bool {
        matches!(Read::of(items).expect("it can be read"), Read::Torn(9, _))
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let item = head(&[(1, 2), (30, 9)], &[(4, 9)], 3);
        let known = Known::of(&item).expect("it was written a moment ago");
        assert_eq!(known.live, BTreeMap::from([(1, 2), (30, 9)]));
        assert_eq!(known.leaving, BTreeMap::from([(4, 9)]));
        assert_eq!((known.version, known.life, known.tags), (9, 5, 3));
    }

    #[test]
    fn items_of_one_commit_are_whole() {
        let items = vec![
            head(&[(1, 2), (3, 9)], &[], 4),
            execution(1, 2, 5),
            execution(3, 9, 5),
            tags(4),
        ];
        let Ok(Read::Whole(rows)) = Read::of(items) else {
            panic!("it is whole");
        };
        assert_eq!(rows.live.len(), 2);
        assert!(rows.tags.is_some());
    }

    #[test]
    fn what_a_commit_wrote_halfway_through_the_reading_is_noticed() {
        let one = || head(&[(1, 2)], &[], 0);
        assert!(
            is_torn(vec![one(), execution(1, 10, 5)]),
            "newer than the head"
        );
        assert!(
            is_torn(vec![one(), execution(1, 1, 5)]),
            "older than the head"
        );
        assert!(is_torn(vec![one()]), "it ended after the head was read");
        let more = vec![one(), execution(1, 2, 5), execution(2, 10, 5)];
        assert!(is_torn(more), "it began after the head was read");
        assert!(is_torn(vec![one(), execution(1, 2, 5), tags(10)]));
        assert!(is_torn(vec![head(&[], &[], 4)]));
        assert!(is_torn(vec![head(&[], &[], 4), tags(3)]));
    }

    #[test]
    fn what_another_life_left_is_not_seen() {
        let items = vec![
            head(&[(1, 2)], &[], 0),
            execution(1, 2, 5),
            execution(2, 3, 4),
        ];
        assert!(matches!(Read::of(items), Ok(Read::Whole(rows)) if rows.live.len() == 1));
        let items = vec![execution(2, 3, 4)];
        assert!(matches!(Read::of(items), Ok(Read::Nothing)));
    }

    #[test]
    fn an_ended_execution_among_the_live_ones_may_expire_there() {
        let both = || head(&[], &[(1, 2), (2, 9)], 0);
        let items = vec![both(), execution(1, 2, 5), execution(2, 9, 5)];
        let Ok(Read::Whole(rows)) = Read::of(items) else {
            panic!("it is whole");
        };
        assert!(rows.live.is_empty());
        assert_eq!(rows.known.loaded.len(), 2);
        let Ok(Read::Whole(rows)) = Read::of(vec![both(), execution(2, 9, 5)]) else {
            panic!("it is whole");
        };
        assert_eq!(rows.known.loaded.len(), 1);
    }

    #[test]
    fn a_damaged_head_is_corrupt_and_says_where() {
        for damaged in [
            head(&[], &[], 0).text(LIVE, "1:2,x"),
            head(&[], &[], 0).text(COMMIT, "7"),
        ] {
            let error = Read::of(vec![damaged])
                .expect_err("it cannot be read")
                .to_string();
            assert!(
                error.contains("item `PIPELINE#p` `HEAD` cannot be read"),
                "{error}"
            );
        }
    }
}
