//! What goes away: versions for good, keys behind a marker, buckets that are empty.

use model::Timestamp;
use ports::objects::{DeleteObject, Deleted, ObjectError, Version};
use rusqlite::{Connection, Transaction, params};

use super::{Index, rows, sql_failed};

/// What a deletion did, and what follows from it for the bytes.
pub(in crate::objects) struct Removed {
    pub(in crate::objects) deleted: Deleted,
    /// The digest of bytes that no version has any more.
    pub(in crate::objects) unused: Option<String>,
}

impl Index {
    pub(in crate::objects) fn delete(
        &mut self,
        request: &DeleteObject<'_>,
        now: Timestamp,
    ) -> Result<Removed, ObjectError> {
        let (bucket, key) = (request.bucket, request.key);
        self.check_bucket(bucket)?;
        let failed = |error| sql_failed(format!("delete `{key}` from bucket `{bucket}`"), error);
        let transaction = self.begin().map_err(failed)?;
        if let Some(wanted) = request.only_if {
            let newest = rows::newest(&transaction, bucket, key).map_err(failed)?;
            super::check_tag(newest.as_ref(), wanted, bucket, key)?;
        }
        let removed = match request.version {
            None => rows::insert_marker(&transaction, bucket, key, now).map(|version_id| Removed {
                deleted: Deleted {
                    version_id,
                    is_marker: true,
                },
                unused: None,
            }),
            Some(version) => remove(&transaction, bucket, key, version),
        };
        let removed = removed.map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(removed)
    }

    pub(in crate::objects) fn delete_bucket(&mut self, bucket: &str) -> Result<(), ObjectError> {
        self.check_bucket(bucket)?;
        let failed = |error| sql_failed(format!("delete bucket `{bucket}`"), error);
        let transaction = self.begin().map_err(failed)?;
        let sql = "SELECT EXISTS (SELECT 1 FROM version WHERE bucket = ?1)";
        let is_used: bool = transaction
            .query_row(sql, params![bucket], |row| row.get(0))
            .map_err(failed)?;
        if is_used {
            return Err(ObjectError::NotEmpty(bucket.to_owned()));
        }
        let sql = "DELETE FROM bucket WHERE name = ?1";
        transaction.execute(sql, params![bucket]).map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

fn remove(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    version: &str,
) -> rusqlite::Result<Removed> {
    let found = rows::named(transaction, bucket, key, version)?;
    let deleted = Deleted {
        version_id: version.to_owned(),
        is_marker: matches!(found, Some(Version::Marker(_))),
    };
    transaction.execute(
        "DELETE FROM newest WHERE bucket = ?1 AND key = ?2",
        params![bucket, key],
    )?;
    transaction.execute(
        "DELETE FROM version WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
        params![bucket, key, version],
    )?;
    show_newest(transaction, bucket, key)?;
    let unused = match found {
        Some(Version::Object(object)) if !is_in_use(transaction, &object.sha256)? => {
            Some(object.sha256)
        }
        Some(_) | None => None,
    };
    Ok(Removed { deleted, unused })
}

/// Writes which version a listing shows, if it is none that hides the key.
fn show_newest(transaction: &Transaction<'_>, bucket: &str, key: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO newest (bucket, key, sequence)
         SELECT bucket, key, sequence FROM (
             SELECT bucket, key, sequence, is_marker FROM version
             WHERE bucket = ?1 AND key = ?2 ORDER BY sequence DESC LIMIT 1
         ) WHERE is_marker = 0",
        params![bucket, key],
    )?;
    Ok(())
}

fn is_in_use(connection: &Connection, sha256: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM version WHERE sha256 = ?1 LIMIT 1";
    connection.prepare_cached(sql)?.exists(params![sha256])
}
