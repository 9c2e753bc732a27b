//! The rows of access keys.

use model::Timestamp;
use ports::access_keys::{AccessKey, AccessKeysError, KeyStatus, NEW, SealedSession, StoredKey};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params, types::Type};

use super::unavailable;

pub(super) const SCHEMA: &str = "
    CREATE TABLE access_key (
        id            TEXT PRIMARY KEY,
        version       INTEGER NOT NULL,
        sealed_secret BLOB NOT NULL,
        user          TEXT NOT NULL,
        policies      TEXT NOT NULL,
        enabled       INTEGER NOT NULL,
        created       INTEGER NOT NULL,
        disabled_at   INTEGER,
        last_used     INTEGER,
        description   TEXT,
        sealed_token  BLOB,
        expires       INTEGER
    ) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "id, version, sealed_secret, user, policies, enabled, created, disabled_at, \
                       last_used, description, sealed_token, expires";

pub(super) fn put(
    connection: &Connection,
    key: &AccessKey,
    expected: u64,
) -> Result<u64, AccessKeysError> {
    let doing = || format!("write access key `{}`", key.id);
    let failed = |error| failed(doing(), error);
    let policies =
        serde_json::to_string(&key.policies).map_err(|error| unavailable(doing(), error))?;
    let version = expected.saturating_add(1);
    let condition = if expected == NEW {
        format!(
            "INSERT INTO access_key ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
                 ?10, ?11, ?12) ON CONFLICT DO NOTHING"
        )
    } else {
        "UPDATE access_key SET version = ?2, sealed_secret = ?3, user = ?4, policies = ?5, \
             enabled = ?6, created = ?7, disabled_at = ?8, last_used = ?9, description = ?10, \
             sealed_token = ?11, expires = ?12 WHERE id = ?1 AND version = ?2 - 1"
            .to_owned()
    };
    let session = key.session.as_ref();
    let values = params![
        key.id,
        version,
        key.sealed_secret,
        key.user,
        policies,
        key.status == KeyStatus::Enabled,
        key.created.0,
        key.disabled_at.map(|at| at.0),
        key.last_used.map(|at| at.0),
        key.description,
        session.map(|session| &session.sealed_token),
        session.map(|session| session.expires.0),
    ];
    match connection.execute(&condition, values).map_err(failed)? {
        0 => Err(AccessKeysError::Conflict),
        _ => Ok(version),
    }
}

pub(super) fn get(connection: &Connection, id: &str) -> Result<Option<StoredKey>, AccessKeysError> {
    let sql = format!("SELECT {COLUMNS} FROM access_key WHERE id = ?1");
    let read = || {
        connection
            .prepare_cached(&sql)?
            .query_row([id], row)
            .optional()
    };
    read().map_err(|error| failed("look for an access key", error))
}

pub(super) fn list(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<StoredKey>, AccessKeysError> {
    let sql = format!("SELECT {COLUMNS} FROM access_key WHERE id > ?1 ORDER BY id LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = || -> rusqlite::Result<Vec<StoredKey>> {
        let mut query = connection.prepare_cached(&sql)?;
        query.query_map(params![after, limit], row)?.collect()
    };
    read().map_err(|error| failed("list access keys", error))
}

pub(super) fn delete(
    connection: &Connection,
    id: &str,
    expected: u64,
) -> Result<(), AccessKeysError> {
    let sql = "DELETE FROM access_key WHERE id = ?1 AND version = ?2";
    let deleted = connection
        .execute(sql, params![id, expected])
        .map_err(|error| failed(format!("delete access key `{id}`"), error))?;
    match deleted {
        0 => Err(AccessKeysError::Conflict),
        _ => Ok(()),
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    let policies: String = row.get(4)?;
    let policies = serde_json::from_str(&policies).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(error))
    })?;
    let status = if row.get(5)? {
        KeyStatus::Enabled
    } else {
        KeyStatus::Disabled
    };
    let (sealed_token, expires): (Option<Vec<u8>>, Option<i64>) = (row.get(10)?, row.get(11)?);
    let session = sealed_token.zip(expires).map(|(sealed_token, expires)| {
        let expires = Timestamp(expires);
        SealedSession {
            sealed_token,
            expires,
        }
    });
    let key = AccessKey {
        id: row.get(0)?,
        sealed_secret: row.get(2)?,
        user: row.get(3)?,
        policies,
        status,
        created: Timestamp(row.get(6)?),
        disabled_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        last_used: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        description: row.get(9)?,
        session,
    };
    Ok(StoredKey {
        key,
        version: row.get(1)?,
    })
}

/// The port's error for an error of SQLite.
pub(super) fn failed(doing: impl Into<String>, error: rusqlite::Error) -> AccessKeysError {
    let mut doing = doing.into();
    if let rusqlite::Error::FromSqlConversionFailure(..) = error {
        return AccessKeysError::Corrupt {
            what: "access key".to_owned(),
            why: error.to_string(),
        };
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => doing.push_str(": the disk is full"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            doing.push_str(": the file is damaged or is not a database");
        }
        Some(_) | None => {}
    }
    unavailable(doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_read_is_an_error_and_no_key() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let sql = "INSERT INTO access_key VALUES ('A', 1, x'00', 'ann', 'no list', 1, 0, NULL, \
                   NULL, NULL, NULL, NULL)";
        connection.execute(sql, []).unwrap();
        assert!(matches!(
            get(&connection, "A"),
            Err(AccessKeysError::Corrupt { .. })
        ));
        assert!(list(&connection, "", 9).is_err());
        connection.execute_batch("DROP TABLE access_key").unwrap();
        let error = delete(&connection, "A", 1).unwrap_err();
        assert_eq!(error.to_string(), "failed to delete access key `A`");
    }
}
