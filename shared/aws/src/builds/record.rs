//! What is kept of a build in the table: one small item that is read at each look, and the order.
//!
//! | attribute | |
//! |---|---|
//! | `status` | `OPEN`; `RUNS` with `task` and `attached`, since when; `OVER` with `report` |
//! | `tokens` | the SHA-256 of tokens that an agent may show |
//! | `turn` | how many orders to begin a task came to nothing for certain |
//! | `told` | when the agent was last heard of, and `phases`, how far it was |
//! | `stopping` | somebody wants it to end |

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use model::{
    Timestamp,
    build::{BuildOrder, BuildPhase, BuildReport, Progress},
};
use ports::{StoreError, agents::TOKEN_DIGEST_BYTES};

use crate::{
    Settings, SettingsError, Table, keys,
    table::{Condition, Item, Write},
};

/// The largest order and the largest report, in bytes of their JSON; an item holds them deflated.
const ORDER_BYTES_MAX: usize = 4 << 20;
const REPORT_BYTES_MAX: usize = 4 << 20;

/// The largest list of phases or tokens.
const LIST_BYTES_MAX: usize = 256 << 10;

const OPEN: &str = "OPEN";
const RUNS: &str = "RUNS";
const OVER: &str = "OVER";

/// How long builds are kept unless the settings say it.
const DAYS_KEPT: u64 = 365;

/// The stream prefix and the container of the stack's task definition.
const STREAM_PREFIX: &str = "build";

pub(super) type Digest = [u8; TOKEN_DIGEST_BYTES];

/// The records of builds on ECS.
#[derive(Clone)]
pub(super) struct Records {
    table: Table,
    kept: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) started: Timestamp,
    pub(super) number: u64,
    pub(super) tokens: Vec<Digest>,
    pub(super) turn: u64,
    pub(super) task: Option<String>,
    pub(super) attached: Timestamp,
    pub(super) told: Timestamp,
    pub(super) phases: Vec<BuildPhase>,
    pub(super) is_stopping: bool,
    pub(super) report: Option<BuildReport>,
}

impl Records {
    pub(super) fn new(table: Table, settings: &Settings) -> Result<Self, SettingsError> {
        let days = match settings.get("PIPEWRIGHT_HISTORY_DAYS") {
            None => DAYS_KEPT,
            Some(days) => days
                .parse()
                .map_err(|_| SettingsError("PIPEWRIGHT_HISTORY_DAYS as a number".to_owned()))?,
        };
        Ok(Self {
            table,
            kept: Duration::from_hours(days.saturating_mul(24)),
        })
    }

    /// Keeps a new build; [`StoreError::Conflict`] when there is one of that id.
    pub(super) async fn begin(
        &self,
        order: &BuildOrder,
        now: Timestamp,
    ) -> Result<Record, StoreError> {
        let expires = u64::try_from(now.plus(self.kept).0).unwrap_or_default() / 1_000;
        let what = || format!("the order of build {}", order.id);
        let kept = Item::new(keys::agent_order(&order.id))
            .json("order", order, what, ORDER_BYTES_MAX)?
            .expires(expires);
        // An order that is there already is the same one.
        self.table.write(Write::put(kept)).await?;
        let mut progress = Progress::new("", "", now);
        progress.enter("PROVISIONING", now);
        // A list of commands is no project's, and its builds are numbered by the clock.
        let by_clock = || u64::try_from(now.0).unwrap_or_default() / 1_000;
        let record = Record {
            id: order.id.clone(),
            started: now,
            number: order.number.unwrap_or_else(by_clock),
            tokens: Vec::new(),
            turn: 0,
            task: None,
            attached: now,
            told: now,
            phases: progress.phases().to_vec(),
            is_stopping: false,
            report: None,
        };
        let item = Item::new(keys::agent(&record.id))
            .text("status", OPEN)
            .with("started", millis(now))
            .with("told", millis(now))
            .number("number", record.number)
            .number("turn", 0)
            .with("tokens", list(&record.id, &record.tokens)?)
            .with("phases", list(&record.id, &record.phases)?)
            .expires(expires);
        self.table
            .write(Write::put(item).when(Condition::Absent))
            .await?;
        Ok(record)
    }

    pub(super) async fn find(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let item = self.table.get(keys::agent(id)).await?;
        item.map(|item| read(id, &item)).transpose()
    }

    pub(super) async fn order(&self, id: &str) -> Result<Option<BuildOrder>, StoreError> {
        let item = self.table.get(keys::agent_order(id)).await?;
        item.map(|item| item.get_json("order")).transpose()
    }

    /// Lets agents show these tokens; [`StoreError::Conflict`] when somebody else changed them, or
    /// the build is over.
    pub(super) async fn admit(&self, record: &Record, tokens: &[Digest]) -> Result<(), StoreError> {
        let new = list(&record.id, tokens)?;
        let before = list(&record.id, &record.tokens)?;
        let unchanged = Condition::Equals(vec![open(), ("tokens", before)]);
        self.update(&record.id, vec![("tokens", new)], unchanged)
            .await
    }

