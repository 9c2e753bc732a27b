//! Access keys in SQLite: one row each, in a file of their own that is small enough to copy away.

mod rows;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use ports::access_keys::{AccessKey, AccessKeys, AccessKeysError, StoredKey};
use rusqlite::{Connection, TransactionBehavior};

use crate::data_dir::{self, DataDir};

/// The form of the tables. A database with another number is left alone.
const SCHEMA_VERSION: i64 = 1;

/// Says that a file is a database of access keys: "PWAK".
const APPLICATION_ID: i64 = 0x5057_414B;

/// How many keys one answer lists at most.
const LIST_MAX: usize = 1_000;

/// The access keys of one data directory. Clones are the same store.
#[derive(Clone)]
pub struct AccessKeyStore {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Mutex<Connection>,
    /// No other process may have the file while this one writes.
    _data: DataDir,
}

impl AccessKeyStore {
    /// Opens the file of a data directory, or creates it, for this user alone.
    pub fn open(data: &DataDir) -> Result<Self, AccessKeysError> {
        let connection = open(&data.access_keys())?;
        let inner = Inner {
            connection: Mutex::new(connection),
            _data: data.clone(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The database blocks, so it is kept off the threads that run everything else.
    async fn blocking<T, F>(&self, work: F) -> Result<T, AccessKeysError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, AccessKeysError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&mut inner.connection()))
            .await
            .map_err(|error| unavailable("finish work in the store of access keys", error))?
    }
}

impl Inner {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls back what a panic interrupted, so the rows are whole.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AccessKeys for AccessKeyStore {
    async fn put(&self, key: &AccessKey, expected: u64) -> Result<u64, AccessKeysError> {
        let key = key.clone();
        self.blocking(move |connection| rows::put(connection, &key, expected))
            .await
    }

    async fn get(&self, id: &str) -> Result<Option<StoredKey>, AccessKeysError> {
        let id = id.to_owned();
        self.blocking(move |connection| rows::get(connection, &id))
            .await
    }

    async fn list(&self, after: &str, limit: usize) -> Result<Vec<StoredKey>, AccessKeysError> {
        let after = after.to_owned();
        let limit = limit.min(LIST_MAX);
        self.blocking(move |connection| rows::list(connection, &after, limit))
            .await
    }

    async fn delete(&self, id: &str, expected: u64) -> Result<(), AccessKeysError> {
        let id = id.to_owned();
        self.blocking(move |connection| rows::delete(connection, &id, expected))
            .await
    }
}

fn open(path: &Path) -> Result<Connection, AccessKeysError> {
    let doing = || format!("open the access keys in {}", path.display());
    data_dir::make_file(path).map_err(|error| unavailable(doing(), error))?;
    let failed = |error| rows::failed(doing(), error);
    let mut connection = Connection::open(path).map_err(failed)?;
    prepare(&mut connection).map_err(failed)?;
    let application = number(&connection, "application_id").map_err(failed)?;
    let version = number(&connection, "user_version").map_err(failed)?;
    let why = match (application, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => return Ok(connection),
        (APPLICATION_ID, found) => {
            format!("its schema has version {found}; this program knows {SCHEMA_VERSION}")
        }
        (_, _) => "it belongs to another program".to_owned(),
    };
    Err(AccessKeysError::Corrupt {
        what: format!("file of access keys {}", path.display()),
        why,
    })
}

/// Makes an empty file a database of ours; any other is left as it is.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (number(connection, "application_id")?, tables) == (0, 0) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(rows::SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "synchronous", "FULL")
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn unavailable(
    doing: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> AccessKeysError {
    AccessKeysError::Unavailable {
        doing: doing.into(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn refusal(path: &Path) -> String {
        match open(path) {
            Ok(_) => panic!("it was opened"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn its_files_are_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let _store = AccessKeyStore::open(&data).unwrap();
        for name in ["access.db", "access.db-wal", "access.db-shm"] {
            let file = fs::metadata(folder.path().join(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.db");
        fs::write(&path, "x".repeat(5_000)).unwrap();
        assert!(refusal(&path).contains("damaged or is not a database"));
        fs::remove_file(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE other (id)").unwrap();
        drop(other);
        assert!(refusal(&path).contains("belongs to another program"));
        fs::remove_file(&path).unwrap();
        let newer = open(&path).unwrap();
        newer.pragma_update(None, "user_version", 2).unwrap();
        drop(newer);
        let said = refusal(&path);
        assert!(said.contains("version 2; this program knows 1"), "{said}");
        let folder = folder.path().join("none").join("access.db");
        assert!(refusal(&folder).contains("failed to open the access keys in"));
    }
}
