//! What stays to be looked at: attempts, executions, the journal.

use std::sync::Arc;

use model::{ActionStatus, Execution, ExecutionStatus, PipelineDeclaration};

use super::{
    Harness,
    fixture::{
        ACTION, PIPELINE, STAGE, begin, begin_again, begun, blank, change, declaration, end,
        finish, id, load, new_pipeline, update,
    },
};
use crate::store::{Doer, Message, PipelineStore};

pub async fn news_of_an_attempt_add_up(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = blank(&load(&*store, PIPELINE).await);
    commit
        .updates
        .push(update(1, ActionStatus::InProgress, |output| {
            output.external_execution_id = Some("build:1".to_owned());
            output.summary = Some("running".to_owned());
        }));
    store.commit(commit).await.expect("nobody else commits");
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    commit.updates[0].output.summary = Some("done".to_owned());
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let kept = harness
        .store()
        .action_executions(PIPELINE, id(1))
        .await
        .expect("the store reads");
    let update = kept[0].update.as_ref().expect("there was news");
    assert_eq!(update.status, ActionStatus::Succeeded);
    assert_eq!(
        update.output.external_execution_id.as_deref(),
        Some("build:1")
    );
    assert_eq!(update.output.summary.as_deref(), Some("done"));
}

pub async fn output_variables_come_back_with_the_execution(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    store
        .commit(finish(&load(&*store, PIPELINE).await, 1))
        .await
        .expect("nobody else commits");
    let before = load(&*store, PIPELINE).await;
    drop(store);
    harness.reopen().await;
    let after = load(&*harness.store(), PIPELINE).await;
    let outputs = &after.state.executions[&id(1)].stages[STAGE].actions[ACTION].outputs;
    assert_eq!(outputs.get("digest").map(String::as_str), Some("abc"));
    assert_eq!(before.state, after.state);
}

pub async fn an_execution_that_ended_is_loaded_when_it_is_asked_for(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    let shared = commit
        .state
        .executions
        .get_mut(&id(1))
        .expect("it was begun");
    Arc::make_mut(shared).status = ExecutionStatus::Succeeded;
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    for crash in [false, true] {
        if crash {
            harness.reopen().await;
        }
        let store = harness.store();
        assert!(load(&*store, PIPELINE).await.state.executions.is_empty());
        let with = store
            .load(PIPELINE, Some(id(1)))
            .await
            .expect("the store reads");
        let with = with.expect("the pipeline is there");
        assert_eq!(
            with.state.executions[&id(1)].status,
            ExecutionStatus::Succeeded
        );
        assert!(with.state.definitions.contains_key(&1));
        let unknown = store
            .load(PIPELINE, Some(id(9)))
            .await
            .expect("the store reads");
        assert!(
            unknown
                .expect("the pipeline is there")
                .state
                .executions
                .is_empty()
        );
    }
}

pub async fn executions_are_listed_newest_first(harness: &mut dyn Harness) {
    let store = harness.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("a new pipeline is created");
    for number in 1..=5 {
        let (commit, _) = begin(&load(&*store, PIPELINE).await, number);
        store.commit(commit).await.expect("nobody else commits");
    }
    let sequences = |page: Vec<Arc<Execution>>| -> Vec<u64> {
        page.iter().map(|execution| execution.sequence).collect()
    };
    let page = store
        .executions(PIPELINE, u64::MAX, 2)
        .await
        .expect("the store reads");
    assert_eq!(sequences(page), [5, 4]);
    let page = store
        .executions(PIPELINE, 4, 10)
        .await
        .expect("the store reads");
    assert_eq!(sequences(page), [3, 2, 1]);
    let one = store
        .execution(PIPELINE, id(3))
        .await
        .expect("the store reads");
    assert_eq!(one.expect("it was begun").sequence, 3);
    let of_another = store
        .execution("other", id(3))
        .await
        .expect("the store reads");
    assert!(of_another.is_none());
}

