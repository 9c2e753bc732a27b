//! What a commit does, and what it leaves alone.

use std::{collections::BTreeMap, sync::Arc};

use model::{ExecutionStatus, Timestamp};
use uuid::Uuid;

use super::{
    Harness,
    fixture::{
        PIPELINE, begin, begun, blank, change, declaration, end, finish, id, load, new_pipeline,
    },
};
use crate::store::{Message, StoreError};

pub async fn what_was_committed_is_loaded_after_a_crash(harness: &mut dyn Harness) {
    begun(&*harness.store()).await;
    let before = load(&*harness.store(), PIPELINE).await;
    harness.reopen().await;
    let after = load(&*harness.store(), PIPELINE).await;
    assert_eq!(before.state, after.state);
    assert_eq!(
        (before.version, before.commit),
        (after.version, after.commit)
    );
    assert_eq!(after.version, 2);
}

pub async fn a_pipeline_that_was_never_created_is_not_there(harness: &mut dyn Harness) {
    let store = harness.store();
    assert!(
        store
            .load("nobody", None)
            .await
            .expect("the store reads")
            .is_none()
    );
    assert!(
        store
            .definition("nobody", 1)
            .await
            .expect("the store reads")
            .is_none()
    );
}

pub async fn a_commit_is_refused_when_the_version_moved(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let loaded = load(&*store, PIPELINE).await;
    let first = finish(&loaded, 1);
    let mut second = finish(&loaded, 1);
    second.id = Uuid::from_u128(77);
    second.token = Some(("lost".to_owned(), id(1)));
    store.commit(first).await.expect("the first one is in time");
    assert!(matches!(
        store.commit(second).await,
        Err(StoreError::Conflict)
    ));
    let token = store
        .execution_by_token(PIPELINE, "lost")
        .await
        .expect("the store reads");
    assert_eq!(token, None, "nothing of the refused commit is there");
    let again = store.commit(new_pipeline(PIPELINE)).await;
    assert!(
        matches!(again, Err(StoreError::Conflict)),
        "a pipeline is created once"
    );
}

pub async fn the_last_commit_shows_its_id(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let commit = finish(&load(&*store, PIPELINE).await, 1);
    let mine = commit.id;
    store.commit(commit).await.expect("nobody else commits");
    assert_eq!(load(&*store, PIPELINE).await.commit, mine);
    drop(store);
    harness.reopen().await;
    assert_eq!(load(&*harness.store(), PIPELINE).await.commit, mine);
}

pub async fn a_token_starts_one_execution(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = blank(&load(&*store, PIPELINE).await);
    commit.token = Some(("once".to_owned(), id(1)));
    store.commit(commit).await.expect("the token is new");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let found = store
        .execution_by_token(PIPELINE, "once")
        .await
        .expect("the store reads");
    assert_eq!(found, Some(id(1)));
    let mut again = blank(&load(&*store, PIPELINE).await);
    again.token = Some(("once".to_owned(), id(2)));
    assert!(matches!(
        store.commit(again).await,
        Err(StoreError::Conflict)
    ));
    let of_another = store
        .execution_by_token("other", "once")
        .await
        .expect("the store reads");
    assert_eq!(of_another, None);
}

pub async fn an_item_that_does_not_fit_is_refused_whole(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = blank(&load(&*store, PIPELINE).await);
    let shared = commit
        .state
        .executions
        .get_mut(&id(1))
        .expect("it was begun");
    let large = "x".repeat(500 * 1024);
    Arc::make_mut(shared)
        .variables
        .insert("large".to_owned(), large);
    commit.changed.push(id(1));
    assert!(matches!(
        store.commit(commit).await,
        Err(StoreError::TooLarge { .. })
    ));
    assert_eq!(load(&*store, PIPELINE).await.version, 2);
}

