//! What is read from rows when somebody asks.

use std::sync::Arc;

use model::{
    ActionStatus, AttemptKey, Execution, ExecutionId, Job, PipelineDeclaration, PipelineState,
    derive,
};
use ports::{
    StoreError,
    store::{ActionExecution, ActionPosition, JournalEntry, Message, Outbox},
};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    database::corrupt,
    load::{self, each, execution_number, news, one, stored_execution},
    rows::{Entry, Order, decoded, in_commit, in_pipeline, of_attempt, pipeline_of, read_attempts},
};

/// How many pipelines, outboxes, jobs, executions and entries one page has at most.
pub(super) const PAGE_MAX: usize = 10_000;

/// Whether the attempt is in progress and the key is its own.
pub(super) fn is_open(state: &PipelineState, key: &AttemptKey) -> bool {
    let Some(execution) = state.executions.get(&key.execution) else {
        return false;
    };
    let stage = execution.stages.get(&key.stage);
    let Some(action) = stage.and_then(|stage| stage.actions.get(&key.action)) else {
        return false;
    };
    let token = derive::attempt_token(execution.secret, &key.stage, &key.action, key.attempt);
    action.status == ActionStatus::InProgress && action.attempt == key.attempt && token == key.token
}

pub(super) fn pipeline_number(
    connection: &Connection,
    name: &str,
) -> Result<Option<u32>, StoreError> {
    one(
        connection,
        "SELECT number FROM pipeline WHERE name = ?1",
        [name],
        |row| row.get(0),
    )
}

/// The row number of an execution, if the pipeline has it.
fn number_in(
    connection: &Connection,
    pipeline: &str,
    id: ExecutionId,
) -> Result<Option<u64>, StoreError> {
    let Some(pipeline) = pipeline_number(connection, pipeline)? else {
        return Ok(None);
    };
    let number = execution_number(connection, id)?;
    Ok(number.filter(|number| pipeline_of(*number) == u64::from(pipeline)))
}

/// Adds an execution that is not live, with its definition.
pub(super) fn join(
    connection: &Connection,
    pipeline: u32,
    state: &mut PipelineState,
    id: ExecutionId,
) -> Result<(), StoreError> {
    if let Some(execution) = execution(connection, &state.head.pipeline, id)? {
        state.executions.insert(id, execution);
        load::add_definitions(connection, pipeline, state)?;
    }
    Ok(())
}

pub(super) fn execution(
    connection: &Connection,
    pipeline: &str,
    id: ExecutionId,
) -> Result<Option<Arc<Execution>>, StoreError> {
    let Some(number) = number_in(connection, pipeline, id)? else {
        return Ok(None);
    };
    let found = stored_execution(connection, number)?;
    Ok(found.map(|(execution, _)| Arc::new(execution)))
}

pub(super) fn executions(
    connection: &Connection,
    pipeline: &str,
    before: u64,
    limit: usize,
) -> Result<Vec<Arc<Execution>>, StoreError> {
    let Some(pipeline) = pipeline_number(connection, pipeline)? else {
        return Ok(Vec::new());
    };
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    let sql = "SELECT number FROM execution WHERE number >= ?1 AND number < ?2 \
               ORDER BY number DESC LIMIT ?3";
    let (first, end) = (in_pipeline(pipeline, 0), in_pipeline(pipeline, before));
    let limit = limit.min(PAGE_MAX);
    let numbers: Vec<u64> = each(connection, sql, params![first, end, limit], |row| {
        row.get(0)
    })?;
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let stored = stored_execution(connection, number)?;
        found.extend(stored.map(|(execution, _)| Arc::new(execution)));
    }
    Ok(found)
}

pub(super) fn execution_by_token(
    connection: &Connection,
    pipeline: &str,
    token: &str,
) -> Result<Option<ExecutionId>, StoreError> {
    let sql = "SELECT token.execution FROM pipeline JOIN token \
               ON token.pipeline = pipeline.number AND token.token = ?2 WHERE pipeline.name = ?1";
    one(connection, sql, [pipeline, token], |row| {
        row.get(0).map(ExecutionId)
    })
}

pub(super) fn definition(
    connection: &Connection,
    pipeline: &str,
    version: u32,
) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
    match pipeline_number(connection, pipeline)? {
        Some(pipeline) => load::definition(connection, pipeline, version),
        None => Ok(None),
    }
}

pub(super) fn pipelines(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM pipeline WHERE name > ?1 ORDER BY name LIMIT ?2";
    each(
        connection,
        sql,
        params![after, limit.min(PAGE_MAX)],
        |row| row.get(0),
    )
}

pub(super) fn action_executions(
    connection: &Connection,
    pipeline: &str,
    execution: ExecutionId,
) -> Result<Vec<ActionExecution>, StoreError> {
    let Some(number) = number_in(connection, pipeline, execution)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT attempts FROM execution WHERE number = ?1";
    let attempts: Option<Vec<u8>> = one(connection, sql, [number], |row| row.get(0))?;
    let mut found = Vec::new();
    for attempt in read_attempts(&attempts.unwrap_or_default())? {
        found.push(action_execution(connection, attempt.row)?);
    }
    Ok(found)
}

/// How many executions' attempts are put in order together.
const WINDOW: u64 = 256;

/// How many windows without an attempt one page passes over.
const EMPTY_WINDOWS_MAX: usize = 64;