    /// Nothing was begun: the tokens so far are nobody's, and the next order is a new one.
    pub(super) async fn turn(&self, record: &Record) -> Result<(), StoreError> {
        let turn = |turn: u64| ("turn", AttributeValue::N(turn.to_string()));
        let set = vec![turn(record.turn + 1), ("tokens", list::<Digest>("", &[])?)];
        let unchanged = Condition::Equals(vec![open(), turn(record.turn)]);
        self.update(&record.id, set, unchanged).await
    }

    /// Keeps which task it is; [`StoreError::Conflict`] when it has one, or is over.
    pub(super) async fn attach(
        &self,
        id: &str,
        task: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let set = vec![
            ("task", AttributeValue::S(task.to_owned())),
            ("attached", millis(now)),
            ("status", AttributeValue::S(RUNS.to_owned())),
        ];
        self.update(id, set, Condition::Equals(vec![open()])).await
    }

    pub(super) async fn tell(
        &self,
        id: &str,
        phases: &[BuildPhase],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let set = vec![("phases", list(id, phases)?), ("told", millis(now))];
        self.update_open(id, set).await
    }

    pub(super) async fn stop(&self, id: &str) -> Result<(), StoreError> {
        self.update_open(id, vec![("stopping", AttributeValue::Bool(true))])
            .await
    }

    /// Ends it; [`StoreError::Conflict`] when it is over.
    pub(super) async fn end(&self, id: &str, report: &BuildReport) -> Result<(), StoreError> {
        let report = value(
            report,
            || format!("the report of build {id}"),
            REPORT_BYTES_MAX,
        )?;
        let over = AttributeValue::S(OVER.to_owned());
        self.update_open(id, vec![("status", over), ("report", report)])
            .await
    }

    /// Changes a build that is not over; whoever calls has seen that it is there.
    async fn update_open(&self, id: &str, set: Changes) -> Result<(), StoreError> {
        let over = AttributeValue::S(OVER.to_owned());
        self.update(id, set, Condition::AbsentOrNot("status", over))
            .await
    }

    async fn update(&self, id: &str, set: Changes, condition: Condition) -> Result<(), StoreError> {
        let write = Write::update(keys::agent(id), set, Vec::new()).when(condition);
        Ok(self.table.write(write).await?)
    }
}

/// The name of a build's log stream, as the `awslogs` driver makes it: none before it has a task.
pub(crate) async fn stream_of(
    table: &Table,
    container: &str,
    id: &str,
) -> Result<Option<String>, StoreError> {
    let Some(item) = table.get(keys::agent(id)).await? else {
        return Ok(None);
    };
    if !item.has("task") {
        return Ok(None);
    }
    let task = item.get_text("task")?;
    let task = task.rsplit('/').next().unwrap_or(task);
    Ok(Some(format!("{STREAM_PREFIX}/{container}/{task}")))
}

type Changes = Vec<(&'static str, AttributeValue)>;

fn open() -> (&'static str, AttributeValue) {
    ("status", AttributeValue::S(OPEN.to_owned()))
}

fn millis(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.0.to_string())
}

fn value<T: serde::Serialize + ?Sized>(
    value: &T,
    what: impl Fn() -> String,
    limit: usize,
) -> Result<AttributeValue, StoreError> {
    let item = Item::default().json("value", value, what, limit)?;
    // It was put there a line before.
    Ok(item
        .get("value")
        .cloned()
        .unwrap_or(AttributeValue::Null(true)))
}

fn list<T: serde::Serialize>(id: &str, list: &[T]) -> Result<AttributeValue, StoreError> {
    value(list, || format!("a list of build {id}"), LIST_BYTES_MAX)
}

fn read(id: &str, item: &Item) -> Result<Record, StoreError> {
    let started = time(item, "started")?;
    Ok(Record {
        id: id.to_owned(),
        started,
        number: item.get_number("number")?,
        tokens: item.get_json("tokens")?,
        turn: item.get_number("turn")?,
        task: if item.has("task") {
            Some(item.get_text("task")?.to_owned())
        } else {
            None
        },
        attached: if item.has("attached") {
            time(item, "attached")?
        } else {
            started
        },
        told: time(item, "told")?,
        phases: item.get_json("phases")?,
        is_stopping: item.has("stopping"),
        report: item.find_json("report")?,
    })
}

fn time(item: &Item, name: &str) -> Result<Timestamp, StoreError> {
    let millis = i64::try_from(item.get_number(name)?);
    millis
        .map(Timestamp)
        .map_err(|_| item.corrupt(format!("`{name}` is no time")))
}