pub async fn a_commit_is_there_whole(harness: &mut dyn Harness) {
    let store = harness.store();
    let first = store.commit(new_pipeline(PIPELINE)).await;
    first.expect("a new pipeline is created");
    let (mut commit, job) = begin(&load(&*store, PIPELINE).await, 1);
    commit.token = Some(("start".to_owned(), id(1)));
    commit.deadline = Some(Timestamp(9));
    commit.outbox.push(Message::Change(change(1, 1)));
    let (state, outbox) = (commit.state.clone(), commit.outbox.clone());
    let number = store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    assert_eq!(load(&*store, PIPELINE).await.state, state);
    let token = store.execution_by_token(PIPELINE, "start").await;
    assert_eq!(token.expect("the store reads"), Some(id(1)));
    let due = store.due(Timestamp(9), 9).await;
    assert_eq!(due.expect("the store reads"), [PIPELINE]);
    let left = store.undelivered(9).await.expect("the store reads");
    let left = left.iter().find(|left| left.commit == number);
    assert_eq!(left.expect("it was not delivered").messages, outbox);
    let records = store.action_executions(PIPELINE, id(1)).await;
    assert_eq!(records.expect("the store reads")[0].job, job);
    let journal = store.journal(number - 1, 9).await.expect("the store reads");
    assert_eq!(journal[0].changes, [change(1, 1)]);
}

pub async fn of_a_refused_commit_there_is_nothing(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let journal = store.journal(0, 99).await.expect("the store reads");
    let outboxes = store.undelivered(99).await.expect("the store reads");
    let before = load(&*store, PIPELINE).await;
    let (mut late, _) = begin(&before, 2);
    late.expected_version -= 1;
    late.token = Some(("late".to_owned(), id(2)));
    late.deadline = Some(Timestamp(1));
    let refused = store.commit(late).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let store = harness.store();
        assert_eq!(load(&*store, PIPELINE).await.state, before.state);
        let found = store.execution(PIPELINE, id(2)).await;
        assert!(found.expect("the store reads").is_none());
        let records = store.action_executions(PIPELINE, id(2)).await;
        assert!(records.expect("the store reads").is_empty());
        let jobs = store.open_jobs(None, 9).await.expect("the store reads");
        assert_eq!(jobs.len(), 1);
        let token = store.execution_by_token(PIPELINE, "late").await;
        assert_eq!(token.expect("the store reads"), None);
        let due = store.due(Timestamp(9), 9).await;
        assert!(due.expect("the store reads").is_empty());
        let now = store.journal(0, 99).await.expect("the store reads");
        assert_eq!(now, journal);
        let now = store.undelivered(99).await.expect("the store reads");
        assert_eq!(now, outboxes);
    }
    let store = harness.store();
    let number = store.commit(finish(&before, 1)).await;
    let last = journal.last().expect("two commits").commit;
    assert!(number.expect("nobody else commits") > last);
}

pub async fn an_execution_that_a_commit_does_not_name_stays(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let (mut commit, _) = begin(&load(&*store, PIPELINE).await, 2);
    commit.state.executions.remove(&id(1));
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let loaded = load(&*harness.store(), PIPELINE).await;
        assert!(loaded.state.executions.contains_key(&id(1)));
        assert!(loaded.state.executions.contains_key(&id(2)));
    }
}

pub async fn an_execution_that_a_commit_does_not_change_stays(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let before = load(&*store, PIPELINE).await;
    let mut commit = blank(&before);
    end(&mut commit, 1, ExecutionStatus::Stopping);
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let loaded = load(&*harness.store(), PIPELINE).await;
        assert_eq!(loaded.state.executions, before.state.executions);
    }
}

pub async fn every_version_of_a_definition_stays(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = blank(&load(&*store, PIPELINE).await);
    let mut second = declaration();
    second.version = Some(2);
    commit.state.head.definition = 2;
    commit.state.definitions.insert(2, Arc::new(second.clone()));
    commit.new_definition = true;
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let store = harness.store();
        let loaded = load(&*store, PIPELINE).await;
        let versions: Vec<_> = loaded.state.definitions.keys().copied().collect();
        assert_eq!(
            versions,
            [1, 2],
            "the execution still runs on the first one"
        );
        let first = store.definition(PIPELINE, 1).await;
        assert_eq!(
            *first.expect("the store reads").expect("it stays"),
            declaration()
        );
        let found = store.definition(PIPELINE, 2).await;
        assert_eq!(
            *found.expect("the store reads").expect("it is there"),
            second
        );
        let unknown = store.definition(PIPELINE, 3).await;
        assert!(unknown.expect("the store reads").is_none());
    }
}

