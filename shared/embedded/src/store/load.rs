//! Reads what is kept in memory: a pipeline with its live executions, and at the start what is due,
//! open and undelivered.

use std::{collections::BTreeMap, sync::Arc};

use model::{ActionUpdate, Execution, ExecutionId, PipelineDeclaration, PipelineState, Timestamp};
use ports::StoreError;
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::{
    database::{corrupt, failed},
    memory::{Entry, Live, Memory},
    rows::{Attempt, decoded, in_pipeline, of_attempt, read_attempts, read_sequences},
};

/// Where `mark` has the watermark of delivered outboxes.
pub(super) const DELIVERED: &str = "delivered";

const READING: &str = "read a pipeline";

pub(super) fn failed_reading(error: rusqlite::Error) -> StoreError {
    failed(READING, error)
}

/// Runs a query for one row, if there is one.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut query| query.query_row(parameters, row).optional())
        .map_err(failed_reading)
}

/// The pipeline of that name, with its live executions.
pub(super) fn pipeline(connection: &Connection, name: &str) -> Result<Option<Entry>, StoreError> {
    let sql = "SELECT number, version, commit_id, deadline, live, head FROM pipeline \
               WHERE name = ?1";
    let found = one(connection, sql, [name], |row| {
        let deadline: Option<i64> = row.get(3)?;
        let entry = Entry {
            number: row.get(0)?,
            version: row.get(1)?,
            commit: row.get(2)?,
            deadline: deadline.map(Timestamp),
            state: Arc::new(PipelineState::empty(name)),
            live: BTreeMap::new(),
        };
        Ok((entry, row.get::<_, Vec<u8>>(4)?, row.get::<_, Vec<u8>>(5)?))
    })?;
    let Some((mut entry, live, head)) = found else {
        return Ok(None);
    };
    let mut state = PipelineState::empty(name);
    state.head = decoded(&head, || format!("head of pipeline `{name}`"))?;
    for sequence in read_sequences(&live)? {
        let number = in_pipeline(entry.number, sequence);
        let (execution, live) = stored_execution(connection, number)?.ok_or_else(|| {
            let what = format!("execution {sequence} of pipeline `{name}`");
            corrupt(what, "it is not there")
        })?;
        entry.live.insert(execution.id, live);
        state.executions.insert(execution.id, Arc::new(execution));
    }
    add_definitions(connection, entry.number, &mut state)?;
    state.tags = tags(connection, entry.number, name)?;
    entry.state = Arc::new(state);
    Ok(Some(entry))
}

fn tags(
    connection: &Connection,
    pipeline: u32,
    name: &str,
) -> Result<Arc<BTreeMap<String, String>>, StoreError> {
    let sql = "SELECT body FROM tags WHERE pipeline = ?1";
    let body: Option<Vec<u8>> = one(connection, sql, [pipeline], |row| row.get(0))?;
    match body {
        Some(body) => decoded(&body, || format!("tags of pipeline `{name}`")),
        None => Ok(Arc::default()),
    }
}

/// Adds the definitions that the state needs and does not have.
pub(super) fn add_definitions(
    connection: &Connection,
    pipeline: u32,
    state: &mut PipelineState,
) -> Result<(), StoreError> {
    for version in state.definitions_in_use() {
        if version == 0 || state.definitions.contains_key(&version) {
            continue;
        }
        let found = definition(connection, pipeline, version)?.ok_or_else(|| {
            let what = format!("version {version} of pipeline `{}`", state.head.pipeline);
            corrupt(what, "it is not there")
        })?;
        state.definitions.insert(version, found);
    }
    Ok(())
}

pub(super) fn definition(
    connection: &Connection,
    pipeline: u32,
    version: u32,
) -> Result<Option<Arc<PipelineDeclaration>>, StoreError> {
    let sql = "SELECT body FROM definition WHERE number = ?1";
    let body: Option<Vec<u8>> = one(connection, sql, [in_pipeline(pipeline, version)], |row| {
        row.get(0)
    })?;
    let decode = |body: Vec<u8>| decoded(&body, || format!("version {version} of a pipeline"));
    Ok(body.map(decode).transpose()?.map(Arc::new))
}

/// The execution in a row, with the output variables that belong to its state.
pub(super) fn stored_execution(
    connection: &Connection,
    number: u64,
) -> Result<Option<(Execution, Live)>, StoreError> {
    let sql = "SELECT attempts, body FROM execution WHERE number = ?1";
    let row = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Some((attempts, body)) = one(connection, sql, [number], row)? else {
        return Ok(None);
    };
    let what = || {
        format!(
            "execution {} of pipeline {}",
            number & 0xFFFF_FFFF,
            number >> 32
        )
    };
    let mut execution: Execution = decoded(&body, what)?;
    let attempts = identified(connection, &attempts)?;
    for (id, attempt) in &attempts {
        if attempt.has_outputs {
            let told = news(connection, attempt.row, *id)?;
            add_outputs(&mut execution, told)?;
        }
    }
    let live = Live {
        attempts: Arc::from(attempts),
        bytes: body.len(),
    };
    Ok(Some((execution, live)))
}

