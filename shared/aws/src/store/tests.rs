//! What a store makes of answers that only a busy table gives: pages that were read in the middle of
//! a commit, numbers that others have, writes that no longer find what they add to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::{ActionStatus, ExecutionId, PipelineState};
use ports::{
    PipelineStore, StoreError,
    contract::pipelines::fixture::{
        PIPELINE, begin, blank, declaration, execution, id, new_pipeline, update,
    },
    store::Loaded,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Store, executions, rows::Known};
use crate::{
    answers::{Answer, clients},
    keys,
    table::{Item, Table},
};

fn store(answer: impl Fn(usize, &str, &Value) -> Answer + Send + Sync + 'static) -> Store {
    let count = AtomicUsize::new(0);
    let clients = clients(move |operation, request| {
        answer(count.fetch_add(1, Ordering::Relaxed), operation, request)
    });
    Store::new(Table::new(
        clients.dynamodb(),
        "table",
        clients.meter().clone(),
    ))
}

/// An item as DynamoDB sends it.
fn sent(item: Item) -> Value {
    let attributes = item.into_attributes().into_iter();
    let each = attributes.map(|(name, value)| {
        let value = match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::B(bytes) => json!({ "B": BASE64_STANDARD.encode(bytes) }),
            other => panic!("no item has {other:?}"),
        };
        (name, value)
    });
    Value::Object(each.collect::<Map<_, _>>())
}

fn known(version: u64, live: &[(u64, u64)]) -> Known {
    Known {
        version,
        commit: Uuid::from_u128(u128::from(version)),
        life: 5,
        live: live.iter().copied().collect(),
        ..Known::default()
    }
}

/// A page with the head of one version and the execution of another.
fn page(head: u64, of: u64) -> Value {
    let known = known(head, &[(1, head)]);
    let head = PipelineState::empty(PIPELINE).head;
    let head = known.item(&head, None).expect("it fits");
    let execution = execution(1, 1);
    let live = executions::item(keys::live(PIPELINE, 1), &execution, 5, of).expect("it fits");
    json!({ "Items": [sent(head), sent(live)] })
}

/// Answers for everything but the pipeline's own items.
fn definition() -> Answer {
    let item = Item::new(keys::definition(5, 1));
    let item = item.json("body", &declaration(), String::new, 1 << 20);
    let item = sent(item.expect("it fits"));
    Answer::Done(json!({ "Responses": { "table": [item] }, "UnprocessedKeys": {} }))
}

#[tokio::test(start_paused = true)]
async fn a_page_of_two_commits_is_read_again() {
    let store = store(|count, operation, _| match (count, operation) {
        (0, "Query") => Answer::Done(page(7, 8)),
        (1, "Query") => Answer::Done(page(8, 7)),
        (2, "Query") => Answer::Done(page(8, 8)),
        (3, "BatchGetItem") => definition(),
        other => panic!("nobody asks {other:?}"),
    });
    let loaded = store.load(PIPELINE, None).await;
    let loaded = loaded
        .expect("the third page is whole")
        .expect("it is there");
    assert_eq!(loaded.version, 8);
    assert!(loaded.state.executions.contains_key(&id(1)));
}

#[tokio::test(start_paused = true)]
async fn pages_that_never_agree_are_an_error_and_say_which() {
    let stuck = store(|_, _, _| Answer::Done(page(7, 8)));
    let loaded = stuck.load(PIPELINE, None).await;
    assert!(
        matches!(loaded, Err(StoreError::Corrupt { .. })),
        "the head never moved"
    );
    let racing = store(|count, _, _| {
        let version = u64::try_from(count).expect("few") + 7;
        Answer::Done(page(version, version + 1))
    });
    let loaded = racing.load(PIPELINE, None).await;
    let error = loaded.expect_err("it moves each time").to_string();
    assert_eq!(error, format!("failed to read pipeline `{PIPELINE}`"));
}

/// A transaction that is cancelled by the condition of the write at this place.
fn cancelled(request: &Value, is_it: impl Fn(&Value) -> bool) -> Answer {
    let items = request["TransactItems"].as_array().expect("there are some");
    let reasons = items.iter().map(|item| {
        let code = if is_it(item) {
            "ConditionalCheckFailed"
        } else {
            "None"
        };
        json!({ "Code": code })
    });
    let reasons: Vec<Value> = reasons.collect();
    Answer::Said(
        400,
        json!({ "__type": "TransactionCanceledException", "CancellationReasons": reasons }),
    )
}

fn is_entry(item: &Value) -> bool {
    let pk = item["Put"]["Item"]["pk"]["S"].as_str();
    pk.is_some_and(|pk| pk.starts_with("JOURNAL#"))
}