pub async fn the_journal_has_every_commit_in_order(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    store
        .commit(finish(&load(&*store, PIPELINE).await, 1))
        .await
        .expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let journal = store.journal(0, 10).await.expect("the store reads");
    let numbers: Vec<u64> = journal.iter().map(|entry| entry.commit).collect();
    assert_eq!(numbers.len(), 3);
    assert!(
        numbers.windows(2).all(|pair| pair[0] < pair[1]),
        "oldest first: {numbers:?}"
    );
    assert!(journal.iter().all(|entry| entry.audit.by == "tester"));
    let rest = store.journal(numbers[0], 1).await.expect("the store reads");
    assert_eq!(rest[0].commit, numbers[1]);
}

pub async fn pipelines_are_listed_by_name(harness: &mut dyn Harness) {
    let store = harness.store();
    for pipeline in ["b", "c", "a"] {
        store
            .commit(new_pipeline(pipeline))
            .await
            .expect("a new pipeline is created");
    }
    assert_eq!(
        store.pipelines("", 2).await.expect("the store reads"),
        ["a", "b"]
    );
    assert_eq!(
        store.pipelines("b", 10).await.expect("the store reads"),
        ["c"]
    );
}

pub async fn whoever_watches_a_place_is_found(harness: &mut dyn Harness) {
    let store = harness.store();
    for (pipeline, key) in [("a", "1"), ("b", "2"), ("c", "1")] {
        let mut commit = new_pipeline(pipeline);
        commit.state.definitions.insert(1, Arc::new(watching(key)));
        store
            .commit(commit)
            .await
            .expect("a new pipeline is created");
    }
    assert_eq!(
        found(&*store, "s3://bucket/1", ["a", "c"]).await,
        ["a", "c"]
    );
    // The next definition of `a` watches what `b` does, and `c` goes.
    let mut commit = blank(&load(&*store, "a").await);
    commit.state.head.definition = 2;
    commit.state.definitions.insert(2, Arc::new(watching("2")));
    commit.new_definition = true;
    store.commit(commit).await.expect("nobody else commits");
    let mut commit = blank(&load(&*store, "c").await);
    commit.state.head.deleting = true;
    commit.gone = true;
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    assert_eq!(
        found(&*store, "s3://bucket/2", ["a", "b"]).await,
        ["a", "b"]
    );
    let page = store.watchers("s3://bucket/1", "", 10).await;
    let page = page.expect("the store reads");
    assert!(!page.contains(&"c".to_owned()), "it is gone: {page:?}");
}

/// Which of these watch a place, asked for one by one.
async fn found(store: &dyn PipelineStore, place: &str, of: [&str; 2]) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.watchers(place, &after, 1).await;
        let Some(name) = page.expect("the store reads").pop() else {
            return found;
        };
        after.clone_from(&name);
        if of.contains(&name.as_str()) {
            found.push(name);
        }
    }
}

/// A definition whose source waits to be told of an object.
fn watching(key: &str) -> PipelineDeclaration {
    let mut declaration = declaration();
    let json = format!(
        r#"{{ "name": "source", "configuration": {{
            "S3Bucket": "bucket", "S3ObjectKey": "{key}", "PollForSourceChanges": "false"
        }}, "actionTypeId": {{
            "category": "Source", "owner": "AWS", "provider": "S3", "version": "1"
        }} }}"#
    );
    let action = serde_json::from_str(&json).expect("the action above is one");
    declaration.stages[0].actions = vec![action];
    declaration
}

pub async fn attempts_are_listed_in_the_order_in_which_they_began(harness: &mut dyn Harness) {
    let store = harness.store();
    let mut jobs = vec![begun(&*store).await];
    for attempts in [2..=4, 5..=6] {
        let mut commit = blank(&load(&*store, PIPELINE).await);
        for attempt in attempts {
            jobs.push(begin_again(&mut commit, 1, attempt, Doer::Worker));
        }
        commit.changed.dedup();
        store.commit(commit).await.expect("nobody else commits");
    }
    drop(store);
    harness.reopen().await;
    let records = harness.store().action_executions(PIPELINE, id(1)).await;
    let records = records.expect("the store reads").into_iter();
    assert_eq!(records.map(|record| record.job).collect::<Vec<_>>(), jobs);
}

