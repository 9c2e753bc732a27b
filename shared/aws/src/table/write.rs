//! Writes: one item with a condition, or many items at once.

use std::time::Duration;

use aws_sdk_dynamodb::{
    config::{Builder, retry::RetryConfig},
    types::{
        AttributeValue, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update,
    },
};
use ports::StoreError;
use uuid::Uuid;

use super::{
    ITEM_BYTES_MAX, Item, Refused, TRANSACTION_BYTES_MAX, TRANSACTION_ITEMS_MAX, Table, bytes_of,
    refused::{Sent, Single},
};
use crate::keys::Key;

/// How often one write is sent before its outcome is left open, and the pause before the second time;
/// it doubles.
const SENDS_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// What must hold of the item that is there for a write to happen.
#[derive(Clone, Debug, Default)]
pub enum Condition {
    #[default]
    Any,
    Absent,
    /// There is an item with this attribute.
    Has(&'static str),
    /// There is an item with these values.
    Equals(Vec<(&'static str, AttributeValue)>),
    /// There is no item, or one with another value.
    AbsentOrNot(&'static str, AttributeValue),
    /// There is no item, or one with a smaller number.
    AbsentOrBelow(&'static str, u64),
}

impl Condition {
    /// The item is there, written for the `version`-th time, with that number in `version`.
    pub fn version(version: u64) -> Self {
        let version = AttributeValue::N(version.to_string());
        Self::Equals(vec![("version", version)])
    }
}

/// One item to be written.
#[derive(Clone, Debug)]
pub struct Write {
    pub(super) what: What,
    pub(super) condition: Condition,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Put(Item),
    Delete(Key),
    Update {
        key: Key,
        set: Vec<(&'static str, AttributeValue)>,
        remove: Vec<&'static str>,
    },
}

impl Write {
    pub fn put(item: Item) -> Self {
        Self::of(What::Put(item))
    }

    pub fn delete(key: Key) -> Self {
        Self::of(What::Delete(key))
    }

    /// Changes attributes of an item and leaves the others. Without a condition it would create an
    /// item that is not there: say [`Condition::Has`] with [`PK`].
    pub fn update(
        key: Key,
        set: Vec<(&'static str, AttributeValue)>,
        remove: Vec<&'static str>,
    ) -> Self {
        Self::of(What::Update { key, set, remove })
    }

    fn of(what: What) -> Self {
        let condition = Condition::Any;
        Self { what, condition }
    }

    #[must_use]
    pub fn when(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    pub fn key(&self) -> Key {
        match &self.what {
            What::Put(item) => item.key(),
            What::Delete(key) | What::Update { key, .. } => key.clone(),
        }
    }

    /// The bytes that it adds to a transaction, or a few more.
    pub fn bytes(&self) -> usize {
        match &self.what {
            What::Put(item) => item.bytes(),
            What::Delete(key) => key.pk.len() + key.sk.len(),
            What::Update { key, set, .. } => {
                let set = set.iter().map(|(name, value)| name.len() + bytes_of(value));
                key.pk.len() + key.sk.len() + set.sum::<usize>()
            }
        }
    }
}

/// Fills in what all three kinds of requests have.
macro_rules! fill {
    ($request:expr, $expressed:ident) => {
        $request
            .set_condition_expression($expressed.condition)
            .set_expression_attribute_names($expressed.names)
            .set_expression_attribute_values($expressed.values)
    };
}

impl Table {
    /// Writes one item.
    ///
    /// [`Refused::Conditions`] when the condition does not hold. A request without an answer is sent
    /// again; when its condition fails then, the item tells whether the first one had arrived: a
    /// [`Write::put`] of which every attribute is there has. So let items that two writers could
    /// write alike have something of their own in them.
    pub async fn write(&self, write: Write) -> Result<(), Refused> {
        check(std::slice::from_ref(&write))?;
        let (mut is_unsure, mut pause) = (false, PAUSE);
        for send in 1..=SENDS_MAX {
            let refused = match self.send(write.clone()).await {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            match refused {
                Single::Condition(there) if is_unsure && write.left(there.item.as_ref()) => {
                    return Ok(());
                }
                Single::Condition(_) => return Err(Refused::Conditions(vec![0])),
                Single::Unknown => is_unsure = true,
                Single::Busy(error) if send == SENDS_MAX && !is_unsure => return Err(error.into()),
                Single::Busy(_) => {}
                Single::Refused(_) if is_unsure => return Err(StoreError::Ambiguous.into()),
                Single::Refused(error) => return Err(error.into()),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(StoreError::Ambiguous.into())
    }

    async fn send(&self, write: Write) -> Result<(), Single> {
        let (is_put, is_update) = match &write.what {
            What::Put(_) => (true, false),
            What::Delete(_) => (false, false),
            What::Update { .. } => (false, true),
        };
        let (all_old, total) = (
            ReturnValuesOnConditionCheckFailure::AllOld,
            ReturnConsumedCapacity::Total,
        );
        let e = write.expressed();
        let (client, name) = (&self.client, &self.name);
        macro_rules! sent {
            ($request:expr) => {
                fill!($request.table_name(name), e)
                    .return_values_on_condition_check_failure(all_old)
                    .return_consumed_capacity(total)
                    .customize()
                    .config_override(once())
                    .send()
                    .await
                    .map_err(Single::from)?
                    .consumed_capacity
            };
        }
        let consumed = if is_put {
            sent!(client.put_item().set_item(e.item))
        } else if is_update {
            sent!(
                client
                    .update_item()
                    .set_key(e.key)
                    .set_update_expression(e.update)
            )
        } else {
            sent!(client.delete_item().set_key(e.key))
        };
        self.written_units(consumed.as_ref());
        Ok(())
    }

    /// Writes all of them or none. The token tells a repeated request from a new one for ten minutes:
    /// the same token always comes with the same writes.
    ///
    /// [`Refused::Conditions`] has the places of the writes whose conditions do not hold. A request
    /// without an answer is sent again, and what is said of it then counts for both only when it was
    /// done or a condition does not hold.
    pub async fn transact(&self, token: Uuid, writes: Vec<Write>) -> Result<(), Refused> {
        check(&writes)?;
        let items = writes.into_iter().map(|write| self.transacted(write));
        let items = items.collect::<Result<Vec<_>, StoreError>>()?;
        let (mut is_unsure, mut pause) = (false, PAUSE);
        for send in 1..=SENDS_MAX {
            match self.send_all(token, items.clone()).await {
                Ok(()) => return Ok(()),
                Err(Sent::Unknown) => is_unsure = true,
                Err(Sent::Refused(refused @ Refused::Conditions(_))) => return Err(refused),
                Err(Sent::Refused(refused)) if !is_unsure => return Err(refused),
                Err(Sent::Busy(error)) if send == SENDS_MAX && !is_unsure => {
                    return Err(error.into());
                }
                Err(Sent::Refused(_) | Sent::Busy(_)) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(StoreError::Ambiguous.into())
    }

    async fn send_all(&self, token: Uuid, items: Vec<TransactWriteItem>) -> Result<(), Sent> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(token.to_string())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(once())
            .send()
            .await;
        let written = sent.map_err(Sent::of)?;
        for consumed in written.consumed_capacity() {
            self.written_units(Some(consumed));
        }
        Ok(())
    }

    fn transacted(&self, write: Write) -> Result<TransactWriteItem, StoreError> {
        let name = self.name.as_str();
        let is_update = matches!(write.what, What::Update { .. });
        let e = write.expressed();
        let item = TransactWriteItem::builder();
        let built = if e.item.is_some() {
            let put = fill!(Put::builder().table_name(name).set_item(e.item), e).build();
            put.map(|put| item.put(put))
        } else if is_update {
            let update = Update::builder().table_name(name).set_key(e.key);
            let update = update.set_update_expression(e.update);
            fill!(update, e).build().map(|update| item.update(update))
        } else {
            let delete = Delete::builder().table_name(name).set_key(e.key);
            fill!(delete, e).build().map(|delete| item.delete(delete))
        };
        let item = built.map_err(|error| StoreError::Unavailable {
            doing: "write to the table".to_owned(),
            source: error.into(),
        })?;
        Ok(item.build())
    }
}

/// Refuses what DynamoDB would refuse, by name.
fn check(writes: &[Write]) -> Result<(), StoreError> {
    let too_large = |what: String, bytes, limit| Err(StoreError::TooLarge { what, bytes, limit });
    let mut all = 0;
    for write in writes {
        let bytes = write.bytes();
        all += bytes;
        if bytes > ITEM_BYTES_MAX {
            let Key { pk, sk } = write.key();
            return too_large(format!("item `{pk}` `{sk}`"), bytes, ITEM_BYTES_MAX);
        }
    }
    let first = writes.first().map(|write| write.key().pk);
    let of = || {
        format!(
            "transaction that begins with `{}`",
            first.unwrap_or_default()
        )
    };
    if writes.len() > TRANSACTION_ITEMS_MAX {
        let what = format!("list of items of the {}", of());
        return too_large(what, writes.len(), TRANSACTION_ITEMS_MAX);
    }
    if all > TRANSACTION_BYTES_MAX {
        return too_large(of(), all, TRANSACTION_BYTES_MAX);
    }
    Ok(())
}

/// The SDK sends it once: a repeated request may meet its own first writing, so it is repeated where
/// that is known.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

impl Write {
    /// Whether this item is what the write leaves.
    fn left(&self, there: Option<&Item>) -> bool {
        match &self.what {
            What::Put(item) => there == Some(item),
            What::Delete(_) => there.is_none(),
            What::Update { set, remove, .. } => there.is_some_and(|there| {
                set.iter()
                    .all(|(name, value)| there.get(name) == Some(value))
                    && remove.iter().all(|name| !there.has(name))
            }),
        }
    }
}
