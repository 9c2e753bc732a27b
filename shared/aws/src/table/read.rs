//! Reads: one item, some items, and items in order.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity, Select};
use ports::StoreError;

use super::{BATCH_KEYS_MAX, Item, Table, expression::attributes};
use crate::{
    failed::unavailable,
    keys::{AT, Key, PK, SK, WORK, WORK_INDEX},
};

const READING: &str = "read from the table";

/// How often keys that a batch left unread are asked for again without any progress, and the first
/// pause; it doubles.
const IDLE_BATCHES_MAX: u32 = 6;
const PAUSE: Duration = Duration::from_millis(25);

/// Items of one partition, in order of their sort keys.
#[derive(Clone, Debug)]
pub struct Query {
    partition: String,
    sorted: Sorted,
    is_descending: bool,
    is_index: bool,
    keys_with: Option<Vec<&'static str>>,
    contains: Option<(&'static str, String)>,
    limit: usize,
}

/// Which sort keys.
#[derive(Clone, Debug)]
pub enum Sorted {
    All,
    BeginsWith(String),
    /// Both included.
    Between(String, String),
    /// Not included.
    Above(String),
    Below(String),
    /// Included.
    UpTo(String),
}

impl Query {
    /// The items of a partition in ascending order, `limit` of them at most.
    pub fn new(partition: impl Into<String>, sorted: Sorted, limit: usize) -> Self {
        Self {
            partition: partition.into(),
            sorted,
            is_descending: false,
            is_index: false,
            keys_with: None,
            contains: None,
            limit,
        }
    }

    /// The keys of items in a partition of the index `work`: what is read may be a moment old.
    pub fn of_work(partition: impl Into<String>, sorted: Sorted, limit: usize) -> Self {
        let is_index = true;
        Self {
            is_index,
            ..Self::new(partition, sorted, limit)
        }
    }

    #[must_use]
    pub fn descending(self) -> Self {
        let is_descending = true;
        Self {
            is_descending,
            ..self
        }
    }

    /// Only the keys and these attributes.
    #[must_use]
    pub fn keys_with(self, attributes: Vec<&'static str>) -> Self {
        let keys_with = Some(attributes);
        Self { keys_with, ..self }
    }

    /// Only items whose set `attribute` has that text. What is read and left out is paid for, too.
    #[must_use]
    pub fn containing(self, attribute: &'static str, text: String) -> Self {
        let contains = Some((attribute, text));
        Self { contains, ..self }
    }

    fn filter(&self) -> Option<String> {
        self.contains.as_ref()?;
        Some("contains(#f, :f)".to_owned())
    }

    fn condition(&self) -> (String, HashMap<String, AttributeValue>) {
        let mut values = HashMap::new();
        let mut value = |name: &str, text: &str| {
            let value = AttributeValue::S(text.to_owned());
            values.insert(name.to_owned(), value);
        };
        value(":p", &self.partition);
        if let Some((_, text)) = &self.contains {
            value(":f", text);
        }
        let sorted = match &self.sorted {
            Sorted::All => None,
            Sorted::BeginsWith(start) => {
                value(":s", start);
                Some("begins_with(#s, :s)")
            }
            Sorted::Between(first, last) => {
                value(":s", first);
                value(":t", last);
                Some("#s BETWEEN :s AND :t")
            }
            Sorted::Above(bound) => {
                value(":s", bound);
                Some("#s > :s")
            }
            Sorted::Below(bound) => {
                value(":s", bound);
                Some("#s < :s")
            }
            Sorted::UpTo(bound) => {
                value(":s", bound);
                Some("#s <= :s")
            }
        };
        let condition = sorted.map_or_else(
            || "#p = :p".to_owned(),
            |sorted| format!("#p = :p AND {sorted}"),
        );
        (condition, values)
    }

    fn names(&self) -> HashMap<String, String> {
        let (p, s) = if self.is_index { (WORK, AT) } else { (PK, SK) };
        let mut names = HashMap::from([("#p".to_owned(), p.to_owned())]);
        if !matches!(self.sorted, Sorted::All) || self.keys_with.is_some() {
            names.insert("#s".to_owned(), s.to_owned());
        }
        if let Some((attribute, _)) = &self.contains {
            names.insert("#f".to_owned(), (*attribute).to_owned());
        }
        for name in self.keys_with.iter().flatten() {
            names.insert(format!("#{name}"), (*name).to_owned());
        }
        names
    }

