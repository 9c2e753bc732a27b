//! Which versions there are: one row each, in a database of their own.
//!
//! Artifacts are large and few beside the rows of pipelines, and they must not wait for those; so
//! their names have their own file.

mod deletion;
mod listing;
mod rows;
mod schema;

use std::{collections::BTreeMap, path::Path};

use model::Timestamp;
use ports::objects::{BucketInfo, ObjectError, ObjectInfo, ObjectMetadata, Version};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{blobs::Blob, system};

pub(super) struct Index {
    connection: Connection,
}

pub(super) struct NewVersion {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) blob: Blob,
    /// In quotes; the digest of the bytes when there is none.
    pub(super) etag: Option<String>,
    pub(super) modified: Timestamp,
    pub(super) metadata: ObjectMetadata,
}

/// What must be true of the key before a version is written.
pub(super) enum Condition {
    Nothing,
    /// There is no object, or it has the same bytes, and then nothing is written.
    NewOrSame,
    New,
    /// The tag of the newest version, in quotes.
    Tag(String),
}

impl Index {
    pub(super) fn open(path: &Path) -> Result<Self, ObjectError> {
        let connection = schema::open(path)?;
        Ok(Self { connection })
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

    pub(super) fn bucket(&self, bucket: &str) -> Result<BucketInfo, ObjectError> {
        let sql = "SELECT created FROM bucket WHERE name = ?1";
        let created: Option<i64> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut query| {
                query
                    .query_row(params![bucket], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| sql_failed(format!("look for bucket `{bucket}`"), error))?;
        match created {
            Some(created) => Ok(BucketInfo {
                name: bucket.to_owned(),
                created: Timestamp(created),
            }),
            None => Err(ObjectError::NoSuchBucket(bucket.to_owned())),
        }
    }

    pub(super) fn check_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        self.bucket(bucket).map(|_| ())
    }

    pub(super) fn buckets(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<BucketInfo>, ObjectError> {
        let sql = "SELECT name, created FROM bucket WHERE name > ?1 ORDER BY name LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<BucketInfo>> {
            let mut query = self.connection.prepare_cached(sql)?;
            let rows = query.query_map(params![after, limit], |row| {
                Ok(BucketInfo {
                    name: row.get(0)?,
                    created: Timestamp(row.get(1)?),
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| sql_failed("list the buckets", error))
    }

    pub(super) fn version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Version, ObjectError> {
        self.check_bucket(bucket)?;
        let failed = |error| {
            sql_failed(
                format!("look for object `{key}` in bucket `{bucket}`"),
                error,
            )
        };
        let newest = rows::newest(&self.connection, bucket, key)
            .map_err(failed)?
            .ok_or_else(|| no_such_key(bucket, key))?;
        let Some(version) = version else {
            return Ok(newest);
        };
        rows::named(&self.connection, bucket, key, version)
            .map_err(failed)?
            .ok_or_else(|| no_such_version(bucket, key, version))
    }

    pub(super) fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        match (self.version(bucket, key, version)?, version) {
            (Version::Object(object), _) => Ok(*object),
            (Version::Marker(_), None) => Err(no_such_key(bucket, key)),
            (Version::Marker(_), Some(version)) => Err(no_such_version(bucket, key, version)),
        }
    }

    /// Writes the row of a new version, if the key is as the condition says.
    pub(super) fn add(
        &mut self,
        new: NewVersion,
        condition: &Condition,
    ) -> Result<ObjectInfo, ObjectError> {
        let doing = format!("store object `{}` in bucket `{}`", new.key, new.bucket);
        let failed = |error| sql_failed(doing.clone(), error);
        let transaction = self.begin().map_err(failed)?;
        let newest = rows::newest(&transaction, &new.bucket, &new.key).map_err(failed)?;
        match (condition, &newest) {
            (Condition::NewOrSame, Some(Version::Object(earlier)))
                if earlier.sha256 == new.blob.sha256 =>
            {
                return Ok(earlier.as_ref().clone());
            }
            (Condition::NewOrSame, Some(Version::Object(_))) => {
                return Err(ObjectError::Exists {
                    bucket: new.bucket,
                    key: new.key,
                });
            }
            (Condition::New, Some(Version::Object(_))) => {
                return Err(ObjectError::Precondition {
                    bucket: new.bucket,
                    key: new.key,
                });
            }
            (Condition::Tag(wanted), newest) => {
                check_tag(newest.as_ref(), wanted, &new.bucket, &new.key)?;
            }
            (
                Condition::Nothing | Condition::NewOrSame | Condition::New,
                Some(Version::Object(_) | Version::Marker(_)) | None,
            ) => {}
        }
        let info = rows::insert(&transaction, new).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(info)
    }

    pub(super) fn set_tags(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        let doing = format!("tag object `{key}` in bucket `{bucket}`");
        let mut object = self.head(bucket, key, version)?;
        object.metadata.tags = tags;
        let metadata = serde_json::to_string(&object.metadata)
            .map_err(|error| system(doing.clone(), error))?;
        let sql = "UPDATE version SET metadata = ?4
                   WHERE bucket = ?1 AND key = ?2 AND version_id = ?3";
        self.connection
            .execute(sql, params![bucket, key, object.version_id, metadata])
            .map_err(|error| sql_failed(doing, error))?;
        Ok(object.version_id)
    }

    fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        let behavior = TransactionBehavior::Immediate;
        self.connection.transaction_with_behavior(behavior)
    }
}

/// Whether the newest version is the one that somebody believes it to be.
fn check_tag(
    newest: Option<&Version>,
    wanted: &str,
    bucket: &str,
    key: &str,
) -> Result<(), ObjectError> {
    match newest {
        Some(Version::Object(object)) if object.etag == wanted => Ok(()),
        Some(Version::Object(_)) => Err(ObjectError::Precondition {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }),
        Some(Version::Marker(_)) | None => Err(no_such_key(bucket, key)),
    }
}

fn no_such_key(bucket: &str, key: &str) -> ObjectError {
    ObjectError::NoSuchKey {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

fn no_such_version(bucket: &str, key: &str, version: &str) -> ObjectError {
    ObjectError::NoSuchVersion {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version.to_owned(),
    }
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
