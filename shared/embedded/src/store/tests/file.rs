//! The database file and what else may be in its place.

use std::fs;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{DataDir, DataDirError, store::OpenError};

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn data(&self) -> DataDir {
        DataDir::open(self.folder.path()).unwrap()
    }

    fn open(&self) -> Result<Store, OpenError> {
        Store::open(&self.data())
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.data().database()).unwrap()
    }

    /// A database of ours, closed, with something done to it.
    async fn after(&self, sql: &str) {
        drop(begun(self.open().unwrap()).await);
        let connection = Connection::open(self.data().database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let content = b"my notes, which are much longer than the header of a database. ".repeat(99);
    fs::write(folder.data().database(), &content).unwrap();
    let refused = folder.open().err().unwrap();
    let path = folder.data().database();
    assert_eq!(
        refused.to_string(),
        format!(
            "`{}` is not a Pipewright database or is damaged: file is not a database",
            path.display()
        )
    );
    assert_eq!(folder.bytes(), content);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    let connection = Connection::open(folder.data().database()).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(connection);
    let before = folder.bytes();
    let refused = folder.open().err().unwrap();
    assert!(
        refused
            .to_string()
            .ends_with("it belongs to another program")
    );
    assert_eq!(folder.bytes(), before);
}

#[tokio::test]
async fn a_schema_of_the_future_is_refused_and_left_alone() {
    let folder = Folder::new();
    folder.after("PRAGMA user_version = 3").await;
    let before = folder.bytes();
    let refused = folder.open().err().unwrap();
    assert!(matches!(refused, OpenError::OtherVersion { found: 3, .. }));
    assert_eq!(folder.bytes(), before);
}

#[tokio::test]
async fn tables_that_somebody_changed_are_refused() {
    let folder = Folder::new();
    folder
        .after("ALTER TABLE journal ADD COLUMN theirs TEXT")
        .await;
    let refused = folder.open().err().unwrap();
    assert!(
        refused
            .to_string()
            .ends_with("its tables are not those of its version")
    );
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(begun(folder.open().unwrap()).await);
    let mut bytes = folder.bytes();
    bytes[100..].fill(0xAA);
    fs::write(folder.data().database(), &bytes).unwrap();
    let refused = folder.open().err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert_eq!(folder.bytes(), bytes);
}

#[tokio::test]
async fn a_directory_in_its_place_is_an_error() {
    let folder = Folder::new();
    fs::create_dir(folder.data().database()).unwrap();
    let refused = folder.open().err().unwrap();
    assert!(matches!(refused, OpenError::Unavailable { .. }));
}

#[tokio::test]
async fn an_empty_file_beside_objects_is_a_loss_that_is_told() {
    let folder = Folder::new();
    let data = folder.data();
    fs::write(data.database(), "").unwrap();
    fs::create_dir(data.objects()).unwrap();
    drop(data);
    let error = folder.open().err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(folder.bytes(), b"", "it was left alone");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let folder = Folder::new();
    fs::write(folder.data().database(), "").unwrap();
    begun(folder.open().unwrap()).await;
    let store = folder.open().unwrap();
    assert_eq!(load(&store, PIPELINE).await.version, 2);
}

#[tokio::test]
async fn a_store_holds_its_directory_until_it_is_closed() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let second = DataDir::open(folder.folder.path());
    assert!(matches!(second, Err(DataDirError::InUse { .. })));
    let clone = store.clone();
    drop(store);
    let second = DataDir::open(folder.folder.path());
    assert!(matches!(second, Err(DataDirError::InUse { .. })));
    drop(clone);
    DataDir::open(folder.folder.path()).unwrap();
}

#[tokio::test]
async fn an_orderly_end_repeats_no_delivery_and_a_crash_may() {
    let folder = Folder::new();
    let mut store = begun(folder.open().unwrap()).await;
    store.delivered(&[2]).await.unwrap();
    assert!(store.undelivered(9).await.unwrap().is_empty());
    store = store.crash().unwrap();
    assert_eq!(store.undelivered(9).await.unwrap()[0].commit, 2);
    store.delivered(&[2]).await.unwrap();
    drop(store);
    store = folder.open().unwrap();
    assert!(store.undelivered(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn everybody_commits_at_once_and_each_commit_counts_once() {
    const TASKS: u32 = 16;
    let folder = Folder::new();
    let store = folder.open().unwrap();
    store.commit(new_pipeline(PIPELINE)).await.unwrap();
    let tasks = (1..=TASKS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let other = new_pipeline(&format!("other-{number}"));
            store.commit(other).await.unwrap();
            let mut conflicts = 0;
            loop {
                match store.commit(next(&store, number.into()).await).await {
                    Ok(commit) => return (commit, conflicts),
                    Err(StoreError::Conflict) => conflicts += 1,
                    Err(error) => panic!("{}", told(&error)),
                }
                assert!(conflicts < TASKS, "somebody else committed each time");
            }
        })
    });
    let mut numbers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.push(task.await.unwrap().0);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 16);
    let loaded = load(&store, PIPELINE).await;
    assert_eq!(loaded.version, 1 + u64::from(TASKS));
    assert_eq!(loaded.state.executions.len(), 16);
    let journal = store.journal(0, 99).await.unwrap();
    let commits: Vec<u64> = journal.iter().map(|entry| entry.commit).collect();
    assert_eq!(commits, (1..=1 + 2 * u64::from(TASKS)).collect::<Vec<_>>());
}
