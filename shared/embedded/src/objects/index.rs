//! Which versions there are: one row each, in a database of their own.
//!
//! Artifacts are large and few beside the rows of pipelines, and they must not wait for those; so
//! their names have their own file.

use std::path::Path;

use model::Timestamp;
use ports::objects::{ObjectError, ObjectInfo, ObjectMetadata};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{blobs::Blob, system};

/// The form of the tables. A database with another number is left alone.
const SCHEMA_VERSION: i64 = 1;

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
        md5        TEXT NOT NULL,
        size       INTEGER NOT NULL,
        modified   INTEGER NOT NULL,
        metadata   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX version_by_key ON version (bucket, key, sequence);
";

const COLUMNS: &str = "key, version_id, sha256, md5, size, modified, metadata";

/// How many characters a version id has, as S3's have.
const VERSION_ID_LENGTH: usize = 32;

pub(super) struct Index {
    connection: Connection,
}

pub(super) struct NewVersion {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) blob: Blob,
    pub(super) modified: Timestamp,
    pub(super) metadata: ObjectMetadata,
}

impl Index {
    pub(super) fn open(path: &Path) -> Result<Self, ObjectError> {
        let doing = || format!("open the index of objects in {}", path.display());
        let mut connection = Connection::open(path).map_err(|error| sql_failed(doing(), error))?;
        prepare(&mut connection).map_err(|error| sql_failed(doing(), error))?;
        let version = schema_version(&connection).map_err(|error| sql_failed(doing(), error))?;
        if version == SCHEMA_VERSION {
            return Ok(Self { connection });
        }
        let found =
            format!("its schema has version {version}; this program knows {SCHEMA_VERSION}");
        Err(system(doing(), found))
    }

    pub(super) fn create_bucket(
        &mut self,
        bucket: &str,
        created: Timestamp,
    ) -> Result<(), ObjectError> {
        let sql = "INSERT INTO bucket (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection
            .execute(sql, params![bucket, created.0])
            .map_err(|error| sql_failed(format!("create bucket `{bucket}`"), error))?;
        Ok(())
    }

    pub(super) fn check_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let sql = "SELECT 1 FROM bucket WHERE name = ?1";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut query| query.exists(params![bucket]))
            .map_err(|error| sql_failed(format!("look for bucket `{bucket}`"), error))?;
        if found {
            Ok(())
        } else {
            Err(ObjectError::NoSuchBucket(bucket.to_owned()))
        }
    }

    pub(super) fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        self.check_bucket(bucket)?;
        let doing = || format!("look for object `{key}` in bucket `{bucket}`");
        let newest = newest(&self.connection, bucket, key)
            .map_err(|error| sql_failed(doing(), error))?
            .ok_or_else(|| ObjectError::NoSuchKey {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            })?;
        let Some(version) = version else {
            return Ok(newest);
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2 AND version_id = ?3"
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut query| {
                query
                    .query_row(params![bucket, key, version], info)
                    .optional()
            })
            .map_err(|error| sql_failed(doing(), error))?
            .ok_or_else(|| ObjectError::NoSuchVersion {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: version.to_owned(),
            })
    }

    pub(super) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, ObjectError> {
        self.check_bucket(bucket)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM version AS this
             WHERE bucket = ?1 AND key >= ?2 AND key > ?3 AND substr(key, 1, length(?2)) = ?2
               AND sequence = (SELECT max(sequence) FROM version AS other
                               WHERE other.bucket = this.bucket AND other.key = this.key)
             ORDER BY key LIMIT ?4"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<ObjectInfo>> {
            let mut query = self.connection.prepare_cached(&sql)?;
            let rows = query.query_map(params![bucket, prefix, after, limit], info)?;
            rows.collect()
        };
        read().map_err(|error| sql_failed(format!("list bucket `{bucket}`"), error))
    }

    /// Writes the row of a new version; `create_only` leaves a key alone that has one.
    pub(super) fn add(
        &mut self,
        new: NewVersion,
        create_only: bool,
    ) -> Result<ObjectInfo, ObjectError> {
        let doing = format!("store object `{}` in bucket `{}`", new.key, new.bucket);
        let failed = |error| sql_failed(doing.clone(), error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let earlier = newest(&transaction, &new.bucket, &new.key).map_err(failed)?;
        match earlier.filter(|_| create_only) {
            Some(earlier) if earlier.sha256 == new.blob.sha256 => return Ok(earlier),
            Some(_) => {
                return Err(ObjectError::Exists {
                    bucket: new.bucket,
                    key: new.key,
                });
            }
            None => {}
        }
        let info = insert(&transaction, new).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(info)
    }
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if schema_version(&transaction)? == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn newest(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Option<ObjectInfo>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2
         ORDER BY sequence DESC LIMIT 1"
    );
    let mut query = connection.prepare_cached(&sql)?;
    query.query_row(params![bucket, key], info).optional()
}

fn insert(transaction: &Transaction<'_>, new: NewVersion) -> rusqlite::Result<ObjectInfo> {
    let sql = "SELECT coalesce(max(sequence), 0) + 1 FROM version";
    let sequence: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
    let info = ObjectInfo {
        version_id: version_id(&new.bucket, &new.key, sequence, &new.blob.sha256),
        key: new.key,
        etag: quoted(&new.blob.md5),
        sha256: new.blob.sha256,
        size: new.blob.size,
        modified: new.modified,
        metadata: new.metadata,
    };
    let metadata = serde_json::to_string(&info.metadata)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let size = i64::try_from(info.size).unwrap_or(i64::MAX);
    transaction.execute(
        "INSERT INTO version
             (sequence, bucket, key, version_id, sha256, md5, size, modified, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            sequence,
            new.bucket,
            info.key,
            info.version_id,
            info.sha256,
            new.blob.md5,
            size,
            info.modified.0,
            metadata
        ],
    )?;
    Ok(info)
}

fn info(row: &Row<'_>) -> rusqlite::Result<ObjectInfo> {
    let md5: String = row.get(3)?;
    let size: i64 = row.get(4)?;
    let metadata: String = row.get(6)?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(6, kind, Box::new(error))
    })?;
    Ok(ObjectInfo {
        key: row.get(0)?,
        version_id: row.get(1)?,
        etag: quoted(&md5),
        sha256: row.get(2)?,
        size: u64::try_from(size).unwrap_or(0),
        modified: Timestamp(row.get(5)?),
        metadata,
    })
}

fn quoted(md5: &str) -> String {
    format!("\"{md5}\"")
}

/// An id that no other version has; it follows from the order of puts, so a replay gives the same.
fn version_id(bucket: &str, key: &str, sequence: i64, sha256: &str) -> String {
    let mut digest = Sha256::new();
    for part in [bucket, key, &sequence.to_string(), sha256] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut id = hex::encode(digest.finalize());
    id.truncate(VERSION_ID_LENGTH);
    id
}

fn sql_failed(doing: impl Into<String>, error: rusqlite::Error) -> ObjectError {
    let mut doing = doing.into();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => doing.push_str(": the disk is full"),
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            doing.push_str(": the file is damaged or is not a database");
        }
        Some(_) | None => {}
    }
    system(doing, error)
}