pub async fn pipelines_do_not_disturb_each_other(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let other = store.commit(new_pipeline("other")).await;
    other.expect("a new pipeline is created");
    let before = load(&*store, PIPELINE).await;
    for pipeline in ["other", PIPELINE] {
        let mut commit = blank(&load(&*store, pipeline).await);
        commit.token = Some(("same".to_owned(), id(1)));
        store.commit(commit).await.expect("the token is new there");
    }
    let (commit, job) = begin(&load(&*store, "other").await, 2);
    store.commit(commit).await.expect("nobody else commits");
    assert_eq!(load(&*store, PIPELINE).await.state, before.state);
    let found = store.execution(PIPELINE, job.key.execution).await;
    assert!(found.expect("the store reads").is_none());
    let records = store.action_executions(PIPELINE, job.key.execution).await;
    assert!(records.expect("the store reads").is_empty());
}

pub async fn tags_stay_until_others_replace_them(harness: &mut dyn Harness) {
    let store = harness.store();
    let tagged = |value: &str| Arc::new(BTreeMap::from([("team".to_owned(), value.to_owned())]));
    let mut commit = new_pipeline(PIPELINE);
    (commit.state.tags, commit.new_tags) = (tagged("web"), true);
    store.commit(commit).await.expect("nobody else commits");
    let (commit, _) = begin(&load(&*store, PIPELINE).await, 1);
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let loaded = load(&*store, PIPELINE).await;
    assert_eq!(loaded.state.tags, tagged("web"));
    let mut commit = blank(&loaded);
    (commit.state.tags, commit.new_tags) = (tagged("shop"), true);
    store.commit(commit).await.expect("nobody else commits");
    assert_eq!(load(&*store, PIPELINE).await.state.tags, tagged("shop"));
    drop(store);
    harness.reopen().await;
    let tags = load(&*harness.store(), PIPELINE).await.state.tags;
    assert_eq!(tags, tagged("shop"));
}

pub async fn a_pipeline_that_went_leaves_its_name_and_its_journal(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    end(&mut commit, 1, ExecutionStatus::Cancelled);
    commit.gone = true;
    commit.deadline = Some(Timestamp(1));
    let last = store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let store = harness.store();
        let found = store.load(PIPELINE, None).await.expect("the store reads");
        assert!(found.is_none());
        let names = store.pipelines("", 10).await.expect("the store reads");
        assert_eq!(names, Vec::<String>::new());
        let executions = store.executions(PIPELINE, u64::MAX, 10).await;
        assert!(executions.expect("the store reads").is_empty());
        let due = store.due(Timestamp(100), 10).await;
        assert!(due.expect("the store reads").is_empty());
        let journal = store.journal(last - 1, 10).await.expect("the store reads");
        let names: Vec<_> = journal.iter().map(|entry| &entry.pipeline).collect();
        assert_eq!(names, [PIPELINE]);
    }
    // The name is free, and nothing of the old pipeline is in the new one.
    let store = harness.store();
    let commit = new_pipeline(PIPELINE);
    store.commit(commit).await.expect("the name is free");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let executions = store.executions(PIPELINE, u64::MAX, 10).await;
    assert!(executions.expect("the store reads").is_empty());
    assert_eq!(load(&*store, PIPELINE).await.version, 1);
}

/// The next pipeline of the name counts its versions anew: a late commit of the old one has the
/// same number, and must not be taken for its own.
pub async fn a_commit_of_a_pipeline_that_went_is_none_of_the_next_ones(harness: &mut dyn Harness) {
    let store = harness.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    let old = load(&*store, PIPELINE).await;
    let mut last = blank(&old);
    last.gone = true;
    store.commit(last).await.expect("nobody else commits");
    let mut again = new_pipeline(PIPELINE);
    again.id = Uuid::from_u128(4711);
    store.commit(again).await.expect("the name is free");
    let new = load(&*store, PIPELINE).await;
    assert_eq!(old.version, new.version);
    let mut late = blank(&old);
    late.id = Uuid::from_u128(4712);
    late.state.head.sequence = 99;
    let refused = store.commit(late).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(load(&*store, PIPELINE).await.state, new.state);
}
