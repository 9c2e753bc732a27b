//! Rows of versions, written and read.

use model::Timestamp;
use ports::objects::{Marker, ObjectInfo, Version};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::Type};
use sha2::{Digest, Sha256};

use super::NewVersion;

pub(super) const COLUMNS: &str = "version.key, version.version_id, version.sha256, version.etag, \
     version.size, version.modified, version.metadata, version.is_marker";

/// How many characters a version id has, as S3's have.
const VERSION_ID_LENGTH: usize = 32;

/// The newest version of a key, which may be a marker.
pub(super) fn newest(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Option<Version>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2
         ORDER BY sequence DESC LIMIT 1"
    );
    let mut query = connection.prepare_cached(&sql)?;
    query.query_row(params![bucket, key], version).optional()
}

/// The version of that id.
pub(super) fn named(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> rusqlite::Result<Option<Version>> {
    let sql =
        format!("SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2 AND version_id = ?3");
    let mut query = connection.prepare_cached(&sql)?;
    query
        .query_row(params![bucket, key, id], version)
        .optional()
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    new: NewVersion,
) -> rusqlite::Result<ObjectInfo> {
    let sequence = next_sequence(transaction)?;
    let info = ObjectInfo {
        version_id: version_id(&new.bucket, &new.key, sequence, &new.blob.sha256),
        key: new.key,
        etag: new.etag.unwrap_or_else(|| format!("\"{}\"", new.blob.md5)),
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
             (sequence, bucket, key, version_id, sha256, etag, size, modified, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            sequence,
            new.bucket,
            info.key,
            info.version_id,
            info.sha256,
            info.etag.trim_matches('"'),
            size,
            info.modified.0,
            metadata
        ],
    )?;
    transaction.execute(
        "INSERT INTO newest (bucket, key, sequence) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET sequence = excluded.sequence",
        params![new.bucket, info.key, sequence],
    )?;
    Ok(info)
}

pub(super) fn insert_marker(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    modified: Timestamp,
) -> rusqlite::Result<String> {
    let sequence = next_sequence(transaction)?;
    let id = version_id(bucket, key, sequence, "");
    transaction.execute(
        "INSERT INTO version
             (sequence, bucket, key, version_id, sha256, etag, size, modified, metadata, is_marker)
         VALUES (?1, ?2, ?3, ?4, '', '', 0, ?5, '{}', 1)",
        params![sequence, bucket, key, id, modified.0],
    )?;
    transaction.execute(
        "DELETE FROM newest WHERE bucket = ?1 AND key = ?2",
        params![bucket, key],
    )?;
    Ok(id)
}

fn next_sequence(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    let sql = "UPDATE last SET sequence = sequence + 1 RETURNING sequence";
    transaction.query_row(sql, [], |row| row.get(0))
}

/// Reads a row of [`COLUMNS`].
pub(super) fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let (key, version_id) = (row.get(0)?, row.get(1)?);
    let modified = Timestamp(row.get(5)?);
    if row.get::<_, i64>(7)? != 0 {
        return Ok(Version::Marker(Marker {
            key,
            version_id,
            modified,
        }));
    }
    let etag: String = row.get(3)?;
    let size: i64 = row.get(4)?;
    let metadata: String = row.get(6)?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(6, Type::Text, Box::new(error))
    })?;
    Ok(Version::Object(Box::new(ObjectInfo {
        key,
        version_id,
        etag: format!("\"{etag}\""),
        sha256: row.get(2)?,
        size: u64::try_from(size).unwrap_or(0),
        modified,
        metadata,
    })))
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
