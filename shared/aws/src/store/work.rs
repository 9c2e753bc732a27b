//! What is to be done: deadlines that came, outboxes nobody delivered, jobs in progress. All of it is
//! found by the index `work`, which may be a moment behind, and believed when the item itself says so.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::try_join_all;
use model::{ActionStatus, AttemptKey, Execution, Job, Timestamp, derive};
use ports::{StoreError, store::Outbox};
use uuid::Uuid;

use super::{PAGE_MAX, Store, attempts, executions, journal, numbers};
use crate::{
    keys::{self, AT, Key, SHARDS, WORK, Work},
    table::{Condition, Item, Query, Refused, Sorted, Write},
};

impl Store {
    /// The first items of one kind of work, over all shards, with their places in the order.
    async fn waiting(
        &self,
        work: Work,
        sorted: &Sorted,
        limit: usize,
    ) -> Result<Vec<(String, Key)>, StoreError> {
        let shards = (0..SHARDS).map(|shard| {
            let query = Query::of_work(work.shard(shard), sorted.clone(), limit);
            self.table.query(query)
        });
        let mut found = Vec::new();
        for item in try_join_all(shards).await?.into_iter().flatten() {
            found.push((item.get_text(AT)?.to_owned(), item.key()));
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    /// Up to `limit` items of one kind of work that are still to be done, in order.
    async fn work(
        &self,
        work: Work,
        mut sorted: Sorted,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        loop {
            let waiting = self.waiting(work, &sorted, limit).await?;
            let Some((last, _)) = waiting.last() else {
                return Ok(Vec::new());
            };
            sorted = Sorted::Above(last.clone());
            let keys: Vec<Key> = waiting.into_iter().map(|(_, key)| key).collect();
            let mut items = self.table.batch_get(keys.clone()).await?;
            let items = keys.iter().filter_map(|key| items.remove(key));
            let items: Vec<Item> = items.filter(|item| item.has(WORK)).collect();
            // Everything on this page may have been done while the index was behind.
            if !items.is_empty() {
                return Ok(items);
            }
        }
    }

    pub(super) async fn due_pipelines(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let now = u64::try_from(now.0).unwrap_or_default();
        let until = Sorted::UpTo(keys::ordered(now));
        let due = self.waiting(Work::Due, &until, limit.min(PAGE_MAX)).await?;
        let names = due.iter().filter_map(|(_, key)| keys::name_of(&key.pk));
        Ok(names.map(str::to_owned).collect())
    }

    pub(super) async fn undelivered_outboxes(
        &self,
        limit: usize,
    ) -> Result<Vec<Outbox>, StoreError> {
        let items = self
            .work(Work::Outbox, Sorted::All, limit.min(PAGE_MAX))
            .await?;
        let found = journal::read(&self.table, items).await?;
        let begun = found.iter().flatten().flat_map(journal::Found::begun);
        let begun: Vec<Key> = begun.collect();
        let begun = if begun.is_empty() {
            HashMap::new()
        } else {
            self.table.batch_get(begun).await?
        };
        let job = |key: Key| match begun.get(&key) {
            Some(item) => attempts::job(item),
            None => Err(StoreError::Corrupt {
                what: format!("item `{}` `{}`", key.pk, key.sk),
                why: "it is not there".to_owned(),
            }),
        };
        readable(found.into_iter().map(|found| {
            let found = found?;
            let (commit, at) = (found.number, found.entry.audit.at);
            let messages = found.messages(job)?;
            Ok(Outbox {
                commit,
                at,
                messages,
            })
        }))
    }

    pub(super) async fn mark_delivered(&self, commits: &[u64]) -> Result<(), StoreError> {
        let each = commits.iter().map(|commit| async {
            let key = keys::entry(numbers::shard_in(*commit), *commit);
            let write = Write::update(key, Vec::new(), vec![WORK, AT]);
            // Without the condition, an entry that expired would come back empty.
            match self.table.write(write.when(Condition::Has(WORK))).await {
                // Somebody marked it before.
                Ok(()) | Err(Refused::Conditions(_)) => Ok(()),
                Err(Refused::Store(error)) => Err(error),
            }
        });
        try_join_all(each).await.map(drop)
    }

    pub(super) async fn jobs_in_progress(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Arc<Job>>, StoreError> {
        let sorted = after.map_or(Sorted::All, |after| Sorted::Above(after.to_string()));
        let items = self.work(Work::Job, sorted, limit.min(PAGE_MAX)).await?;
        readable(items.iter().map(attempts::job))
    }

    pub(super) async fn is_in_progress(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        let Some(rows) = self.rows(&key.pipeline).await? else {
            return Ok(false);
        };
        let mut live = rows.live.values();
        let Some(item) = live.find(|item| executions::is_of(item, key.execution)) else {
            return Ok(false);
        };
        let execution: Execution = item.get_json(super::rows::BODY)?;
        Ok(is_open(&execution, key))
    }
}

/// Whether the attempt is in progress and the key is its own.
fn is_open(execution: &Execution, key: &AttemptKey) -> bool {
    let stage = execution.stages.get(&key.stage);
    let Some(action) = stage.and_then(|stage| stage.actions.get(&key.action)) else {
        return false;
    };
    let token = derive::attempt_token(execution.secret, &key.stage, &key.action, key.attempt);
    action.status == ActionStatus::InProgress && action.attempt == key.attempt && token == key.token
}

/// What can be read. One that cannot keeps nobody else's from being done: it is reported when there
/// is nothing else to tell.
fn readable<T>(found: impl Iterator<Item = Result<T, StoreError>>) -> Result<Vec<T>, StoreError> {
    let (mut good, mut bad) = (Vec::new(), None);
    for one in found {
        match one {
            Ok(one) => good.push(one),
            Err(error @ StoreError::Corrupt { .. }) => bad = bad.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match bad {
        Some(error) if good.is_empty() => Err(error),
        Some(_) | None => Ok(good),
    }
}
