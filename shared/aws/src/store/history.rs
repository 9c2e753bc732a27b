//! What is there to be looked at: definitions, executions, attempts.

use std::{collections::BTreeMap, sync::Arc};

use model::{Execution, ExecutionId, PipelineDeclaration};
use ports::{
    StoreError,
    store::{ActionExecution, ActionPosition},
};

use super::{
    PAGE_MAX, Store, attempts, executions,
    rows::{LIFE, VERSION},
};
use crate::{
    keys::{self, Key, SK},
    table::{Item, Query, Sorted},
};

/// The largest sequence number that keys have digits for.
const SEQUENCE_MAX: u64 = 9_999_999_999;

/// How many executions' attempts are put in order together.
const WINDOW: u64 = 16;

/// How many windows one page of attempts looks into.
const WINDOWS_MAX: usize = 64;

impl Store {
    pub(super) async fn token_execution(
        &self,
        pipeline: &str,
        token: &str,
    ) -> Result<Option<ExecutionId>, StoreError> {
        let (head, token) = (keys::head(pipeline), keys::token(pipeline, token));
        let found = self
            .table
            .batch_get(vec![head.clone(), token.clone()])
            .await?;
        let (Some(head), Some(token)) = (found.get(&head), found.get(&token)) else {
            return Ok(None);
        };
        if head.get_number(LIFE)? != token.get_number(LIFE)? {
            return Ok(None);
        }
        let id = token.get_text(super::commit::EXECUTION)?.parse();
        id.map(Some).map_err(|error| token.corrupt(error))
    }

