//! What a commit left in history and what it ordered, as one item of the journal. The rare entry that
//! does not fit into one goes on in items of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use model::{AttemptKey, Change, Job, effect::ApprovalRequest};
use ports::{
    StoreError,
    store::{Audit, Commit, JournalEntry, Message},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    numbers,
    rows::{BODY, LIFE},
};
use crate::{
    keys::{self, Key, SHARDS, Work},
    table::{Item, Query, Sorted, Table},
};

/// The most bytes of one entry as JSON, as in the embedded store: it repeats the output of every
/// action that ended in the commit. Deflated it has to fit into the commit's transaction.
const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most deflated bytes of an entry in one item.
const PART_BYTES_MAX: usize = 380 * 1024;

/// How many entries of one shard are read at once.
const CHUNK_MIN: usize = 4;
const CHUNK_MAX: usize = 64;

const PIPELINE: &str = "pipeline";
const NUMBER: &str = "number";
/// In how many more items the entry goes on.
const PARTS: &str = "parts";

/// The body of an entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) audit: Audit,
    changes: Vec<Change>,
    orders: Vec<Order>,
}

/// What a commit ordered.
#[derive(Serialize, Deserialize)]
enum Order {
    /// The job of an attempt that the commit began: its execution's sequence number, and its id.
    #[serde(rename = "b")]
    Begun(u64, Uuid),
    /// A job that began earlier.
    #[serde(rename = "j")]
    Job(Arc<Job>),
    #[serde(rename = "x")]
    Cancel(AttemptKey),
    #[serde(rename = "a")]
    Ask(ApprovalRequest),
    /// The next one of the entry's changes.
    #[serde(rename = "c")]
    Change,
}

/// The entry of a commit, in one item or more. `begun` gives the execution's sequence number for each
/// attempt that the commit begins.
pub(super) fn items(
    commit: &Commit,
    begun: &HashMap<Uuid, u64>,
    life: u64,
    number: u64,
    expires: u64,
) -> Result<Vec<Item>, StoreError> {
    let (mut changes, mut orders) = (Vec::new(), Vec::with_capacity(commit.outbox.len()));
    for message in &commit.outbox {
        orders.push(match message {
            Message::Job(job) => {
                let id = job.action_execution_id;
                let of = begun.get(&id);
                of.map_or_else(|| Order::Job(Arc::clone(job)), |of| Order::Begun(*of, id))
            }
            Message::Cancel(key) => Order::Cancel(key.clone()),
            Message::Ask(request) => Order::Ask(request.clone()),
            Message::Change(change) => {
                changes.push(change.clone());
                Order::Change
            }
        });
    }
    let is_waiting = !orders.is_empty();
    let audit = commit.audit.clone();
    let entry = Entry {
        audit,
        changes,
        orders,
    };
    let what = || format!("journal entry of commit {}", commit.id);
    let shard = numbers::shard_in(number);
    let mut item = Item::new(keys::entry(shard, number))
        .text(PIPELINE, &commit.state.head.pipeline)
        .number(LIFE, life)
        .number(NUMBER, number)
        .expires(expires)
        .json(BODY, &entry, what, ENTRY_BYTES_MAX)?;
    if is_waiting {
        item = item.work(Work::Outbox, shard, keys::ordered(number));
    }
    let Some(AttributeValue::B(body)) = item.get(BODY) else {
        return Ok(vec![item]);
    };
    let body = body.clone().into_inner();
    let mut chunks = body.chunks(PART_BYTES_MAX);
    let first = chunks.next().unwrap_or_default().to_vec();
    let part = |(place, bytes): (usize, &[u8])| {
        let item = Item::new(keys::entry_part(shard, number, place));
        item.expires(expires).blob(BODY, bytes.to_vec())
    };
    let parts: Vec<Item> = chunks.enumerate().map(part).collect();
    if !parts.is_empty() {
        let count = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        item = item.blob(BODY, first).number(PARTS, count);
    }
    Ok([vec![item], parts].concat())
}

/// An entry with what says where it belongs.
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) pipeline: String,
    pub(super) life: u64,
    pub(super) entry: Entry,
}

impl Found {
    /// What the outbox refers to: the attempts that the commit began.
    pub(super) fn begun(&self) -> impl Iterator<Item = Key> {
        let orders = self.entry.orders.iter();
        orders.filter_map(|order| match order {
            Order::Begun(sequence, id) => Some(keys::attempt(self.life, *sequence, *id)),
            _ => None,
        })
    }

