use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::{
    Meter, SystemClock,
    answers::{Answer, clients},
};

fn history(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> BuildHistory {
    let table = Table::new(clients(answer).dynamodb(), "t", Meter::default());
    BuildHistory::new(table, Arc::new(SystemClock), Duration::from_hours(1))
}

fn build(more: &Value) -> BuildRecord {
    let mut build = json!({
        "id": "1", "initiator": "ann", "owner": "caller", "started": 1_000_000,
        "settings": {"name": "a", "source": {"type": "NO_SOURCE"},
            "artifacts": {"type": "NO_ARTIFACTS"}, "environment": {}},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        build[name] = value.clone();
    }
    serde_json::from_value(build).expect("the record above is one")
}

fn over() -> BuildRecord {
    let report = json!({"status": "SUCCEEDED", "phases": [], "exportedVariables": {},
        "isolation": "process", "logStream": "1"});
    build(&json!({"end": {"at": 1_000_009, "report": report}}))
}

/// Takes transactions and does not answer; reads what the first item of the last one was, if `keeps`.
fn silent(keeps: bool) -> BuildHistory {
    let kept = Mutex::new(Value::Null);
    history(move |operation, asked| {
        let mut kept = kept.lock().unwrap();
        match operation {
            "TransactWriteItems" => {
                *kept = asked["TransactItems"][0]["Put"]["Item"].clone();
                Answer::Silence
            }
            _ if keeps && kept["pk"] == asked["Key"]["pk"] && kept.is_object() => {
                Answer::Done(json!({"Item": *kept}))
            }
            _ => Answer::Done(json!({})),
        }
    })
}

fn cancelled(codes: &[&str]) -> Answer {
    let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
    Answer::Refused(json!({
        "__type": "TransactionCanceledException", "CancellationReasons": reasons,
    }))
}

#[tokio::test]
async fn a_beginning_without_an_answer_is_looked_for() {
    let begun = silent(true).begin_build(&build(&json!({}))).await;
    let begun = begun.expect("it is there");
    assert_eq!((begun.number, begun.version), (1, 1));
    let lost = silent(false).begin_build(&build(&json!({}))).await;
    assert!(matches!(lost, Err(StoreError::Ambiguous)));
}

#[tokio::test]
async fn an_end_without_an_answer_is_looked_for() {
    let ended = silent(true).replace_build(&over()).await;
    ended.expect("it is there");
    let lost = silent(false).replace_build(&over()).await;
    assert!(matches!(lost, Err(StoreError::Ambiguous)));
}

#[tokio::test(start_paused = true)]
async fn a_change_without_an_answer_is_unknown_and_one_that_came_late_is_refused() {
    let unknown = history(|_, _| Answer::Silence);
    let replaced = unknown.replace_build(&build(&json!({}))).await;
    assert!(matches!(replaced, Err(StoreError::Ambiguous)));
    let late = history(|operation, _| match operation {
        "PutItem" => Answer::Failed(400, "ConditionalCheckFailedException"),
        _ => cancelled(&["ConditionalCheckFailed", "None"]),
    });
    for build in [build(&json!({})), over()] {
        let replaced = late.replace_build(&build).await;
        assert!(matches!(replaced, Err(StoreError::Conflict)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_others_are_in_the_way_of_is_given_up_after_so_many_tries() {
    for reason in ["ConditionalCheckFailed", "TransactionConflict"] {
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let contended = history(move |operation, _| match operation {
            "TransactWriteItems" => {
                count.fetch_add(1, Ordering::SeqCst);
                cancelled(&["None", reason, "None", "None", "None"])
            }
            _ => Answer::Done(json!({})),
        });
        let begun = contended.begin_build(&build(&json!({}))).await;
        assert!(matches!(begun, Err(StoreError::Conflict)));
        assert_eq!(sent.load(Ordering::SeqCst), u64::from(TRIES));
    }
}

#[tokio::test]
async fn what_the_table_refuses_or_cannot_say_begins_nothing() {
    let busy = history(|operation, _| match operation {
        "TransactWriteItems" => Answer::Failed(400, "ThrottlingException"),
        _ => Answer::Done(json!({})),
    });
    let begun = busy.begin_build(&build(&json!({}))).await;
    assert!(matches!(begun, Err(StoreError::Unavailable { .. })));
    let broken = history(|_, _| Answer::Failed(500, "InternalServerError"));
    let token = json!({"token": {"token": "t", "request": "r"}});
    for build in [build(&json!({})), build(&token)] {
        let begun = broken.begin_build(&build).await;
        assert!(matches!(begun, Err(StoreError::Unavailable { .. })));
    }
    let open = broken.open_builds(0, 9).await;
    assert!(matches!(open, Err(StoreError::Unavailable { .. })));
    let count = broken.count_open_builds(None).await;
    assert!(matches!(count, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn lines_and_records_that_cannot_be_read_are_errors() {
    let line = json!({"pk": {"S": "BUILDS"}, "sk": {"S": "first"}, "id": {"S": "1"},
        "project": {"S": "a"}});
    let damaged = history(move |operation, _| match operation {
        "Query" => Answer::Done(json!({"Items": [line], "Count": 1})),
        _ => Answer::Done(json!({"Item": line})),
    });
    let all = ListBuilds {
        project: None,
        behind: None,
        newest_first: false,
        limit: 9,
    };
    let listed = damaged.list_builds(all).await;
    assert!(matches!(listed, Err(StoreError::Corrupt { .. })));
    let found = damaged.build("1").await;
    assert!(matches!(found, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_token_whose_build_is_gone_starts_another() {
    let token = json!({"Item": {"pk": {"S": "BUILD_TOKENS"}, "sk": {"S": "x"}, "id": {"S": "0"},
        "started": {"N": "1000000"}}});
    let gone = history(move |operation, asked| match operation {
        "GetItem" if asked["Key"]["pk"]["S"] == "BUILD_TOKENS" => Answer::Done(token.clone()),
        _ => Answer::Done(json!({})),
    });
    let begun = build(&json!({"token": {"token": "t", "request": "r"}}));
    let begun = gone.begin_build(&begun).await;
    assert_eq!(begun.expect("the store writes").id, "1");
}

#[test]
fn places_grow_whatever_the_clocks_of_others_say() {
    let history = history(|_, _| Answer::Silence);
    let build = build(&json!({}));
    let first = history.place(&build, 0);
    assert_eq!(first / PLACES_PER_MILLI, 1_000_000);
    let second = history.place(&build, 0);
    assert!(second > first);
    let behind = history.place(&build, u64::MAX / 2);
    assert_eq!(behind, u64::MAX / 2 + 1);
}
