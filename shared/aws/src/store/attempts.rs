//! Attempts of actions as items: the job, written once, and what was told of its course, an attribute
//! for each thing, so that news are added without reading what was told before.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use model::{ActionOutput, ActionStatus, ActionUpdate, Job, Timestamp};
use ports::{StoreError, store::ActionExecution};
use serde::Serialize;

use crate::{
    keys::{self, AT, EXPIRES, Key, PK, WORK, Work},
    table::{Condition, ITEM_BYTES_MAX, Item, Write, encoded},
};

const JOB: &str = "job";
/// The order in which the attempts of a pipeline began.
pub(super) const ORDER: &str = "order";
const STATUS: &str = "status";
const TOLD: &str = "told";
const BY: &str = "by";
const ERROR: &str = "error";
const EXTERNAL_ID: &str = "externalId";
const EXTERNAL_URL: &str = "externalUrl";
const SUMMARY: &str = "summary";
const PERCENT: &str = "percent";
const LOG_STREAM: &str = "logStream";
const REVISION: &str = "revision";
const VARIABLES: &str = "variables";

type Variables = Arc<BTreeMap<String, String>>;

/// An attempt that begins.
pub(super) struct Begun<'a> {
    pub(super) key: Key,
    pub(super) job: &'a Job,
    pub(super) order: u64,
    /// A worker has it to do.
    pub(super) is_open: bool,
}

impl Begun<'_> {
    /// Its item, with what the same commit tells of it already. One that ended expires at `expires`.
    pub(super) fn put(
        self,
        told: Option<&ActionUpdate>,
        expires: u64,
    ) -> Result<Write, StoreError> {
        let id = self.job.action_execution_id;
        let what = || format!("job of action execution {id}");
        let mut item = Item::new(self.key).number(ORDER, self.order).json(
            JOB,
            self.job,
            what,
            ITEM_BYTES_MAX,
        )?;
        if let Some(told) = told {
            for (name, value) in set(told)? {
                item = item.with(name, value);
            }
        }
        if told.is_some_and(has_ended) {
            item = item.expires(expires);
        } else if self.is_open {
            let shard = keys::shard_of(&self.job.key.pipeline);
            item = item.work(Work::Job, shard, id.to_string());
        }
        Ok(Write::put(item))
    }
}

/// Adds news to the attempt at `key`, which must be there.
pub(super) fn tell(key: Key, told: &ActionUpdate, expires: u64) -> Result<Write, StoreError> {
    let (mut set, mut remove) = (set(told)?, Vec::new());
    if has_ended(told) {
        set.push((EXPIRES, AttributeValue::N(expires.to_string())));
        remove.extend([WORK, AT]);
        // Those at the end are what the action put out, and none means none.
        if told.output.variables.is_empty() {
            remove.push(VARIABLES);
        }
    }
    Ok(Write::update(key, set, remove).when(Condition::Has(PK)))
}

fn has_ended(told: &ActionUpdate) -> bool {
    told.status != ActionStatus::InProgress
}

/// The attributes of what is told; what is not told stays as it was.
fn set(told: &ActionUpdate) -> Result<Vec<(&'static str, AttributeValue)>, StoreError> {
    let what = || format!("action execution {}", told.action_execution_id);
    let output = &told.output;
    let mut set = vec![(TOLD, AttributeValue::N(told.at.0.to_string()))];
    let texts = [
        (BY, &told.by),
        (EXTERNAL_ID, &output.external_execution_id),
        (EXTERNAL_URL, &output.external_execution_url),
        (SUMMARY, &output.summary),
        (LOG_STREAM, &output.log_stream),
    ];
    for (name, text) in texts {
        set.extend(text.clone().map(|text| (name, AttributeValue::S(text))));
    }
    if let Some(percent) = output.percent_complete {
        set.push((PERCENT, AttributeValue::N(percent.to_string())));
    }
    set.push((STATUS, json(&told.status, what)?));
    if let Some(error) = &told.error {
        set.push((ERROR, json(error, what)?));
    }
    if let Some(revision) = &output.revision {
        set.push((REVISION, json(revision, what)?));
    }
    if !output.variables.is_empty() {
        set.push((VARIABLES, json(&*output.variables, what)?));
    }
    Ok(set)
}

fn json<T: Serialize + ?Sized>(
    value: &T,
    what: impl Fn() -> String,
) -> Result<AttributeValue, StoreError> {
    encoded(value, what, ITEM_BYTES_MAX)
}

pub(super) fn job(item: &Item) -> Result<Arc<Job>, StoreError> {
    item.get_json(JOB).map(Arc::new)
}

/// The output variables that the attempt put out.
pub(super) fn outputs(item: &Item) -> Result<Option<Variables>, StoreError> {
    item.find_json(VARIABLES)
}

pub(super) fn read(item: &Item) -> Result<ActionExecution, StoreError> {
    let job = job(item)?;
    let update = update(item, &job)?;
    Ok(ActionExecution { job, update })
}

fn update(item: &Item, job: &Job) -> Result<Option<ActionUpdate>, StoreError> {
    let Some(status) = item.find_json(STATUS)? else {
        return Ok(None);
    };
    let text = |name: &str| {
        let there = item.has(name);
        there
            .then(|| item.get_text(name).map(str::to_owned))
            .transpose()
    };
    let told = item.get(TOLD).and_then(|told| told.as_n().ok());
    let told = told.and_then(|told| told.parse().ok());
    let at = told.ok_or_else(|| item.corrupt(format!("it has no time `{TOLD}`")))?;
    let percent = item.has(PERCENT).then(|| item.get_number(PERCENT));
    let percent = percent.transpose()?.map(u8::try_from).transpose();
    Ok(Some(ActionUpdate {
        execution: job.key.execution,
        stage: job.key.stage.clone(),
        action: job.key.action.clone(),
        attempt: job.key.attempt,
        action_execution_id: job.action_execution_id,
        status,
        at: Timestamp(at),
        by: text(BY)?,
        error: item.find_json(ERROR)?,
        output: ActionOutput {
            external_execution_id: text(EXTERNAL_ID)?,
            external_execution_url: text(EXTERNAL_URL)?,
            summary: text(SUMMARY)?,
            percent_complete: percent.map_err(|error| item.corrupt(error))?,
            log_stream: text(LOG_STREAM)?,
            revision: item.find_json(REVISION)?,
            variables: outputs(item)?.unwrap_or_default(),
        },
    }))
}
