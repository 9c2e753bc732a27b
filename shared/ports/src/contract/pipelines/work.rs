//! What is to be done: deadlines, outboxes, jobs.

use std::sync::Arc;

use model::{ActionStatus, Timestamp, effect::ApprovalRequest};
use uuid::Uuid;

use super::{
    Harness,
    fixture::{
        PIPELINE, begin, begin_again, begun, blank, change, finish, id, load, new_pipeline, update,
    },
};
use crate::store::{Doer, Message};

pub async fn deadlines_come_due_the_longest_overdue_first(harness: &mut dyn Harness) {
    let store = harness.store();
    for (pipeline, deadline) in [("late", 30), ("never", 0), ("early", 10), ("mid", 20)] {
        let mut commit = new_pipeline(pipeline);
        commit.deadline = (deadline > 0).then_some(Timestamp(deadline));
        store
            .commit(commit)
            .await
            .expect("a new pipeline is created");
    }
    let due = store.due(Timestamp(20), 10).await.expect("the store reads");
    assert_eq!(due, ["early", "mid"]);
    let due = store.due(Timestamp(99), 1).await.expect("the store reads");
    assert_eq!(due, ["early"]);
    let settled = blank(&load(&*store, "early").await);
    store.commit(settled).await.expect("nobody else commits");
    let due = store.due(Timestamp(99), 10).await.expect("the store reads");
    assert_eq!(
        due,
        ["mid", "late"],
        "a commit without a deadline takes it away"
    );
}

pub async fn an_outbox_is_there_until_it_is_delivered(harness: &mut dyn Harness) {
    let job = begun(&*harness.store()).await;
    harness.reopen().await;
    let store = harness.store();
    let left = store.undelivered(10).await.expect("the store reads");
    let messages: Vec<_> = left
        .iter()
        .flat_map(|outbox| outbox.messages.clone())
        .collect();
    assert_eq!(messages, [Message::Job(job)]);
    let commits: Vec<u64> = left.iter().map(|outbox| outbox.commit).collect();
    assert!(commits.is_sorted(), "oldest first");
    let (last, others) = commits.split_last().expect("two commits");
    store.delivered(&[*last]).await.expect("the store marks");
    let left = store.undelivered(10).await.expect("the store reads");
    assert_eq!(
        left.iter().map(|outbox| outbox.commit).collect::<Vec<_>>(),
        others
    );
    store.delivered(others).await.expect("the store marks");
    assert!(
        store
            .undelivered(10)
            .await
            .expect("the store reads")
            .is_empty()
    );
}

pub async fn a_crash_may_repeat_a_delivery_and_never_loses_one(harness: &mut dyn Harness) {
    let store = harness.store();
    let job = begun(&*store).await;
    let delivered: Vec<u64> = store
        .undelivered(10)
        .await
        .expect("the store reads")
        .iter()
        .map(|o| o.commit)
        .collect();
    store.delivered(&delivered).await.expect("the store marks");
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    commit.outbox.push(Message::Cancel(job.key.clone()));
    let number = store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let left = harness
        .store()
        .undelivered(10)
        .await
        .expect("the store reads");
    assert!(
        left.iter().any(|outbox| outbox.commit == number),
        "the new one is still there"
    );
}

pub async fn open_jobs_are_those_that_a_worker_still_has_to_do(harness: &mut dyn Harness) {
    let job = begun(&*harness.store()).await;
    harness.reopen().await;
    let store = harness.store();
    assert_eq!(
        store.open_jobs(None, 10).await.expect("the store reads"),
        [Arc::clone(&job)]
    );
    let after = Some(job.action_execution_id);
    assert!(
        store
            .open_jobs(after, 10)
            .await
            .expect("the store reads")
            .is_empty()
    );
    assert!(store.is_open(&job.key).await.expect("the store reads"));
    let mut foreign = job.key.clone();
    foreign.token = Uuid::from_u128(1);
    assert!(
        !store.is_open(&foreign).await.expect("the store reads"),
        "the token must match"
    );
    store
        .commit(finish(&load(&*store, PIPELINE).await, 1))
        .await
        .expect("nobody else commits");
    assert!(
        store
            .open_jobs(None, 10)
            .await
            .expect("the store reads")
            .is_empty()
    );
    assert!(!store.is_open(&job.key).await.expect("the store reads"));
}

pub async fn an_approval_is_nobodys_job(harness: &mut dyn Harness) {
    let store = harness.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("a new pipeline is created");
    let (mut commit, job) = begin(&load(&*store, PIPELINE).await, 1);
    commit.begun = vec![(job, Doer::Person)];
    store.commit(commit).await.expect("nobody else commits");
    assert!(
        store
            .open_jobs(None, 10)
            .await
            .expect("the store reads")
            .is_empty()
    );
    let kept = store
        .action_executions(PIPELINE, id(1))
        .await
        .expect("the store reads");
    assert_eq!(kept.len(), 1, "its record is kept all the same");
}