/// Reads a list of attempts, with their ids.
pub(super) fn identified(
    connection: &Connection,
    attempts: &[u8],
) -> Result<Vec<(Uuid, Attempt)>, StoreError> {
    let sql = "SELECT id FROM action WHERE number = ?1";
    let identify = |attempt: Attempt| {
        let id = one(connection, sql, [attempt.row], |row| row.get(0))?;
        let missing = || {
            corrupt(
                format!("action execution {}", attempt.row),
                "it is not there",
            )
        };
        Ok((id.ok_or_else(missing)?, attempt))
    };
    read_attempts(attempts)?.into_iter().map(identify).collect()
}

/// How the attempt went on, if anything was told.
pub(super) fn news(
    connection: &Connection,
    row: u64,
    id: Uuid,
) -> Result<Option<ActionUpdate>, StoreError> {
    let sql = "SELECT body FROM news WHERE action = ?1";
    let body: Option<Vec<u8>> = one(connection, sql, [row], |row| row.get(0))?;
    body.map(|body| decoded(&body, of_attempt(id))).transpose()
}

fn add_outputs(execution: &mut Execution, told: Option<ActionUpdate>) -> Result<(), StoreError> {
    let id = execution.id;
    let missing = || {
        corrupt(
            format!("execution {id}"),
            "its output variables are not there",
        )
    };
    let told = told.ok_or_else(missing)?;
    let stage = execution.stages.get_mut(&told.stage);
    let action = stage.and_then(|stage| stage.actions.get_mut(&told.action));
    action.ok_or_else(missing)?.outputs = told.output.variables;
    Ok(())
}

/// The row of an execution, by its id.
pub(super) fn execution_number(
    connection: &Connection,
    id: ExecutionId,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT number FROM execution WHERE id = ?1";
    one(connection, sql, [id.0], |row| row.get(0))
}

/// What the memory begins with.
pub(super) fn memory(connection: &Connection) -> Result<Memory, StoreError> {
    let mut memory = Memory::default();
    let sql = "SELECT coalesce(max(number), 0) FROM journal";
    memory.last = one(connection, sql, [], |row| row.get(0))?.unwrap_or(0);
    let delivered = delivered_up_to(connection)?;
    let sql = "SELECT number FROM journal WHERE number > ?1 AND outbox IS NOT NULL";
    memory.undelivered = each(connection, sql, [delivered], |row| row.get(0))?
        .into_iter()
        .collect();
    let sql = "SELECT number, name, deadline, live FROM pipeline WHERE name IS NOT NULL";
    let pipelines = each(connection, sql, [], |row| {
        let name: String = row.get(1)?;
        let deadline: Option<i64> = row.get(2)?;
        let live: Vec<u8> = row.get(3)?;
        Ok((
            row.get::<_, u32>(0)?,
            Arc::<str>::from(name),
            deadline,
            live,
        ))
    })?;
    for (number, name, deadline, live) in pipelines {
        memory.set_deadline(&name, deadline.map(Timestamp));
        // What is wrong with one pipeline shows when it is loaded; the others go on.
        if let Ok(jobs) = open_jobs(connection, number, &live) {
            memory.jobs.extend(jobs);
        }
    }
    Ok(memory)
}

/// Up to which commit every outbox was delivered, as it was last written down.
pub(super) fn delivered_up_to(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT value FROM mark WHERE name = ?1";
    Ok(one(connection, sql, [DELIVERED], |row| row.get(0))?.unwrap_or(0))
}

fn open_jobs(
    connection: &Connection,
    pipeline: u32,
    live: &[u8],
) -> Result<Vec<(Uuid, u64)>, StoreError> {
    let sql = "SELECT attempts FROM execution WHERE number = ?1";
    let mut jobs = Vec::new();
    for sequence in read_sequences(live)? {
        let number = in_pipeline(pipeline, sequence);
        let attempts: Option<Vec<u8>> = one(connection, sql, [number], |row| row.get(0))?;
        let attempts = identified(connection, &attempts.unwrap_or_default())?;
        let open = attempts.into_iter().filter(|(_, attempt)| attempt.is_open);
        jobs.extend(open.map(|(id, attempt)| (id, attempt.row)));
    }
    Ok(jobs)
}

/// Runs a query for many rows.
pub(super) fn each<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let read = || {
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map(parameters, row)?;
        rows.collect::<Result<Vec<T>, _>>()
    };
    read().map_err(failed_reading)
}