    fn projection(&self) -> Option<String> {
        let keys_with = self.keys_with.as_ref()?;
        let others = keys_with.iter().map(|name| format!("#{name}"));
        let all: Vec<_> = ["#p".to_owned(), "#s".to_owned()]
            .into_iter()
            .chain(others)
            .collect();
        Some(all.join(", "))
    }
}

impl Table {
    /// The item at a key.
    pub async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let got = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(attributes(key)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let got = got.map_err(|error| unavailable(READING, error))?;
        self.read_units(got.consumed_capacity());
        Ok(got.item.map(Item::of))
    }

    /// Items in order. A query is no snapshot: each item is as it was at some moment of the reading.
    pub async fn query(&self, query: Query) -> Result<Vec<Item>, StoreError> {
        let (condition, values) = query.condition();
        // A limit bounds what is read, not what passes a filter.
        let is_limited = query.contains.is_none();
        let mut items = Vec::new();
        let mut start = None;
        while items.len() < query.limit {
            let left = i32::try_from(query.limit - items.len()).ok();
            let left = left.filter(|_| is_limited);
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .set_index_name(query.is_index.then(|| WORK_INDEX.to_owned()))
                .consistent_read(!query.is_index)
                .key_condition_expression(&condition)
                .set_expression_attribute_names(Some(query.names()))
                .set_expression_attribute_values(Some(values.clone()))
                .set_projection_expression(query.projection())
                .set_filter_expression(query.filter())
                .scan_index_forward(!query.is_descending)
                .set_limit(left)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let answer = answer.map_err(|error| unavailable(READING, error))?;
            self.read_units(answer.consumed_capacity());
            items.extend(answer.items.unwrap_or_default().into_iter().map(Item::of));
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                break;
            }
        }
        items.truncate(query.limit);
        Ok(items)
    }

    /// How many items a query finds, whatever its limit.
    pub async fn count(&self, query: Query) -> Result<u64, StoreError> {
        let (condition, values) = query.condition();
        let (mut count, mut start) = (0, None);
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .set_index_name(query.is_index.then(|| WORK_INDEX.to_owned()))
                .consistent_read(!query.is_index)
                .key_condition_expression(&condition)
                .set_expression_attribute_names(Some(query.names()))
                .set_expression_attribute_values(Some(values.clone()))
                .select(Select::Count)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let answer = answer.map_err(|error| unavailable(READING, error))?;
            self.read_units(answer.consumed_capacity());
            count += u64::try_from(answer.count()).unwrap_or_default();
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// The items at keys that have one, by key. Each is as it was at some moment of the reading.
    pub async fn batch_get(&self, keys: Vec<Key>) -> Result<HashMap<Key, Item>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut left: Vec<_> = keys;
        left.sort_unstable();
        left.dedup();
        let mut left: Vec<_> = left.into_iter().map(attributes).collect();
        let (mut idle, mut pause) = (0, PAUSE);
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(BATCH_KEYS_MAX));
            let asked = left.len();
            let unread = self.batch(left, &mut found).await?;
            if unread.len() == asked {
                idle += 1;
                if idle == IDLE_BATCHES_MAX {
                    return Err(StoreError::Unavailable {
                        doing: READING.to_owned(),
                        source: "it leaves keys unread: it is asked too much".into(),
                    });
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            } else {
                (idle, pause) = (0, PAUSE);
            }
            left = unread;
            left.extend(rest);
        }
        Ok(found)
    }

    /// Reads one batch; gives the keys that were left unread.
    async fn batch(
        &self,
        keys: Vec<HashMap<String, AttributeValue>>,
        found: &mut HashMap<Key, Item>,
    ) -> Result<Vec<HashMap<String, AttributeValue>>, StoreError> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build();
        let keys = keys.map_err(|error| StoreError::Unavailable {
            doing: READING.to_owned(),
            source: error.into(),
        })?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.name, keys)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let answer = answer.map_err(|error| unavailable(READING, error))?;
        for consumed in answer.consumed_capacity() {
            self.read_units(Some(consumed));
        }
        for item in answer
            .responses
            .into_iter()
            .flatten()
            .flat_map(|(_, it)| it)
        {
            let item = Item::of(item);
            found.insert(item.key(), item);
        }
        let unread = answer.unprocessed_keys.unwrap_or_default().into_values();
        Ok(unread.flat_map(|keys| keys.keys).collect())
    }
}