pub async fn an_ended_execution_goes_on_with_its_record(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    end(&mut commit, 1, ExecutionStatus::Stopped);
    store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    let with = store
        .load(PIPELINE, Some(id(1)))
        .await
        .expect("the store reads");
    let mut commit = blank(&with.expect("the pipeline is there"));
    begin_again(&mut commit, 1, 2, Doer::Worker);
    store.commit(commit).await.expect("nobody else commits");
    let before = load(&*store, PIPELINE).await;
    drop(store);
    harness.reopen().await;
    let store = harness.store();
    assert_eq!(load(&*store, PIPELINE).await.state, before.state);
    let action = &before.state.executions[&id(1)].stages[STAGE].actions[ACTION];
    assert!(
        action.outputs.is_empty(),
        "those of the first attempt no longer count"
    );
    let records = store.action_executions(PIPELINE, id(1)).await;
    assert_eq!(records.expect("the store reads").len(), 2);
}

pub async fn news_in_one_commit_add_up(harness: &mut dyn Harness) {
    let store = harness.store();
    begun(&*store).await;
    let mut commit = finish(&load(&*store, PIPELINE).await, 1);
    let progress = update(1, ActionStatus::InProgress, |output| {
        output.external_execution_id = Some("build:1".to_owned());
    });
    commit.updates.insert(0, progress);
    store.commit(commit).await.expect("nobody else commits");
    let records = store.action_executions(PIPELINE, id(1)).await;
    let record = records.expect("the store reads").pop();
    let update = record
        .and_then(|record| record.update)
        .expect("there was news");
    assert_eq!(update.status, ActionStatus::Succeeded);
    assert_eq!(
        update.output.external_execution_id.as_deref(),
        Some("build:1")
    );
    assert_eq!(update.output.variables.len(), 1);
}

pub async fn the_journal_has_the_changes_of_each_commit(harness: &mut dyn Harness) {
    let store = harness.store();
    let job = begun(&*store).await;
    let mut commit = blank(&load(&*store, PIPELINE).await);
    commit.outbox = vec![
        Message::Change(change(1, 1)),
        Message::Cancel(job.key.clone()),
        Message::Change(change(1, 2)),
    ];
    let number = store.commit(commit).await.expect("nobody else commits");
    drop(store);
    harness.reopen().await;
    let entries = harness.store().journal(number - 1, 9).await;
    let entries = entries.expect("the store reads");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].pipeline, PIPELINE);
    assert_eq!(entries[0].changes, [change(1, 1), change(1, 2)]);
    let none = harness.store().journal(number, 9).await;
    assert!(none.expect("the store reads").is_empty());
}

pub async fn the_newest_attempts_of_a_pipeline_come_first_in_pages(harness: &mut dyn Harness) {
    const EXECUTIONS: u128 = 600;
    let store = harness.store();
    let commit = new_pipeline(PIPELINE);
    store.commit(commit).await.expect("a new pipeline");
    for number in 1..=EXECUTIONS {
        let (mut commit, _) = begin(&load(&*store, PIPELINE).await, number);
        end(&mut commit, number, ExecutionStatus::Succeeded);
        store.commit(commit).await.expect("nobody else commits");
    }
    let (mut from, mut seen) = (None, Vec::new());
    for page in 0..100 {
        let found = store.newest_action_executions(PIPELINE, from, 50).await;
        let (found, next) = found.expect("the store reads");
        assert!(found.len() <= 50);
        seen.extend(found.iter().map(|attempt| attempt.job.key.execution));
        if page == 0 {
            // What begins meanwhile is in none of the pages that follow, and moves nothing.
            let (commit, _) = begin(&load(&*store, PIPELINE).await, EXECUTIONS + 1);
            store.commit(commit).await.expect("nobody else commits");
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    let all: Vec<_> = (1..=EXECUTIONS).rev().map(id).collect();
    assert_eq!(seen, all);
    let (newest, _) = store
        .newest_action_executions(PIPELINE, None, 1)
        .await
        .expect("the store reads");
    assert_eq!(newest[0].job.key.execution, id(EXECUTIONS + 1));
}