    pub(super) async fn definition_of(
        &self,
        pipeline: &str,
        version: u32,
    ) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
        let Some(known) = self.head(pipeline).await? else {
            return Ok(None);
        };
        if let Some(definition) = self.memory.definition(known.life, version) {
            return Ok(Some(definition));
        }
        let item = self
            .table
            .get(keys::definition(known.life, version))
            .await?;
        let define = |item| self.define(known.life, version, &item);
        item.map(define).transpose()
    }

    /// Names in order: of all pipelines, or of those that watch a place.
    pub(super) async fn names(
        &self,
        place: Option<&str>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        // No key is empty, and DynamoDB compares with none that is.
        let sorted = match after {
            "" => Sorted::All,
            after => Sorted::Above(after.to_owned()),
        };
        let query = Query::new(keys::PIPELINES, sorted, limit.min(PAGE_MAX)).keys_with(Vec::new());
        let query = match place {
            Some(place) => query.containing(keys::WATCHES, keys::watched(place)),
            None => query,
        };
        let items = self.table.query(query).await?;
        Ok(items.into_iter().map(|item| item.key().sk).collect())
    }

    pub(super) async fn find_execution(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        // The live ones first: one that ends meanwhile is found among the ended ones.
        let Some(rows) = self.rows(pipeline).await? else {
            return Ok(None);
        };
        let mut live = rows.live.values();
        let item = match live.find(|item| executions::is_of(item, id)) {
            Some(item) => Some(item.clone()),
            None => self.ended(&rows.known, id).await?,
        };
        let Some(item) = item else {
            return Ok(None);
        };
        let mut found = self.decode(rows.known.life, vec![&item]).await?;
        Ok(found.pop())
    }

    pub(super) async fn list_executions(
        &self,
        pipeline: &str,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        let Some(rows) = self.rows(pipeline).await? else {
            return Ok(Vec::new());
        };
        let (life, limit) = (rows.known.life, limit.min(PAGE_MAX));
        let here = rows.live.into_iter().chain(rows.known.loaded);
        let mut items: BTreeMap<u64, Item> =
            here.filter(|(sequence, _)| *sequence < before).collect();
        // One that is live again has an older item among those that ended.
        let query = Query::new(
            keys::executions(life),
            Sorted::Below(format!("{:010}", before.min(SEQUENCE_MAX))),
            limit.saturating_add(items.len()),
        );
        for item in self.table.query(query.descending()).await? {
            let sequence = item.key().sk.parse();
            let sequence: u64 = sequence.map_err(|error| item.corrupt(error))?;
            let is_older = match items.get(&sequence) {
                Some(other) => item.get_number(VERSION)? < other.get_number(VERSION)?,
                None => false,
            };
            if !is_older {
                items.insert(sequence, item);
            }
        }
        self.decode(life, items.values().rev().take(limit).collect())
            .await
    }

    pub(super) async fn attempts_of(
        &self,
        pipeline: &str,
        id: ExecutionId,
    ) -> Result<Vec<ActionExecution>, StoreError> {
        let Some(rows) = self.rows(pipeline).await? else {
            return Ok(Vec::new());
        };
        let mut here = rows.live.iter().chain(&rows.known.loaded);
        let sequence = match here.find(|(_, item)| executions::is_of(item, id)) {
            Some((sequence, _)) => Some(*sequence),
            None => self.place(&rows.known, id).await?,
        };
        let Some(sequence) = sequence else {
            return Ok(Vec::new());
        };
        let query = Query::new(
            keys::attempts(rows.known.life),
            Sorted::BeginsWith(keys::attempts_of(sequence)),
            usize::MAX,
        );
        let items = self.table.query(query).await?;
        let mut found = Vec::with_capacity(items.len());
        for item in &items {
            found.push((item.get_number(attempts::ORDER)?, attempts::read(item)?));
        }
        found.sort_unstable_by_key(|(order, _)| *order);
        Ok(found.into_iter().map(|(_, attempt)| attempt).collect())
    }

    pub(super) async fn newest_attempts(
        &self,
        pipeline: &str,
        from: Option<ActionPosition>,
        limit: usize,
    ) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
        let Some(known) = self.head(pipeline).await? else {
            return Ok((Vec::new(), None));
        };
        let limit = limit.min(PAGE_MAX);
        let mut at = from.unwrap_or(ActionPosition {
            before_execution: SEQUENCE_MAX,
            before_attempt: u64::MAX,
        });
        let mut keys = Vec::new();
        let mut next = None;
        for _ in 0..WINDOWS_MAX {
            let Some(newest) = self.newest_below(known.life, at.before_execution).await? else {
                next = None;
                break;
            };
            // The first page settles which executions the list is about.
            at.before_execution = newest + 1;
            next = Some(ActionPosition {
                before_execution: at.before_execution.saturating_sub(WINDOW),
                before_attempt: u64::MAX,
            });
            for (order, key) in self.window(known.life, at).await? {
                if keys.len() == limit {
                    next = Some(at);
                    break;
                }
                at.before_attempt = order;
                keys.push(key);
            }
            if next == Some(at) {
                break;
            }
            at = next.unwrap_or(at);
        }
        let items = self.table.batch_get(keys.clone()).await?;
        let found = keys.iter().filter_map(|key| items.get(key));
        Ok((found.map(attempts::read).collect::<Result<_, _>>()?, next))
    }

    /// The newest execution below a sequence number that any attempt was made in.
    async fn newest_below(&self, life: u64, before: u64) -> Result<Option<u64>, StoreError> {
        let below = Sorted::Below(format!("{:010}", before.min(SEQUENCE_MAX)));
        let query = Query::new(keys::attempts(life), below, 1).keys_with(Vec::new());
        let found = self.table.query(query.descending()).await?;
        let Some(item) = found.first() else {
            return Ok(None);
        };
        let sequence = item.get_text(SK)?.split('#').next().unwrap_or_default();
        let sequence = sequence.parse().map_err(|error| item.corrupt(error))?;
        Ok(Some(sequence))
    }

    /// The attempts in a window of executions that began before `at`, the last one first.
    async fn window(&self, life: u64, at: ActionPosition) -> Result<Vec<(u64, Key)>, StoreError> {
        let first = at.before_execution.saturating_sub(WINDOW);
        let between = Sorted::Between(
            keys::attempts_of(first),
            format!("{:010}", at.before_execution),
        );
        let query = Query::new(keys::attempts(life), between, usize::MAX);
        let mut found = Vec::new();
        for item in self
            .table
            .query(query.keys_with(vec![attempts::ORDER]))
            .await?
        {
            let order = item.get_number(attempts::ORDER)?;
            if order < at.before_attempt {
                found.push((order, item.key()));
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(found)
    }
}