pub(super) fn newest_action_executions(
    connection: &Connection,
    pipeline: &str,
    from: Option<ActionPosition>,
    limit: usize,
) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), StoreError> {
    let mut found = Vec::new();
    let Some(pipeline) = pipeline_number(connection, pipeline)? else {
        return Ok((found, None));
    };
    let limit = limit.min(PAGE_MAX);
    let sql = "SELECT number, attempts FROM execution WHERE number >= ?1 AND number < ?2 \
               ORDER BY number DESC LIMIT ?3";
    let mut at = from.unwrap_or(ActionPosition {
        before_execution: u64::from(u32::MAX),
        before_attempt: u64::MAX,
    });
    for _ in 0..EMPTY_WINDOWS_MAX {
        let end = u32::try_from(at.before_execution).unwrap_or(u32::MAX);
        let range = params![in_pipeline(pipeline, 0), in_pipeline(pipeline, end), WINDOW];
        let rows = each(connection, sql, range, |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let Some((oldest, _)) = rows.last() else {
            return Ok((found, None));
        };
        // The first page settles which executions the list is about.
        let newest = rows.first().map_or(0, |(newest, _)| *newest);
        at.before_execution = (newest & u64::from(u32::MAX)) + 1;
        let next = ActionPosition {
            before_execution: *oldest & u64::from(u32::MAX),
            before_attempt: u64::MAX,
        };
        let mut attempts = Vec::new();
        for (_, listed) in &rows {
            let listed = read_attempts(listed)?
                .into_iter()
                .map(|attempt| attempt.row);
            attempts.extend(listed.filter(|row| *row < at.before_attempt));
        }
        attempts.sort_unstable_by(|a, b| b.cmp(a));
        for row in attempts {
            if found.len() == limit {
                return Ok((found, Some(at)));
            }
            at.before_attempt = row;
            found.push(action_execution(connection, row)?);
        }
        at = next;
    }
    Ok((found, Some(at)))
}

fn action_execution(connection: &Connection, row: u64) -> Result<ActionExecution, StoreError> {
    let missing = || corrupt(format!("action execution {row}"), "it is not there");
    let job = job(connection, row)?.ok_or_else(missing)?;
    let update = news(connection, row, job.action_execution_id)?;
    Ok(ActionExecution { job, update })
}

fn job(connection: &Connection, row: u64) -> Result<Option<Arc<Job>>, StoreError> {
    let sql = "SELECT id, job FROM action WHERE number = ?1";
    let found = one(connection, sql, [row], |row| {
        Ok((row.get::<_, Uuid>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let decode = |(id, body): (Uuid, Vec<u8>)| {
        decoded(&body, || format!("job of {}", of_attempt(id)())).map(Arc::new)
    };
    found.map(decode).transpose()
}

/// The jobs in these rows. One that cannot be read keeps nobody else's from being done: it is
/// reported when there is nothing else to tell.
pub(super) fn jobs(connection: &Connection, rows: &[u64]) -> Result<Vec<Arc<Job>>, StoreError> {
    readable(rows.iter().map(|row| {
        let missing = || corrupt(format!("action execution {row}"), "it is not there");
        job(connection, *row)?.ok_or_else(missing)
    }))
}

/// The outboxes of these commits, as far as they can be read.
pub(super) fn outboxes(
    connection: &Connection,
    commits: &[u64],
) -> Result<Vec<Outbox>, StoreError> {
    readable(commits.iter().map(|commit| outbox(connection, *commit)))
}

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

fn outbox(connection: &Connection, commit: u64) -> Result<Outbox, StoreError> {
    let what = || format!("journal entry of commit {commit}");
    let missing = || corrupt(what(), "it is not there");
    let sql = "SELECT entry, outbox FROM journal WHERE number = ?1";
    let found = one(connection, sql, [commit], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let (entry, orders) = found.ok_or_else(missing)?;
    let entry: Entry = decoded(&entry, what)?;
    let orders: Vec<Order> = decoded(&orders, what)?;
    let mut changes = entry.changes.into_iter();
    let mut messages = Vec::with_capacity(orders.len());
    for order in orders {
        messages.push(match order {
            Order::Begun(place) => {
                let job = job(connection, in_commit(commit, place))?;
                Message::Job(job.ok_or_else(missing)?)
            }
            Order::Job(job) => Message::Job(job),
            Order::Cancel(key) => Message::Cancel(key),
            Order::Ask(request) => Message::Ask(request),
            Order::Change => Message::Change(changes.next().ok_or_else(missing)?),
        });
    }
    let at = entry.audit.at;
    Ok(Outbox {
        commit,
        at,
        messages,
    })
}

pub(super) fn journal(
    connection: &Connection,
    since: u64,
    limit: usize,
) -> Result<Vec<JournalEntry>, StoreError> {
    let sql = "SELECT journal.number, coalesce(name, was), journal.entry FROM journal \
               JOIN pipeline ON pipeline.number = journal.pipeline \
               WHERE journal.number > ?1 ORDER BY journal.number LIMIT ?2";
    // SQLite counts to the largest signed number; no commit has a larger one.
    let since = since.min(i64::MAX.unsigned_abs());
    let found = each(
        connection,
        sql,
        params![since, limit.min(PAGE_MAX)],
        |row| {
            Ok((
                row.get::<_, u64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Vec<u8>>(2)?,
            ))
        },
    )?;
    let read = |(commit, pipeline, entry): (u64, String, Vec<u8>)| {
        let what = || format!("journal entry of commit {commit}");
        let Entry { audit, changes } = decoded(&entry, what)?;
        Ok(JournalEntry {
            commit,
            pipeline,
            audit,
            changes,
        })
    };
    found.into_iter().map(read).collect()
}
