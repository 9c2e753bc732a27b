//! What goes wrong, and what it does not reach.

use model::ActionStatus;
use ports::contract::pipelines::fixture::{blank, finish, update};
use rusqlite::Connection;

use super::*;
use crate::store::{
    BEGUN_MAX, Fault, Faults, database,
    prepared::Prepared,
    writer::{Outcome, Work, Writer},
};

fn writer() -> Writer {
    Writer::new(database::open_memory().unwrap(), "memory").unwrap()
}

fn work(commit: Commit) -> Work {
    Work::Commit(Box::new(Prepared::new(commit).unwrap()))
}

fn kinds(outcomes: &[Outcome]) -> Vec<String> {
    let kind = |outcome: &Outcome| match outcome {
        Ok(number) => format!("commit {number}"),
        Err(error) => told(error),
    };
    outcomes.iter().map(kind).collect()
}

/// Makes every commit with the token `poison` fail in the middle of its rows.
fn poison(connection: &Connection) {
    let sql = "CREATE TEMP TRIGGER poison BEFORE INSERT ON token WHEN new.token = 'poison' \
               BEGIN SELECT raise(ABORT, 'poisoned'); END";
    connection.execute_batch(sql).unwrap();
}

fn poisoned(pipeline: &str) -> Commit {
    let mut commit = new_pipeline(pipeline);
    commit.token = Some(("poison".to_owned(), id(1)));
    commit
}

#[test]
fn a_refused_commit_does_not_reach_the_others_of_its_transaction() {
    let mut writer = writer();
    let works = ["a", "a", "b"].map(|name| work(new_pipeline(name)));
    let conflict = StoreError::Conflict.to_string();
    assert_eq!(
        kinds(&writer.write(&works)),
        ["commit 1", &conflict, "commit 2"]
    );
}

#[test]
fn a_failure_of_one_commit_does_not_reach_the_others_of_its_transaction() {
    let mut writer = writer();
    poison(&writer.ledger.connection);
    let works = [new_pipeline("a"), poisoned("b"), new_pipeline("c")].map(work);
    let failed = "failed to write to the database: poisoned";
    assert_eq!(
        kinds(&writer.write(&works)),
        ["commit 1", failed, "commit 2"]
    );
    let sql = "SELECT group_concat(name) FROM pipeline";
    let names: String = writer
        .ledger
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(names, "a,c");
    assert!(!writer.is_broken());
}

#[test]
fn a_full_disk_is_named_and_writing_goes_on_when_there_is_room() {
    let mut writer = writer();
    let pages = |count: u32| format!("PRAGMA max_page_count = {count}");
    writer.ledger.connection.execute_batch(&pages(1)).unwrap();
    let works: Vec<Work> = (0..50)
        .map(|n| work(new_pipeline(&format!("p{n}"))))
        .collect();
    for outcome in kinds(&writer.write(&works)) {
        assert_eq!(
            outcome,
            "failed to write to the database: the disk is full: database or disk is full"
        );
    }
    assert!(writer.ledger.memory.lock().state("p0").is_none());
    writer
        .ledger
        .connection
        .execute_batch(&pages(10_000))
        .unwrap();
    let outcomes = kinds(&writer.write(&works));
    assert_eq!((&*outcomes[0], &*outcomes[49]), ("commit 1", "commit 50"));
}

#[test]
fn after_a_failure_of_the_disk_nothing_is_written_and_everything_can_be_read() {
    let mut writer = writer();
    writer.write(&[work(new_pipeline("a"))]);
    // The nearest thing to a disk that fails: one that takes no writes.
    writer
        .ledger
        .connection
        .execute_batch("PRAGMA query_only = 1")
        .unwrap();
    let outcomes = kinds(&writer.write(&[work(new_pipeline("b"))]));
    let why = "attempt to write a readonly database";
    assert_eq!(
        outcomes,
        [format!("failed to write to the database: {why}")]
    );
    writer
        .ledger
        .connection
        .execute_batch("PRAGMA query_only = 0")
        .unwrap();
    let outcomes = kinds(&writer.write(&[work(new_pipeline("b"))]));
    let refused = "failed to write: the database is read-only now";
    assert_eq!(outcomes, [format!("{refused}: {why}")]);
    assert!(writer.is_broken());
    assert!(writer.ledger.memory.lock().state("a").is_some());
}

