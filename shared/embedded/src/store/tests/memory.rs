//! Memory and rows tell the same, whatever happens in whatever order.

use std::fmt::Write;

use model::{ActionStatus, ExecutionStatus, Timestamp};
use ports::{
    contract::pipelines::fixture::{
        ACTION, STAGE, begin_again, blank, change, end, finish, update,
    },
    store::{Doer, Message},
};

use super::*;
use crate::SeededRandom;

const PIPELINES: [&str; 3] = ["a", "b", "c"];
const STEPS: usize = 120;

/// A commit that something made happen to a pipeline.
fn happens(random: &SeededRandom, loaded: &Loaded, fresh: u128) -> Commit {
    let running = loaded.state.executions.iter().find(|(_, execution)| {
        let action = &execution.stages[STAGE].actions[ACTION];
        action.status == ActionStatus::InProgress && action.attempt == 1
    });
    let number = loaded
        .state
        .executions
        .keys()
        .next()
        .map(|id| id.0.as_u128());
    let running = running.map(|(id, _)| id.0.as_u128());
    let mut commit = match (random.next_u64() % 6, running, number) {
        (1, Some(running), _) => finish(loaded, running),
        (2, Some(running), _) => {
            let mut commit = finish(loaded, running);
            end(&mut commit, running, ExecutionStatus::Succeeded);
            commit
        }
        (3, Some(running), _) => {
            let mut commit = blank(loaded);
            let progress = update(running, ActionStatus::InProgress, |output| {
                output.external_execution_id = Some("x".to_owned());
            });
            commit.updates.push(progress);
            commit
        }
        (4, None, Some(number)) => {
            let mut commit = blank(loaded);
            let attempt = u32::try_from(loaded.version).unwrap() + 2;
            begin_again(&mut commit, number, attempt, Doer::Worker);
            commit
        }
        (5, _, _) => {
            let mut commit = blank(loaded);
            commit.outbox.push(Message::Change(change(fresh, 1)));
            commit
        }
        _ => begin(loaded, fresh).0,
    };
    commit.deadline = match random.next_u64() % 3 {
        0 => None,
        at => Some(Timestamp(i64::try_from(at).unwrap() * 100)),
    };
    commit
}

/// Everything that the store tells.
async fn tells(store: &Store) -> String {
    let mut text = String::new();
    for name in PIPELINES {
        let loaded = load(store, name).await;
        writeln!(text, "{loaded:?}").unwrap();
        for execution in store.executions(name, u64::MAX, 999).await.unwrap() {
            let records = store.action_executions(name, execution.id).await.unwrap();
            writeln!(text, "{execution:?} {records:?}").unwrap();
        }
    }
    let due = store.due(Timestamp(999), 999).await.unwrap();
    let jobs = store.open_jobs(None, 999).await.unwrap();
    let journal = store.journal(0, 999).await.unwrap();
    writeln!(text, "{due:?} {jobs:?} {journal:?}").unwrap();
    text
}

async fn run(seed: u64) -> String {
    let random = SeededRandom::new(seed);
    let mut store = Store::in_memory().unwrap();
    for name in PIPELINES {
        store.commit(new_pipeline(name)).await.unwrap();
    }
    for step in 0..STEPS {
        let name = PIPELINES[usize::try_from(random.next_u64() % 3).unwrap()];
        let fresh = u128::try_from(step).unwrap() + 1;
        let commit = happens(&random, &load(&store, name).await, fresh);
        store.commit(commit).await.unwrap();
        let (memory, rows) = (
            load(&store, name).await,
            store.load_from_rows(name).unwrap(),
        );
        let rows = rows.unwrap();
        assert_eq!(memory.state, rows.state, "seed {seed}, step {step}");
        assert_eq!((memory.version, memory.commit), (rows.version, rows.commit));
        if random.next_u64().is_multiple_of(20) {
            let before = tells(&store).await;
            let outboxes = store.undelivered(999).await.unwrap();
            store = store.crash().unwrap();
            assert_eq!(tells(&store).await, before, "seed {seed}, step {step}");
            assert_eq!(store.undelivered(999).await.unwrap(), outboxes);
        }
    }
    tells(&store).await
}

#[tokio::test]
async fn memory_tells_what_the_rows_tell_and_a_crash_changes_nothing() {
    for seed in 0..8 {
        run(seed).await;
    }
}

#[tokio::test]
async fn the_same_calls_give_the_same_results() {
    assert_eq!(run(99).await, run(99).await);
}
