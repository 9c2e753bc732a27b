//! Records of builds: one row a build, written when it begins and as it goes on.

use async_trait::async_trait;
use ports::{
    BuildRecords, StoreError,
    build_records::{BUILDS_KEPT, BuildName, BuildRecord, ListBuilds, TOKEN_MILLIS},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Store,
    database::corrupt,
    ledger::Refusal,
    load::{failed_reading, one},
    queries::PAGE_MAX,
    rows::{decoded, encoded},
};

/// The most bytes of one record: its settings, and a report with all that a build exported.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

const COLUMNS: &str = "number, in_project, version, body";

/// What is to be written of a build.
pub(super) enum Change {
    Begin {
        id: String,
        project: String,
        started: i64,
        is_open: bool,
        token: Option<String>,
        body: Vec<u8>,
    },
    Replace {
        id: String,
        version: u64,
        is_open: bool,
        body: Vec<u8>,
    },
}

impl Change {
    /// Gives the number of the row: of an earlier one when nothing new was to be begun.
    pub(super) fn write(&self, connection: &Connection) -> Result<u64, Refusal> {
        match self {
            Self::Begin {
                id,
                project,
                started,
                is_open,
                token,
                body,
            } => {
                let sql = "SELECT number FROM build WHERE id = ?1 \
                           OR (token = ?2 AND started > ?3) ORDER BY number LIMIT 1";
                let earlier = connection
                    .prepare_cached(sql)?
                    .query_row(params![id, token, started - TOKEN_MILLIS], |row| row.get(0))
                    .optional()?;
                if let Some(number) = earlier {
                    return Ok(number);
                }
                let sql = "INSERT INTO build \
                           (id, project, in_project, started, version, is_open, token, body) \
                           SELECT ?1, ?2, coalesce(max(in_project), 0) + 1, ?3, 1, ?4, ?5, ?6 \
                           FROM build WHERE project = ?2";
                connection
                    .prepare_cached(sql)?
                    .execute(params![id, project, started, is_open, token, body])?;
                let sql = "SELECT number FROM build WHERE id = ?1";
                let number = connection
                    .prepare_cached(sql)?
                    .query_row([id], |row| row.get(0))?;
                forget(connection, number)?;
                Ok(number)
            }
            Self::Replace {
                id,
                version,
                is_open,
                body,
            } => {
                let sql = "UPDATE build SET version = version + 1, is_open = ?3, body = ?4 \
                           WHERE id = ?1 AND version = ?2 AND is_open";
                let changed = connection
                    .prepare_cached(sql)?
                    .execute(params![id, version, is_open, body])?;
                if changed == 0 {
                    return Err(Refusal::Refused(StoreError::Conflict));
                }
                Ok(0)
            }
        }
    }
}

/// Forgets builds that are over and have [`BUILDS_KEPT`] newer ones.
fn forget(connection: &Connection, newest: u64) -> Result<(), rusqlite::Error> {
    let oldest = newest.saturating_sub(BUILDS_KEPT);
    let sql = "DELETE FROM build WHERE number <= ?1 AND NOT is_open";
    connection.prepare_cached(sql)?.execute([oldest]).map(drop)
}

#[async_trait]
impl BuildRecords for Store {
    async fn begin_build(&self, build: &BuildRecord) -> Result<BuildRecord, StoreError> {
        let change = Change::Begin {
            id: build.id.clone(),
            project: build.project().to_owned(),
            started: build.started.0,
            is_open: build.end.is_none(),
            token: build.token.as_ref().map(|token| token.token.clone()),
            body: body(build)?,
        };
        let number = self.submit(change).await?;
        let sql = format!("SELECT {COLUMNS} FROM build WHERE number = ?1");
        let row = self.read(|connection| one(connection, &sql, [number], columns))?;
        let row = row.ok_or_else(|| corrupt(format!("build {}", build.id), "it is not there"))?;
        record(row)
    }

    async fn replace_build(&self, build: &BuildRecord) -> Result<(), StoreError> {
        let change = Change::Replace {
            id: build.id.clone(),
            version: build.version,
            is_open: build.end.is_none(),
            body: body(build)?,
        };
        self.submit(change).await.map(drop)
    }

    async fn build(&self, id: &str) -> Result<Option<BuildRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM build WHERE id = ?1");
        let row = self.read(|connection| one(connection, &sql, [id], columns))?;
        row.map(record).transpose()
    }

    async fn list_builds(&self, request: ListBuilds<'_>) -> Result<Vec<BuildName>, StoreError> {
        let (comparison, direction, start) = if request.newest_first {
            ("<", "DESC", i64::MAX.unsigned_abs())
        } else {
            (">", "ASC", 0)
        };
        let from = request.behind.unwrap_or(start);
        let limit = request.limit.min(PAGE_MAX);
        // Numbers grow with those in the project, so either order is the same.
        let (column, condition) = match request.project {
            Some(_) => ("in_project", "project = ?3 AND"),
            None => ("number", "?3 IS NULL AND"),
        };
        let sql = format!(
            "SELECT number, project, id FROM build WHERE {condition} number {comparison} ?1 \
             ORDER BY {column} {direction} LIMIT ?2"
        );
        self.read(|connection| {
            let mut query = connection.prepare_cached(&sql).map_err(failed_reading)?;
            let rows = query.query_map(params![from, limit, request.project], |row| {
                Ok(BuildName {
                    place: row.get(0)?,
                    project: row.get(1)?,
                    id: row.get(2)?,
                })
            });
            rows.and_then(Iterator::collect).map_err(failed_reading)
        })
    }

    async fn open_builds(&self, after: u64, limit: usize) -> Result<Vec<BuildRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM build WHERE is_open AND number > ?1 ORDER BY number LIMIT ?2"
        );
        let rows: Vec<Columns> = self.read(|connection| {
            let mut query = connection.prepare_cached(&sql).map_err(failed_reading)?;
            let rows = query.query_map(params![after, limit.min(PAGE_MAX)], columns);
            rows.and_then(Iterator::collect).map_err(failed_reading)
        })?;
        rows.into_iter().map(record).collect()
    }

    async fn count_open_builds(&self, project: Option<&str>) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM build WHERE is_open AND (?1 IS NULL OR project = ?1)";
        let count = self.read(|connection| one(connection, sql, [project], |row| row.get(0)))?;
        Ok(count.unwrap_or(0))
    }
}

type Columns = (u64, u64, u64, Vec<u8>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn record((place, number, version, body): Columns) -> Result<BuildRecord, StoreError> {
    let record: BuildRecord = decoded(&body, || format!("record of build {place}"))?;
    Ok(BuildRecord {
        place,
        number,
        version,
        ..record
    })
}

fn body(build: &BuildRecord) -> Result<Vec<u8>, StoreError> {
    let id = &build.id;
    encoded(build, || format!("record of build {id}"), RECORD_BYTES_MAX)
}