#[tokio::test]
async fn a_number_that_another_commit_has_is_not_taken() {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tokens);
    let store = store(move |count, _, request| {
        let token = request["ClientRequestToken"].clone();
        seen.lock().expect("nobody panicked").push(token);
        match count {
            0 | 1 => cancelled(request, is_entry),
            _ => Answer::Done(json!({})),
        }
    });
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("the third number is free");
    let mut tokens = tokens.lock().expect("nobody panicked").clone();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "each is a request of its own");
}

#[tokio::test]
async fn numbers_that_are_always_taken_are_given_up() {
    let store = store(|_, _, request| cancelled(request, is_entry));
    let refused = store.commit(new_pipeline(PIPELINE)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn a_head_that_moved_is_a_conflict_whatever_else_is_in_the_way() {
    let store = store(|count, _, request| {
        assert_eq!(count, 0, "nothing is tried again");
        cancelled(request, |_| true)
    });
    let refused = store.commit(new_pipeline(PIPELINE)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
}

fn loaded() -> Loaded {
    let known = known(7, &[(1, 7)]);
    let mut state = PipelineState::empty(PIPELINE);
    (state.head.definition, state.head.sequence) = (1, 1);
    state.definitions.insert(1, Arc::new(declaration()));
    state.executions.insert(id(1), Arc::new(execution(1, 1)));
    Loaded {
        state,
        version: known.version,
        commit: known.commit,
    }
}

/// Answers with the head first, which the store has not loaded.
fn after_head(answer: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Store {
    let head = sent(
        known(7, &[(1, 7)])
            .item(&loaded().state.head, None)
            .expect("it fits"),
    );
    store(move |_, operation, request| match operation {
        "GetItem" => Answer::Done(json!({ "Item": head })),
        _ => answer(request),
    })
}

#[tokio::test]
async fn news_of_an_attempt_that_is_not_there_are_no_attempt() {
    let store = after_head(|request| cancelled(request, |item| item["Update"].is_object()));
    let mut commit = blank(&loaded());
    commit
        .updates
        .push(update(1, ActionStatus::Succeeded, |_| {}));
    let refused = store.commit(commit).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn what_a_commit_says_of_an_execution_that_it_does_not_have_is_refused() {
    let store = after_head(|_| panic!("nothing is to be written"));
    let mut commit = blank(&loaded());
    commit.changed.push(ExecutionId(Uuid::nil()));
    let (mut begun, _) = begin(&loaded(), 2);
    begun.changed.clear();
    begun.state.executions.remove(&id(2));
    let mut undefined = blank(&loaded());
    undefined.new_definition = true;
    undefined.state.definitions.clear();
    for commit in [commit, begun, undefined] {
        let refused = store.commit(commit).await;
        let error = refused.expect_err("it cannot be written").to_string();
        assert!(error.ends_with("the commit does not have it"), "{error}");
    }
}

#[tokio::test]
async fn a_head_that_is_another_one_is_not_even_written_to() {
    let store = after_head(|_| panic!("nothing is to be written"));
    let mut commit = blank(&loaded());
    commit.expected_version = 6;
    assert!(matches!(
        store.commit(commit).await,
        Err(StoreError::Conflict)
    ));
}

#[tokio::test]
async fn what_is_over_expires_and_what_lives_does_not() {
    let (seen, day) = (Arc::new(Mutex::new(Value::Null)), 24 * 3_600);
    let kept = Arc::clone(&seen);
    let store = after_head(move |request| {
        *kept.lock().expect("nobody panicked") = request["TransactItems"].clone();
        Answer::Done(json!({}))
    });
    let store = store.with_history_days(10).with_clock(Arc::new(Beginning));
    let (mut commit, _) = begin(&loaded(), 2);
    let mut ended = execution(1, 1);
    ended.status = model::ExecutionStatus::Succeeded;
    commit.state.executions.insert(id(1), Arc::new(ended));
    commit.changed.push(id(1));
    commit
        .updates
        .push(update(1, ActionStatus::Succeeded, |_| {}));
    store.commit(commit).await.expect("it is written");
    let written = seen.lock().expect("nobody panicked").clone();
    let mut expiring = Vec::new();
    for item in written.as_array().expect("there are some") {
        let put = &item["Put"]["Item"];
        if let Some(at) = put["expires"]["N"].as_str() {
            let pk = put["pk"]["S"].as_str().expect("it has a key");
            let at: u64 = at.parse().expect("it is a number");
            let kind = pk.split('#').next().expect("it has a kind");
            expiring.push((kind.to_owned(), at / day));
        }
    }
    expiring.sort_unstable();
    let expected = ["EXECUTION", "EXECUTIONS", "JOURNAL"].map(|kind| (kind.to_owned(), 10));
    assert_eq!(expiring, expected);
    // An attempt stays longer than its execution.
    let updates = written.to_string();
    assert!(updates.contains(&format!("\"{}\"", 70 * day)), "{updates}");
}

struct Beginning;

impl ports::Clock for Beginning {
    fn now(&self) -> model::Timestamp {
        model::Timestamp(0)
    }
}
