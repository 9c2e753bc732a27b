//! The tables of the index, and how those of an earlier program become today's.

use std::path::Path;

use ports::objects::ObjectError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{super::system, sql_failed};
use crate::data_dir;

/// The form of the tables. A database with a higher number is left alone.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE bucket (
        name    TEXT PRIMARY KEY,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE version (
        sequence   INTEGER PRIMARY KEY,
        bucket     TEXT NOT NULL REFERENCES bucket (name),
        key        TEXT NOT NULL,
        version_id TEXT NOT NULL,
        sha256     TEXT NOT NULL,
        etag       TEXT NOT NULL,
        size       INTEGER NOT NULL,
        modified   INTEGER NOT NULL,
        metadata   TEXT NOT NULL,
        is_marker  INTEGER NOT NULL DEFAULT 0
    ) STRICT;
";

/// What version 1 did not have: markers, tags that are no digest, and room for deletions.
const FROM_1: &str = "
    ALTER TABLE version RENAME COLUMN md5 TO etag;
    ALTER TABLE version ADD COLUMN is_marker INTEGER NOT NULL DEFAULT 0;
    DROP INDEX version_by_key;
";

/// `newest` has the keys that a listing shows: those whose newest version is no marker. The last
/// sequence is kept, so that no number comes twice when the newest row is deleted.
const DERIVED: &str = "
    CREATE INDEX version_by_key ON version (bucket, key, sequence DESC);
    CREATE INDEX version_by_id ON version (bucket, key, version_id);
    CREATE INDEX version_by_sha256 ON version (sha256);
    CREATE TABLE newest (
        bucket   TEXT NOT NULL,
        key      TEXT NOT NULL,
        sequence INTEGER NOT NULL REFERENCES version (sequence),
        PRIMARY KEY (bucket, key)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO newest SELECT bucket, key, max(sequence) FROM version GROUP BY bucket, key;
    CREATE TABLE last (sequence INTEGER NOT NULL) STRICT;
    INSERT INTO last SELECT coalesce(max(sequence), 0) FROM version;
";

/// Opens the database with today's tables in it.
pub(super) fn open(path: &Path) -> Result<Connection, ObjectError> {
    let doing = || format!("open the index of objects in {}", path.display());
    data_dir::make_file(path).map_err(|error| system(doing(), error))?;
    let mut connection = Connection::open(path).map_err(|error| sql_failed(doing(), error))?;
    let found = prepare(&mut connection).map_err(|error| sql_failed(doing(), error))?;
    match found {
        Found::Known => Ok(connection),
        Found::Other(version) => Err(system(
            doing(),
            format!("its schema has version {version}; this program knows {SCHEMA_VERSION}"),
        )),
        Found::Broken(rows) => Err(system(
            doing(),
            format!("{rows} of its rows do not fit together, so it was left as it is"),
        )),
    }
}

enum Found {
    Known,
    Other(i64),
    /// So many rows that name others which are not there.
    Broken(i64),
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match schema_version(&transaction)? {
        0 => transaction.execute_batch(SCHEMA)?,
        1 => transaction.execute_batch(FROM_1)?,
        SCHEMA_VERSION => {
            transaction.commit()?;
            return Ok(Found::Known);
        }
        other => return Ok(Found::Other(other)),
    }
    transaction.execute_batch(DERIVED)?;
    let broken = broken(&transaction)?;
    if broken > 0 {
        return Ok(Found::Broken(broken));
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(Found::Known)
}

fn broken(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM pragma_foreign_key_check";
    transaction.query_row(sql, [], |row| row.get(0))
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
