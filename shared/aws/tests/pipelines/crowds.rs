//! Many at once on one pipeline, and many executions in one commit.

use std::{collections::BTreeSet, sync::Arc};

use model::{Execution, ExecutionStatus, Timestamp};
use ports::{
    Loaded, PipelineStore, StoreError,
    contract::pipelines::fixture::{
        PIPELINE, STAGE, begin, blank, end, execution, finish, id, job, load, new_pipeline,
    },
    store::{Commit, Doer, Message},
};
use uuid::Uuid;

use crate::table::Fresh;

const WRITERS: usize = 16;
const COMMITS: usize = 4;

/// How often a writer may come too late in a row: each time somebody else got on.
const LATE_MAX: usize = 2 * WRITERS * COMMITS;

fn another(loaded: &Loaded) -> Commit {
    let mut commit = blank(loaded);
    commit.id = Uuid::new_v4();
    commit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_each_gets_a_version_of_its_own() {
    let fresh = Arc::new(Fresh::new().await);
    let first = fresh.store().commit(new_pipeline(PIPELINE)).await;
    let first = first.expect("the name is free");
    let writers = (0..WRITERS).map(|_| {
        let fresh = Arc::clone(&fresh);
        tokio::spawn(async move {
            let store = fresh.store();
            let mut made = Vec::new();
            let mut late = 0;
            while made.len() < COMMITS {
                let loaded = load(&store, PIPELINE).await;
                let mut commit = another(&loaded);
                commit.state.head.sequence += 1;
                let (version, sequence) = (loaded.version + 1, commit.state.head.sequence);
                match store.commit(commit).await {
                    Ok(number) => made.push((version, sequence, number)),
                    Err(StoreError::Conflict) => late += 1,
                    Err(error) => panic!("{error}"),
                }
                assert!(late <= LATE_MAX, "nobody gets on");
            }
            made
        })
    });
    let mut made = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        made.extend(writer.await.expect("it did not panic"));
    }
    made.sort_unstable();
    let versions: Vec<u64> = made.iter().map(|(version, ..)| *version).collect();
    let all = 1 + u64::try_from(WRITERS * COMMITS).expect("few");
    assert_eq!(versions, (2..=all).collect::<Vec<_>>());
    // Nobody decided on what somebody else had changed, and the numbers tell the order.
    assert!(
        made.iter()
            .all(|(version, sequence, _)| sequence + 1 == *version)
    );
    let numbers: Vec<u64> = made.iter().map(|(.., number)| *number).collect();
    assert!(numbers.is_sorted() && numbers[0] > first);
    let store = fresh.store();
    assert_eq!(load(&store, PIPELINE).await.version, all);
    let journal = store.journal(0, 1_000).await.expect("the store reads");
    let journal: Vec<u64> = journal.iter().map(|entry| entry.commit).collect();
    assert_eq!(journal, [vec![first], numbers].concat());
}

