//! A table that is busy, and answers that get lost.

use std::collections::BTreeMap;

use pipewright_aws::Store;
use pipewright_tests::{
    emulator::Emulator,
    proxy::{Faults, Proxy, Rates},
};
use ports::{
    PipelineStore, StoreError,
    contract::pipelines::fixture::{PIPELINE, begin, begun, blank, finish, load, new_pipeline},
};
use uuid::Uuid;

use crate::table::Fresh;

const ALWAYS: u64 = 1_000;

fn proxy() -> Proxy {
    let emulator = Emulator::shared();
    Proxy::start(emulator.port(), emulator.process())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_by_its_id() {
    let fresh = Fresh::new().await;
    begun(&fresh.store()).await;
    let proxy = proxy();
    let store = Store::new(fresh.open_at(&proxy.url()).0);
    let commit = finish(&load(&store, PIPELINE).await, 1);
    let (mine, state) = (commit.id, commit.state.clone());
    proxy.break_things(Faults::new(
        1,
        Rates {
            unanswered: ALWAYS,
            ..Rates::default()
        },
    ));
    let left_open = store.commit(commit.clone()).await;
    assert!(
        matches!(left_open, Err(StoreError::Ambiguous)),
        "{left_open:?}"
    );
    assert!(proxy.heal().values().sum::<u64>() > 1, "it was sent again");
    let loaded = load(&store, PIPELINE).await;
    assert_eq!(
        (loaded.version, loaded.commit),
        (3, mine),
        "it was done once"
    );
    assert_eq!(loaded.state, state);
    // The same commit once more is late.
    assert!(matches!(
        store.commit(commit).await,
        Err(StoreError::Conflict)
    ));
    let outputs = store.action_executions(PIPELINE, ports::contract::pipelines::fixture::id(1));
    let outputs = outputs.await.expect("the store reads");
    assert_eq!(outputs.len(), 1);
}

#[tokio::test]
async fn a_busy_table_is_unavailable_and_nothing_was_written() {
    let fresh = Fresh::new().await;
    begun(&fresh.store()).await;
    let proxy = proxy();
    let store = Store::new(fresh.open_at(&proxy.url()).0);
    let commit = blank(&load(&store, PIPELINE).await);
    let numbers: Vec<u64> = {
        let left = store.undelivered(9).await.expect("the store reads");
        left.iter().map(|left| left.commit).collect()
    };
    proxy.break_things(Faults::new(
        1,
        Rates {
            throttled: ALWAYS,
            ..Rates::default()
        },
    ));
    let refused = store.commit(commit.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    let unread = store.load(PIPELINE, None).await;
    assert!(matches!(unread, Err(StoreError::Unavailable { .. })));
    let unmarked = store.delivered(&numbers).await;
    assert!(matches!(unmarked, Err(StoreError::Unavailable { .. })));
    proxy.heal();
    assert_eq!(load(&store, PIPELINE).await.version, 2);
    store.commit(commit).await.expect("it is expected still");
    store.delivered(&numbers).await.expect("the store marks");
}

/// What the price of a transition is made of.
#[tokio::test]
async fn a_transition_takes_one_query_one_transaction_and_one_mark() {
    let fresh = Fresh::new().await;
    let (table, clients) = fresh.open();
    let store = Store::new(table);
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    let calls = |names: &[&str]| -> BTreeMap<String, u64> {
        names
            .iter()
            .map(|name| (format!("DynamoDB.{name}"), 1))
            .collect()
    };
    // The first load of a function reads the definition, too.
    clients.meter().take();
    load(&store, PIPELINE).await;
    assert_eq!(
        clients.meter().take().calls,
        calls(&["Query", "BatchGetItem"])
    );
    for number in 1..=2 {
        let loaded = load(&store, PIPELINE).await;
        let (commit, _) = begin(&loaded, number);
        let number = store.commit(commit).await.expect("nobody else commits");
        store.delivered(&[number]).await.expect("the store marks");
        let metered = clients.meter().take();
        assert_eq!(
            metered.calls,
            calls(&["Query", "TransactWriteItems", "UpdateItem"])
        );
        assert!(metered.read_units > 0.0 && metered.write_units > 0.0);
    }
    // Somebody who loads and commits by two stores pays for one more reading of the head.
    let loaded = load(&fresh.store(), PIPELINE).await;
    store
        .commit(blank(&loaded))
        .await
        .expect("nobody else commits");
    assert_eq!(clients.meter().take().calls, calls(&["TransactWriteItems"]));
    let loaded = load(&fresh.store(), PIPELINE).await;
    let (table, clients) = fresh.open();
    let mut commit = blank(&loaded);
    commit.id = Uuid::new_v4();
    Store::new(table)
        .commit(commit)
        .await
        .expect("nobody else commits");
    assert_eq!(
        clients.meter().take().calls,
        calls(&["GetItem", "TransactWriteItems"])
    );
}

#[tokio::test]
async fn what_is_asked_all_the_time_is_one_request() {
    let fresh = Fresh::new().await;
    let job = begun(&fresh.store()).await;
    let (table, clients) = fresh.open();
    let store = Store::new(table);
    let glance = store.glance(PIPELINE).await.expect("the store reads");
    assert_eq!(
        glance.expect("it is there").commit,
        load(&store, PIPELINE).await.commit
    );
    clients.meter().take();
    assert!(store.is_open(&job.key).await.expect("the store reads"));
    store.glance(PIPELINE).await.expect("the store reads");
    store
        .execution_by_token(PIPELINE, "none")
        .await
        .expect("the store reads");
    let calls = clients.meter().take().calls;
    assert_eq!(calls["DynamoDB.Query"], 1);
    assert_eq!(calls["DynamoDB.BatchGetItem"], 2);
    assert_eq!(calls.len(), 2);
}