    /// What the commit ordered; `job` gives the jobs of the attempts in [`Found::begun`].
    pub(super) fn messages(
        self,
        job: impl Fn(Key) -> Result<Arc<Job>, StoreError>,
    ) -> Result<Vec<Message>, StoreError> {
        let (number, life) = (self.number, self.life);
        let mut changes = self.entry.changes.into_iter();
        let orders = self.entry.orders.into_iter();
        let messages = orders.map(|order| {
            Ok(match order {
                Order::Begun(sequence, id) => Message::Job(job(keys::attempt(life, sequence, id))?),
                Order::Job(job) => Message::Job(job),
                Order::Cancel(key) => Message::Cancel(key),
                Order::Ask(request) => Message::Ask(request),
                Order::Change => {
                    Message::Change(changes.next().ok_or_else(|| StoreError::Corrupt {
                        what: format!("journal entry of commit {number}"),
                        why: "it orders more changes than it has".to_owned(),
                    })?)
                }
            })
        });
        messages.collect()
    }

    pub(super) fn journal_entry(self) -> JournalEntry {
        JournalEntry {
            commit: self.number,
            pipeline: self.pipeline,
            audit: self.entry.audit,
            changes: self.entry.changes,
        }
    }
}

/// The entries that begin in these items, in their order; each by itself, so that one that cannot be
/// read keeps nobody from the others.
pub(super) async fn read(
    table: &Table,
    items: Vec<Item>,
) -> Result<Vec<Result<Found, StoreError>>, StoreError> {
    let mut keys = Vec::new();
    for item in &items {
        keys.extend(parts_of(item));
    }
    let parts = if keys.is_empty() {
        HashMap::new()
    } else {
        table.batch_get(keys).await?
    };
    Ok(items.into_iter().map(|item| found(item, &parts)).collect())
}

fn parts_of(item: &Item) -> Vec<Key> {
    let count = item.get_number(PARTS).ok();
    let count = count.and_then(|count| usize::try_from(count).ok());
    let Ok(number) = item.get_number(NUMBER) else {
        return Vec::new();
    };
    let places = 0..count.unwrap_or_default();
    places
        .map(|place| keys::entry_part(numbers::shard_in(number), number, place))
        .collect()
}

fn found(mut item: Item, parts: &HashMap<Key, Item>) -> Result<Found, StoreError> {
    let keys = parts_of(&item);
    if !keys.is_empty() {
        let mut body = item.get_blob(BODY)?.to_vec();
        for key in keys {
            let part = parts.get(&key);
            let part = part.ok_or_else(|| item.corrupt("a part of it is not there"))?;
            body.extend_from_slice(part.get_blob(BODY)?);
        }
        item = item.blob(BODY, body);
    }
    Ok(Found {
        number: item.get_number(NUMBER)?,
        pipeline: item.get_text(PIPELINE)?.to_owned(),
        life: item.get_number(LIFE)?,
        entry: item.get_json(BODY)?,
    })
}

/// A shard of the journal that is being read.
struct Shard {
    number: u64,
    after: String,
    read: VecDeque<(u64, Item)>,
    is_at_end: bool,
}

impl Shard {
    async fn read_on(&mut self, table: &Table, chunk: usize) -> Result<(), StoreError> {
        let above = Sorted::Above(self.after.clone());
        let items = table
            .query(Query::new(keys::journal(self.number), above, chunk))
            .await?;
        self.is_at_end = items.len() < chunk;
        for item in items {
            self.after = item.key().sk;
            self.read.push_back((item.get_number(NUMBER)?, item));
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        self.read.is_empty() && !self.is_at_end
    }
}

/// Up to `limit` entries after commit `since` in order: the shards are read side by side, each as
/// far as it is needed.
pub(super) async fn page(
    table: &Table,
    since: u64,
    limit: usize,
) -> Result<Vec<JournalEntry>, StoreError> {
    let chunk = (limit / CHUNK_MIN)
        .clamp(CHUNK_MIN, CHUNK_MAX)
        .min(limit.max(1));
    let shard = |number| Shard {
        number,
        after: keys::ordered(since),
        read: VecDeque::new(),
        is_at_end: false,
    };
    let mut shards: Vec<Shard> = (0..SHARDS).map(shard).collect();
    let mut items = Vec::new();
    while items.len() < limit {
        let waiting = shards.iter_mut().filter(|shard| shard.is_waiting());
        try_join_all(waiting.map(|shard| shard.read_on(table, chunk))).await?;
        let next = shards
            .iter_mut()
            .filter_map(|shard| Some((shard.read.front()?.0, shard)))
            .min_by_key(|(number, _)| *number);
        let Some((_, shard)) = next else { break };
        items.extend(shard.read.pop_front().map(|(_, item)| item));
    }
    let found = read(table, items).await?;
    let entries = found.into_iter();
    entries
        .map(|found| found.map(Found::journal_entry))
        .collect()
}