/// Every commit of the writer gives the head, the tags and all executions the same number, and ends
/// the oldest execution for a new one: so a load that mixes two of them would show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_load_never_mixes_two_commits() {
    const LIVE: u128 = 4;
    const ROUNDS: u128 = 40;
    let fresh = Arc::new(Fresh::new().await);
    let writer = fresh.store();
    writer
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    let write = async |round: u128| {
        let mut commit = another(&load(&writer, PIPELINE).await);
        let mark = round.to_string();
        let state = &mut commit.state;
        state.head.sequence = u64::try_from(round).expect("few");
        state.tags = Arc::new([("round".to_owned(), mark.clone())].into());
        let started = execution(round, state.head.sequence);
        state.executions.insert(id(round), Arc::new(started));
        commit.changed = state.executions.keys().copied().collect();
        for execution in state.executions.values_mut() {
            Arc::make_mut(execution).status_summary = Some(mark.clone());
        }
        if round > LIVE {
            end(&mut commit, round - LIVE, ExecutionStatus::Succeeded);
        }
        commit.new_tags = true;
        writer.commit(commit).await.expect("nobody else commits");
    };
    write(1).await;
    let readers = (0..4).map(|_| {
        let store = fresh.store();
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            loop {
                let loaded = load(&store, PIPELINE).await;
                let round = loaded.state.head.sequence;
                let mark = round.to_string();
                assert_eq!(loaded.state.tags["round"], mark);
                assert_eq!(loaded.version, round + 1);
                let executions = loaded.state.executions.values();
                assert!(
                    executions
                        .clone()
                        .all(|it| it.status_summary == Some(mark.clone()))
                );
                assert_eq!(executions.count() as u128, u128::from(round).min(LIVE));
                seen.insert(round);
                if u128::from(round) == ROUNDS {
                    return seen.len();
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for round in 2..=ROUNDS {
        write(round).await;
    }
    for reader in readers {
        assert!(reader.await.expect("it saw one commit at a time") > 0);
    }
}

/// A commit that begins executions with one action each.
fn begin_many(loaded: &Loaded, numbers: impl Iterator<Item = u128>) -> Commit {
    let mut commit = another(loaded);
    for number in numbers {
        let (one, _) = begin(loaded, number);
        let sequence = commit.state.head.sequence + 1;
        commit.state.head.sequence = sequence;
        let mut begun = (*one.state.executions[&id(number)]).clone();
        begun.sequence = sequence;
        commit.state.executions.insert(id(number), Arc::new(begun));
        commit.changed.push(id(number));
        commit
            .begun
            .push((Arc::new(job(PIPELINE, number)), Doer::Worker));
    }
    commit
}

const TOGETHER: u128 = 60;

/// Begins 60 executions and ends all of them in one commit. Each would take three items to be put
/// away, and a transaction takes 100 in all.
async fn end_together(store: &dyn PipelineStore) {
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    for numbers in [1..=30, 31..=TOGETHER] {
        let commit = begin_many(&load(store, PIPELINE).await, numbers);
        store.commit(commit).await.expect("it fits");
    }
    let loaded = load(store, PIPELINE).await;
    let mut commit = another(&loaded);
    commit.changed = loaded.state.executions.keys().copied().collect();
    for number in 1..=TOGETHER {
        let execution = commit.state.executions.get_mut(&id(number));
        let execution = Arc::make_mut(execution.expect("it runs"));
        let stage = execution.stages.get_mut(STAGE).expect("it runs");
        stage.actions.clear();
        end(&mut commit, number, ExecutionStatus::Cancelled);
    }
    store.commit(commit).await.expect("it fits");
}

async fn finds_all_that_ended(store: &dyn PipelineStore) {
    let loaded = load(store, PIPELINE).await;
    assert!(loaded.state.executions.is_empty(), "none is live");
    let listed = store.executions(PIPELINE, u64::MAX, 100).await;
    let listed = listed.expect("the store reads");
    let sequences: Vec<u64> = listed.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, (1..=60).rev().collect::<Vec<_>>());
    let is_cancelled = |it: &Arc<Execution>| it.status == ExecutionStatus::Cancelled;
    assert!(listed.iter().all(is_cancelled));
    for number in [1, 30, 60] {
        let found = store.execution(PIPELINE, id(number)).await;
        let found = found.expect("the store reads").expect("it is kept");
        assert_eq!(found.id, id(number));
        let attempts = store.action_executions(PIPELINE, id(number)).await;
        assert_eq!(attempts.expect("the store reads").len(), 1);
        let also = store.load(PIPELINE, Some(id(number))).await;
        let also = also.expect("the store reads").expect("it is there");
        assert!(also.state.executions.contains_key(&id(number)));
    }
}

#[tokio::test]
async fn executions_that_end_together_without_room_are_put_away_later() {
    let fresh = Fresh::new().await;
    end_together(&fresh.store()).await;
    // Whoever opens the store next finds all of them, and so it stays while they are put away.
    for _ in 0..3 {
        let store = fresh.store();
        finds_all_that_ended(&store).await;
        let mut next = another(&load(&store, PIPELINE).await);
        next.deadline = Some(Timestamp(5));
        store.commit(next).await.expect("nobody else commits");
    }
    // One of them goes on after all.
    let store = fresh.store();
    let with = store.load(PIPELINE, Some(id(60))).await;
    let with = with.expect("the store reads");
    let mut commit = another(&with.expect("it is there"));
    end(&mut commit, 60, ExecutionStatus::InProgress);
    commit.changed.push(id(60));
    store.commit(commit).await.expect("nobody else commits");
    let listed = store.executions(PIPELINE, u64::MAX, 3).await;
    let listed = listed.expect("the store reads");
    let listed: Vec<_> = listed
        .iter()
        .map(|it| (it.sequence, it.is_live()))
        .collect();
    assert_eq!(listed, [(60, true), (59, false), (58, false)]);
}

/// A commit that begins 100 attempts writes more than 100 items.
#[tokio::test]
async fn a_commit_of_too_many_items_is_refused_whole() {
    let fresh = Fresh::new().await;
    let store = fresh.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    let commit = begin_many(&load(&store, PIPELINE).await, 1..=60);
    let refused = store.commit(commit).await;
    let error = refused.expect_err("it has 122 items").to_string();
    assert!(
        error.contains("list of items of the transaction"),
        "{error}"
    );
    let loaded = load(&store, PIPELINE).await;
    assert_eq!((loaded.version, loaded.state.executions.len()), (1, 0));
}

/// Text that does not deflate to nothing.
fn noise(seed: u64, bytes: usize) -> String {
    let mut text = String::new();
    let mut place = seed;
    while text.len() < bytes {
        place += 1;
        text.push_str(
            &Uuid::new_v5(&Uuid::nil(), &place.to_be_bytes())
                .simple()
                .to_string(),
        );
    }
    text.truncate(bytes);
    text
}

#[tokio::test]
async fn an_entry_of_the_journal_may_be_larger_than_an_item() {
    let fresh = Fresh::new().await;
    let store = fresh.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    let (mut commit, _) = begin(&load(&store, PIPELINE).await, 1);
    for sequence in 1..=40 {
        let mut change = ports::contract::pipelines::fixture::change(1, sequence);
        if let model::Subject::Pipeline { comment, .. } = &mut change.subject {
            *comment = Some(noise(u64::from(sequence) * 100_000, 40 * 1024));
        }
        commit.outbox.push(Message::Change(change));
    }
    let outbox = commit.outbox.clone();
    let number = store.commit(commit).await.expect("it fits");
    let left = fresh.store().undelivered(9).await.expect("the store reads");
    let left = left.iter().find(|left| left.commit == number);
    assert_eq!(left.expect("nobody delivered it").messages, outbox);
    let entries = fresh.store().journal(number - 1, 1).await;
    assert_eq!(entries.expect("the store reads")[0].changes.len(), 40);
    store.delivered(&[number]).await.expect("it is marked");
    let left = store.undelivered(9).await.expect("the store reads");
    assert!(left.iter().all(|left| left.commit != number));
}

#[tokio::test]
async fn large_output_variables_come_back_from_the_records_of_their_attempts() {
    let fresh = Fresh::new().await;
    let store = fresh.store();
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("it is new");
    for number in 1..=2 {
        let (commit, _) = begin(&load(&store, PIPELINE).await, number);
        store.commit(commit).await.expect("nobody else commits");
        let mut commit = finish(&load(&store, PIPELINE).await, number);
        let large = Arc::new([("large".to_owned(), noise(7, 100 * 1024))].into());
        let shared = commit
            .state
            .executions
            .get_mut(&id(number))
            .expect("it runs");
        for stage in Arc::make_mut(shared).stages.values_mut() {
            for action in stage.actions.values_mut() {
                action.outputs = Arc::clone(&large);
            }
        }
        commit.updates[0].output.variables = large;
        store.commit(commit).await.expect("it fits");
    }
    let before = load(&store, PIPELINE).await;
    assert_eq!(load(&fresh.store(), PIPELINE).await.state, before.state);
    let outputs = &before.state.executions[&id(2)].stages[STAGE].actions;
    assert_eq!(
        outputs.values().next().expect("it ran").outputs["large"].len(),
        100 * 1024
    );
}

#[tokio::test]
async fn the_journal_of_many_pipelines_is_one() {
    let fresh = Fresh::new().await;
    let store = fresh.store();
    let mut made = Vec::new();
    for number in 0..30 {
        let name = format!("pipeline-{number}");
        let mut commit = new_pipeline(&name);
        commit.id = Uuid::new_v4();
        made.push((store.commit(commit).await.expect("it is new"), name));
    }
    made.sort_unstable();
    let (mut since, mut seen) = (0, Vec::new());
    loop {
        let page = store.journal(since, 7).await.expect("the store reads");
        let Some(last) = page.last() else { break };
        since = last.commit;
        seen.extend(page.into_iter().map(|entry| (entry.commit, entry.pipeline)));
        assert!(seen.len() <= made.len(), "no entry comes twice");
    }
    assert_eq!(seen, made);
    let names = store
        .pipelines("pipeline-28", 9)
        .await
        .expect("the store reads");
    assert_eq!(names[..2], ["pipeline-29", "pipeline-3"]);
}
