//! Cursors in a small database of their own, beside that of the pipelines: what reads the journal
//! must not wait for whoever writes it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use ports::{Cursors as Port, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::data_dir::{self, DataDir};

/// The database's file in the data directory.
const FILE: &str = "cursors.db";

/// Written to the log and not synced: a power cut takes back the last few moves of a cursor.
const OPEN: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
    CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, at INTEGER NOT NULL) \
    STRICT, WITHOUT ROWID;";

/// The cursors of this machine.
pub struct Cursors(Mutex<Connection>);

impl Cursors {
    /// Opens the cursors of a data directory, or makes them.
    pub fn open(data: &DataDir) -> Result<Self, StoreError> {
        let path = data.path().join(FILE);
        data_dir::make_file(&path).map_err(|source| StoreError::Unavailable {
            doing: format!("make `{FILE}`"),
            source: Box::new(source),
        })?;
        Self::on(Connection::open(path))
    }

    /// Cursors that are forgotten with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::on(Connection::open_in_memory())
    }

    fn on(connection: rusqlite::Result<Connection>) -> Result<Self, StoreError> {
        let connection = connection.map_err(failed("open the cursors"))?;
        connection
            .execute_batch(OPEN)
            .map_err(failed("open the cursors"))?;
        Ok(Self(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // One statement is all that is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(doing: &str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Unavailable {
        doing: format!("{doing} in `{FILE}`"),
        source: Box::new(source),
    }
}

#[async_trait]
impl Port for Cursors {
    async fn get(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT at FROM cursor WHERE name = ?1";
        self.lock()
            .query_row(sql, [name], |row| row.get(0))
            .optional()
            .map_err(failed("read a cursor"))
    }

    async fn set(&self, name: &str, commit: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO cursor (name, at) VALUES (?1, ?2) \
            ON CONFLICT (name) DO UPDATE SET at = ?2";
        let set = self.lock().execute(sql, params![name, commit]);
        set.map(drop).map_err(failed("move a cursor"))
    }

    async fn keep_only(&self, names: &[String]) -> Result<(), StoreError> {
        let kept: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let forget = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let all: Vec<String> = transaction
                .prepare("SELECT name FROM cursor")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for name in all.iter().filter(|name| !kept.contains(name.as_str())) {
                transaction.execute("DELETE FROM cursor WHERE name = ?1", [name])?;
            }
            transaction.commit()
        };
        forget(&mut self.lock()).map_err(failed("forget cursors"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cursor_is_where_it_was_left_after_the_directory_is_opened_again() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        {
            let data = DataDir::open(folder.path()).expect("it can be held");
            let cursors = Cursors::open(&data).expect("they open");
            assert_eq!(cursors.get("a").await.expect("it is read"), None);
            cursors.set("a", 7).await.expect("it is set");
            cursors.set("a", 8).await.expect("it is set");
            cursors.set("b", 1).await.expect("it is set");
        }
        let data = DataDir::open(folder.path()).expect("it can be held");
        let cursors = Cursors::open(&data).expect("they open");
        assert_eq!(cursors.get("a").await.expect("it is read"), Some(8));
        assert_eq!(cursors.get("b").await.expect("it is read"), Some(1));
    }

    #[tokio::test]
    async fn what_is_not_kept_is_forgotten() {
        let cursors = Cursors::in_memory().expect("they open");
        for name in ["a", "b", "c"] {
            cursors.set(name, 1).await.expect("it is set");
        }
        let kept = ["b".to_owned(), "new".to_owned()];
        cursors.keep_only(&kept).await.expect("they are forgotten");
        assert_eq!(cursors.get("a").await.expect("it is read"), None);
        assert_eq!(cursors.get("b").await.expect("it is read"), Some(1));
        assert_eq!(cursors.get("new").await.expect("it is read"), None);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_and_a_number_that_does_not_fit_are_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data = DataDir::open(folder.path()).expect("it can be held");
        std::fs::write(data.path().join(FILE), "x".repeat(4_096)).expect("it is written");
        let error = Cursors::open(&data).err().expect("it is no database");
        assert_eq!(
            error.to_string(),
            "failed to open the cursors in `cursors.db`"
        );
        std::fs::remove_file(data.path().join(FILE)).expect("it is there");
        std::fs::create_dir(data.path().join(FILE)).expect("it is made");
        let error = Cursors::open(&data).err().expect("it is no file");
        assert_eq!(error.to_string(), "failed to make `cursors.db`");
        let cursors = Cursors::in_memory().expect("they open");
        let error = cursors
            .set("a", u64::MAX)
            .await
            .expect_err("it is too large");
        assert_eq!(error.to_string(), "failed to move a cursor in `cursors.db`");
        cursors
            .lock()
            .execute_batch("DROP TABLE cursor")
            .expect("it is dropped");
        for error in [
            cursors.get("a").await.expect_err("it is broken"),
            cursors.keep_only(&[]).await.expect_err("it is broken"),
        ] {
            assert!(matches!(error, StoreError::Unavailable { .. }));
        }
    }
}
