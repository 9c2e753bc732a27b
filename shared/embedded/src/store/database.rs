//! The database file: what makes it ours, how it is opened, what its errors mean.

use std::{path::Path, time::Duration};

use ports::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use thiserror::Error;

use crate::data_dir;

/// All tables, in one file.
const SCHEMA: &str = include_str!("schema.sql");

/// The version of the schema; another one is refused, never rewritten.
const SCHEMA_VERSION: i64 = 2;

/// Says that a file is a database of ours: "PIPE".
const APPLICATION_ID: i64 = 0x5049_5045;

/// How much of the file each connection keeps in memory, in KiB.
const PAGE_CACHE_KIB: i64 = 32 * 1024;

/// After how many pages the write-ahead log is brought into the file: 32 MiB. Fewer would write hot
/// pages more often, more would make the log long to read after a crash.
const CHECKPOINT_PAGES: i64 = 8 * 1024;

/// How many statements a connection keeps prepared: more than there are.
const STATEMENTS_MAX: usize = 64;

/// How long a connection waits for a checkpoint or a recovery by the other one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database cannot be opened. The file was left as it is.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("`{path}` is not a Pipewright database or is damaged: {why}")]
    Damaged { path: String, why: String },
    #[error(
        "`{path}` was written by another version of Pipewright \
         (its schema is {found}, this one knows {SCHEMA_VERSION})"
    )]
    OtherVersion { path: String, found: i64 },
    #[error("failed to open the database `{path}`")]
    Unavailable {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A connection to the database in a file, which is created where there is none.
pub(super) fn open_file(path: &Path) -> Result<Connection, OpenError> {
    let name = path.display().to_string();
    let refused = |source| refusal(&name, source);
    data_dir::make_file(path).map_err(|source| OpenError::Unavailable {
        path: name.clone(),
        source: source.into(),
    })?;
    let mut connection = Connection::open(path).map_err(refused)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    // Nothing is written before it is known whose file this is.
    if is_empty(&connection).map_err(refused)? {
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(refused)?;
        create(&mut connection).map_err(refused)?;
    }
    check(&connection, &name)?;
    configure(&connection).map_err(refused)?;
    Ok(connection)
}

/// A database that lives as long as its connection.
pub(super) fn open_memory() -> Result<Connection, OpenError> {
    let refused = |source| refusal("memory", source);
    let mut connection = Connection::open_in_memory().map_err(refused)?;
    create(&mut connection).map_err(refused)?;
    configure(&connection).map_err(refused)?;
    Ok(connection)
}

/// A second connection to a database that [`open_file`] opened, for reading alone.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let name = path.display().to_string();
    let refused = |source| refusal(&name, source);
    let connection = Connection::open(path).map_err(refused)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    configure(&connection).map_err(refused)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(refused)?;
    Ok(connection)
}

/// Whether the file is a sound database of ours; nothing is changed, and nothing must be there.
pub(super) fn examine(path: &Path) -> Result<(), OpenError> {
    let is_there = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    if !is_there {
        return Ok(());
    }
    let name = path.display().to_string();
    let refused = |source| refusal(&name, source);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(refused)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    check(&connection, &name)?;
    let said: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(refused)?;
    if said == "ok" {
        Ok(())
    } else {
        Err(OpenError::Damaged {
            path: name,
            why: said,
        })
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((number(connection, "application_id")?, tables) == (0, 0))
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn check(connection: &Connection, path: &str) -> Result<(), OpenError> {
    let refused = |source| refusal(path, source);
    let damaged = |why: &str| OpenError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    if number(connection, "application_id").map_err(refused)? != APPLICATION_ID {
        return Err(damaged("it belongs to another program"));
    }
    let found = number(connection, "user_version").map_err(refused)?;
    if found != SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(OpenError::OtherVersion { path, found });
    }
    let expected = open_memory()?;
    if tables(connection).map_err(refused)? != tables(&expected).map_err(refused)? {
        return Err(damaged("its tables are not those of its version"));
    }
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Option<String>>> {
    // SQLite adds tables of its own, for statistics; they begin with `sqlite_`.
    let sql = "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY name";
    let mut query = connection.prepare(sql)?;
    query.query_map([], |row| row.get(0))?.collect()
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

fn refusal(path: &str, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match Trouble::of(&source) {
        Trouble::Damaged => OpenError::Damaged {
            path,
            why: source.to_string(),
        },
        Trouble::Full | Trouble::Disk | Trouble::Other => OpenError::Unavailable {
            path,
            source: source.into(),
        },
    }
}

/// What an error of SQLite means for what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk is full. Nothing was written, and there may be room again later.
    Full,
    /// The disk failed: what is on it now is uncertain.
    Disk,
    /// The file is not what it should be.
    Damaged,
    /// Anything else concerns one statement.
    Other,
}

impl Trouble {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Disk,
            _ => Self::Other,
        }
    }
}

/// The store's error for an error of SQLite.
pub(super) fn failed(doing: &str, error: rusqlite::Error) -> StoreError {
    match Trouble::of(&error) {
        Trouble::Damaged => corrupt("database", error),
        Trouble::Full => unavailable(&format!("{doing}: the disk is full"), error),
        Trouble::Disk | Trouble::Other => unavailable(doing, error),
    }
}

pub(super) fn unavailable(
    doing: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        doing: doing.to_owned(),
        source: source.into(),
    }
}

pub(super) fn corrupt(what: impl Into<String>, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        what: what.into(),
        why: why.to_string(),
    }
}