#[tokio::test]
async fn a_damaged_pipeline_is_an_error_and_the_others_go_on() {
    let store = begun(Store::in_memory().unwrap()).await;
    store.commit(new_pipeline("other")).await.unwrap();
    let damage = |sql: &'static str| {
        store
            .read(|connection| Ok(connection.execute(sql, []).unwrap()))
            .unwrap()
    };
    damage("UPDATE execution SET body = x'00'");
    let store = store.clone().crash().unwrap();
    let error = store.load(PIPELINE, None).await.unwrap_err();
    assert!(told(&error).starts_with("the stored execution 1 of pipeline 1 cannot be read"));
    assert_eq!(load(&store, "other").await.version, 1);
    let error = store.commit(finish_of_nothing()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    let other = blank(&load(&store, "other").await);
    store.commit(other).await.unwrap();
    assert_eq!(store.open_jobs(None, 9).await.unwrap().len(), 1);
}

/// A commit on a pipeline that cannot be loaded any more.
fn finish_of_nothing() -> Commit {
    let mut commit = new_pipeline(PIPELINE);
    commit.expected_version = 2;
    commit
}

#[tokio::test]
async fn a_damaged_outbox_does_not_keep_back_the_others() {
    let store = begun(Store::in_memory().unwrap()).await;
    store.commit(next(&store, 2).await).await.unwrap();
    let damage = |sql: &'static str| {
        store
            .read(|connection| Ok(connection.execute(sql, []).unwrap()))
            .unwrap()
    };
    damage("UPDATE journal SET outbox = x'00' WHERE number = 2");
    let left = store.undelivered(9).await.unwrap();
    assert_eq!(left.iter().map(|left| left.commit).collect::<Vec<_>>(), [3]);
    store.delivered(&[3]).await.unwrap();
    let error = store.undelivered(9).await.unwrap_err();
    assert!(told(&error).starts_with("the stored journal entry of commit 2 cannot be read"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let store = begun(Store::in_memory().unwrap()).await;
    let before = load(&store, PIPELINE).await;
    let mut of_nobody = blank(&before);
    of_nobody
        .updates
        .push(update(7, ActionStatus::Succeeded, |_| {}));
    let mut unnamed = blank(&before);
    unnamed.changed.push(id(7));
    let mut again = blank(&before);
    let (twice, _) = begin(&before, 1);
    again.begun = twice.begun;
    let mut undefined = blank(&before);
    undefined.new_definition = true;
    undefined.state.definitions.clear();
    let mut outputs = finish(&before, 1);
    outputs.changed = vec![id(2)];
    let execution = outputs.state.executions.remove(&id(1)).unwrap();
    let mut execution = model::Execution::clone(&execution);
    execution.id = id(2);
    outputs.state.executions.insert(id(2), execution.into());
    for commit in [of_nobody, unnamed, again, undefined, outputs] {
        let refused = store.commit(commit).await;
        assert!(
            matches!(refused, Err(StoreError::Corrupt { .. })),
            "{refused:?}"
        );
    }
    let mut many = blank(&before);
    let (one, _) = begin(&before, 2);
    many.begun = vec![one.begun[0].clone(); BEGUN_MAX + 1];
    let refused = store.commit(many).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    let after = load(&store, PIPELINE).await;
    assert_eq!((after.version, after.state), (before.version, before.state));
}

struct Always(Fault);

impl Faults for Always {
    fn of_commit(&self, _: &Commit) -> Option<Fault> {
        Some(self.0)
    }
}

#[tokio::test]
async fn faults_on_purpose_do_what_they_say() {
    for (fault, is_written) in [
        (Fault::Conflict, false),
        (Fault::Unavailable, false),
        (Fault::AmbiguousNotWritten, false),
        (Fault::AmbiguousWritten, true),
    ] {
        let store = begun(Store::in_memory().unwrap()).await;
        let commit = next(&store, 2).await;
        let mine = commit.id;
        let error = store
            .clone()
            .with_faults(Box::new(Always(fault)))
            .commit(commit)
            .await;
        let is_named = match error.unwrap_err() {
            StoreError::Conflict => fault == Fault::Conflict,
            StoreError::Unavailable { .. } => fault == Fault::Unavailable,
            StoreError::Ambiguous => {
                [Fault::AmbiguousNotWritten, Fault::AmbiguousWritten].contains(&fault)
            }
            StoreError::Corrupt { .. } | StoreError::TooLarge { .. } => false,
        };
        assert!(is_named, "{fault:?}");
        assert_eq!(load(&store, PIPELINE).await.commit == mine, is_written);
    }
}

#[tokio::test]
async fn a_store_that_crashed_is_gone_for_whoever_still_has_it() {
    let store = begun(Store::in_memory().unwrap()).await;
    let next_store = store.clone().crash().unwrap();
    let commit = next(&next_store, 2).await;
    let late = store.commit(commit).await.unwrap_err();
    assert_eq!(told(&late), "failed to reach the database: it was closed");
    assert!(store.pipelines("", 9).await.is_err());
    assert!(store.crash().is_err());
    assert_eq!(load(&next_store, PIPELINE).await.version, 2);
}