pub async fn messages_come_back_as_they_were_in_their_order(harness: &mut dyn Harness) {
    let store = harness.store();
    let earlier = begun(&*store).await;
    let (mut commit, job) = begin(&load(&*store, PIPELINE).await, 2);
    let question = ApprovalRequest {
        key: job.key.clone(),
        expires: Timestamp(9),
        custom_data: Some("ship it?".to_owned()),
        external_entity_link: None,
        notification_arn: None,
    };
    commit.outbox = vec![
        Message::Change(change(2, 1)),
        Message::Job(job),
        Message::Cancel(earlier.key.clone()),
        Message::Change(change(2, 2)),
        Message::Ask(question),
        Message::Job(earlier),
    ];
    let (outbox, at) = (commit.outbox.clone(), commit.audit.at);
    let number = store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let left = harness.store().undelivered(9).await;
        let left = left
            .expect("the store reads")
            .pop()
            .expect("nothing was delivered");
        assert_eq!((left.commit, left.at), (number, at));
        assert_eq!(left.messages, outbox);
    }
}

pub async fn outboxes_are_paged_oldest_first(harness: &mut dyn Harness) {
    let store = harness.store();
    let created = store.commit(new_pipeline(PIPELINE)).await;
    created.expect("a new pipeline is created");
    let mut numbers = Vec::new();
    for number in 1..=4 {
        let (commit, _) = begin(&load(&*store, PIPELINE).await, number);
        numbers.push(store.commit(commit).await.expect("nobody else commits"));
    }
    let mut seen = Vec::new();
    while let Some(left) = store.undelivered(1).await.expect("the store reads").first()
        && seen.len() < numbers.len()
    {
        seen.push(left.commit);
        let marked = store.delivered(&[left.commit]).await;
        marked.expect("the store marks");
    }
    assert_eq!(seen, numbers);
    let again = store.delivered(&numbers).await;
    again.expect("marking twice changes nothing");
}

pub async fn open_jobs_are_paged_in_order_of_id(harness: &mut dyn Harness) {
    let store = harness.store();
    let created = store.commit(new_pipeline(PIPELINE)).await;
    created.expect("a new pipeline is created");
    let mut all = Vec::new();
    for number in 1..=5 {
        let (commit, job) = begin(&load(&*store, PIPELINE).await, number);
        store.commit(commit).await.expect("nobody else commits");
        all.push(job.action_execution_id);
    }
    all.sort();
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.open_jobs(after, 2).await.expect("the store reads");
        let Some(last) = page.last() else { break };
        after = Some(last.action_execution_id);
        seen.extend(page.iter().map(|job| job.action_execution_id));
        assert!(seen.len() <= all.len(), "no job comes twice");
    }
    assert_eq!(seen, all);
}

pub async fn an_attempt_that_ends_where_it_begins_is_never_open(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    for (number, doer) in [(2, Doer::Worker), (3, Doer::Nobody)] {
        let (mut commit, job) = begin(&load(&*store, PIPELINE).await, number);
        commit.begun = vec![(job, doer)];
        let failed = update(number, ActionStatus::Failed, |_| {});
        commit.updates.push(failed);
        store.commit(commit).await.expect("nobody else commits");
        let record = store.action_executions(PIPELINE, id(number)).await;
        let update = record
            .expect("the store reads")
            .pop()
            .and_then(|it| it.update);
        assert_eq!(update.expect("it has ended").status, ActionStatus::Failed);
    }
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let jobs = harness.store().open_jobs(None, 9).await;
        let jobs = jobs.expect("the store reads");
        assert_eq!(jobs.len(), 1, "the one of the first execution");
        assert_eq!(jobs[0].key.execution, id(1));
    }
}

pub async fn a_newer_attempt_is_open_and_the_older_one_is_not(harness: &mut dyn Harness) {
    let store = harness.store();
    let first = begun(&*store).await;
    let commit = finish(&load(&*store, PIPELINE).await, 1);
    store.commit(commit).await.expect("nobody else commits");
    let mut commit = blank(&load(&*store, PIPELINE).await);
    let second = begin_again(&mut commit, 1, 2, Doer::Worker);
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let store = harness.store();
        let jobs = store.open_jobs(None, 9).await.expect("the store reads");
        assert_eq!(jobs, [Arc::clone(&second)]);
        assert!(store.is_open(&second.key).await.expect("the store reads"));
        assert!(!store.is_open(&first.key).await.expect("the store reads"));
        let mut nobodys = second.key.clone();
        "nobody".clone_into(&mut nobodys.pipeline);
        assert!(!store.is_open(&nobodys).await.expect("the store reads"));
    }
}
