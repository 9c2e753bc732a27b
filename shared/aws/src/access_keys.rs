//! Access keys in the table: one item each. Temporary ones are removed by DynamoDB some time after
//! they were good for the last time.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use model::Timestamp;
use ports::{
    Clock, StoreError,
    access_keys::{
        AccessKey, AccessKeys, AccessKeysError, KeyStatus, NEW, SealedSession, StoredKey,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    Table, keys,
    table::{Condition, ITEM_BYTES_MAX, Item, Query, Refused, Sorted, Write},
};

/// How many keys one answer lists at most.
const LIST_MAX: usize = 1_000;

/// How long temporary credentials stay to be known as expired.
const KEPT_EXPIRED: Duration = Duration::from_hours(24);

/// The access keys of one installation.
#[derive(Clone)]
pub struct AccessKeyStore {
    table: Table,
    clock: Arc<dyn Clock>,
}

/// What of a key people can read in the table; what is sealed is beside it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    user: String,
    policies: Vec<String>,
    status: KeyStatus,
    created: Timestamp,
    disabled_at: Option<Timestamp>,
    last_used: Option<Timestamp>,
    description: Option<String>,
    /// Of temporary credentials.
    session_expires: Option<Timestamp>,
}

impl AccessKeyStore {
    pub fn new(table: Table, clock: Arc<dyn Clock>) -> Self {
        Self { table, clock }
    }

    fn item(&self, key: &AccessKey, version: u64) -> Result<Item, StoreError> {
        let body = Body {
            user: key.user.clone(),
            policies: key.policies.clone(),
            status: key.status,
            created: key.created,
            disabled_at: key.disabled_at,
            last_used: key.last_used,
            description: key.description.clone(),
            session_expires: key.session.as_ref().map(|session| session.expires),
        };
        let what = || format!("access key `{}`", key.id);
        let item = Item::new(keys::access_key(&key.id))
            .number("version", version)
            .blob("secret", key.sealed_secret.clone())
            .json("body", &body, what, ITEM_BYTES_MAX)?;
        let Some(session) = &key.session else {
            return Ok(item);
        };
        let until = session.expires.max(self.clock.now()).plus(KEPT_EXPIRED);
        Ok(item
            .blob("token", session.sealed_token.clone())
            .expires(u64::try_from(until.0 / 1_000).unwrap_or(0)))
    }
}

fn stored(item: &Item) -> Result<StoredKey, StoreError> {
    let body: Body = item.get_json("body")?;
    let session = match body.session_expires {
        None => None,
        Some(expires) => Some(SealedSession {
            sealed_token: item.get_blob("token")?.to_owned(),
            expires,
        }),
    };
    let key = AccessKey {
        id: item.key().sk,
        sealed_secret: item.get_blob("secret")?.to_owned(),
        user: body.user,
        policies: body.policies,
        status: body.status,
        created: body.created,
        disabled_at: body.disabled_at,
        last_used: body.last_used,
        description: body.description,
        session,
    };
    let version = item.get_number("version")?;
    Ok(StoredKey { key, version })
}

/// The port's error for one of the table.
fn failed(error: StoreError) -> AccessKeysError {
    match error {
        StoreError::Conflict => AccessKeysError::Conflict,
        StoreError::Ambiguous => AccessKeysError::Ambiguous,
        StoreError::Unavailable { doing, source } => AccessKeysError::Unavailable { doing, source },
        StoreError::Corrupt { what, why } => AccessKeysError::Corrupt { what, why },
        large @ StoreError::TooLarge { .. } => AccessKeysError::Unavailable {
            doing: "write an access key".to_owned(),
            source: large.into(),
        },
    }
}

fn refused(refused: Refused) -> AccessKeysError {
    failed(refused.into())
}

#[async_trait]
impl AccessKeys for AccessKeyStore {
    async fn put(&self, key: &AccessKey, expected: u64) -> Result<u64, AccessKeysError> {
        let version = expected.saturating_add(1);
        let condition = if expected == NEW {
            Condition::Absent
        } else {
            Condition::version(expected)
        };
        let item = self.item(key, version).map_err(failed)?;
        let put = self.table.write(Write::put(item).when(condition));
        put.await.map_err(refused)?;
        Ok(version)
    }

    async fn get(&self, id: &str) -> Result<Option<StoredKey>, AccessKeysError> {
        // Strangers name keys, too.
        if !keys::is_sort_key(id) {
            return Ok(None);
        }
        let item = self.table.get(keys::access_key(id)).await;
        let item = item.map_err(failed)?;
        item.as_ref().map(stored).transpose().map_err(failed)
    }

    async fn list(&self, after: &str, limit: usize) -> Result<Vec<StoredKey>, AccessKeysError> {
        let sorted = if after.is_empty() {
            Sorted::All
        } else {
            Sorted::Above(after.to_owned())
        };
        let query = Query::new(keys::ACCESS_KEYS, sorted, limit.min(LIST_MAX));
        let items = self.table.query(query).await.map_err(failed)?;
        items
            .iter()
            .map(|item| stored(item).map_err(failed))
            .collect()
    }

    async fn delete(&self, id: &str, expected: u64) -> Result<(), AccessKeysError> {
        let condition = Condition::version(expected);
        let delete = Write::delete(keys::access_key(id)).when(condition);
        self.table.write(delete).await.map_err(refused)
    }
}
