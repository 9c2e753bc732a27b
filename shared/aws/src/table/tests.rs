//! What the table's answers, and answers that do not come, mean.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_sdk_dynamodb::types::AttributeValue;
use ports::StoreError;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Condition, Item, Query, Refused, Sorted, Table, Write};
use crate::{
    answers::{Answer, clients},
    keys::Key,
};

/// A table whose `n`-th request is answered by a function of `n`, the operation and the request.
fn table(answer: impl Fn(usize, &str, &Value) -> Answer + Send + Sync + 'static) -> Table {
    let count = AtomicUsize::new(0);
    let clients = clients(move |operation, request| {
        answer(count.fetch_add(1, Ordering::Relaxed), operation, request)
    });
    Table::new(clients.dynamodb(), "table", clients.meter().clone())
}

fn item(number: u64) -> Item {
    Item::new(Key::new("p", "s")).number("version", number)
}

fn cancelled(reasons: &[(&str, &str)]) -> Answer {
    let reason = |(code, message): &(&str, &str)| json!({ "Code": code, "Message": message });
    let reasons: Vec<Value> = reasons.iter().map(reason).collect();
    Answer::Said(
        400,
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "cancelled", "CancellationReasons": reasons,
        }),
    )
}

async fn transact(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Refused {
    let table = table(move |_, operation, _| {
        assert_eq!(operation, "TransactWriteItems");
        answer()
    });
    let writes = vec![Write::put(item(1)), Write::delete(Key::new("p", "t"))];
    let refused = table.transact(Uuid::nil(), writes).await;
    refused.expect_err("it was not done")
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_does_not_hold_tells_whose_it_is() {
    let refused = transact(|| cancelled(&[("None", ""), ("ConditionalCheckFailed", "no")])).await;
    assert!(matches!(&refused, Refused::Conditions(places) if places == &[1]));
    assert!(matches!(StoreError::from(refused), StoreError::Conflict));
    // Whatever else was in the way: the condition does not hold.
    let reasons = [("TransactionConflict", ""), ("ConditionalCheckFailed", "")];
    let refused = transact(move || cancelled(&reasons)).await;
    assert!(matches!(&refused, Refused::Conditions(places) if places == &[1]));
}

#[tokio::test]
async fn another_transaction_on_the_same_items_is_a_conflict() {
    let refused = transact(|| cancelled(&[("TransactionConflict", "busy"), ("None", "")])).await;
    assert!(matches!(refused, Refused::Store(StoreError::Conflict)));
    let refused = transact(|| Answer::Failed(400, "IdempotentParameterMismatchException")).await;
    assert!(matches!(refused, Refused::Store(StoreError::Conflict)));
}

#[tokio::test(start_paused = true)]
async fn a_busy_table_did_nothing() {
    let throttled = || cancelled(&[("ThrottlingError", "slow down"), ("None", "")]);
    let refused = transact(throttled).await;
    assert!(matches!(
        refused,
        Refused::Store(StoreError::Unavailable { .. })
    ));
    for code in [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
    ] {
        let refused = transact(move || Answer::Failed(400, code)).await;
        let Refused::Store(StoreError::Unavailable { doing, .. }) = refused else {
            panic!("{code}: {refused}");
        };
        assert_eq!(doing, "write to the table");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_an_answer_may_have_happened() {
    for answer in [
        || Answer::Silence,
        || Answer::Failed(500, "InternalServerError"),
        || Answer::Failed(400, "TransactionInProgressException"),
    ] {
        let refused = transact(answer).await;
        assert!(
            matches!(refused, Refused::Store(StoreError::Ambiguous)),
            "{refused}"
        );
    }
}

/// What a later sending is told says nothing of the first one, but for what the token or the
/// conditions tell.
#[tokio::test(start_paused = true)]
async fn what_is_said_after_an_answer_was_lost_does_not_undo_the_doubt() {
    let then = |next: fn() -> Answer| {
        table(move |count, _, _| if count == 0 { Answer::Silence } else { next() })
    };
    let busy: fn() -> Answer = || Answer::Failed(400, "ThrottlingException");
    let conflict: fn() -> Answer = || cancelled(&[("TransactionConflict", "")]);
    let denied: fn() -> Answer = || Answer::Failed(400, "AccessDeniedException");
    for next in [busy, conflict, denied] {
        let refused = then(next).transact(Uuid::nil(), vec![conditional()]).await;
        assert!(matches!(
            refused,
            Err(Refused::Store(StoreError::Ambiguous))
        ));
    }
    let failed: fn() -> Answer = || cancelled(&[("ConditionalCheckFailed", "")]);
    let refused = then(failed)
        .transact(Uuid::nil(), vec![conditional()])
        .await;
    assert!(matches!(refused, Err(Refused::Conditions(_))));
    let done: fn() -> Answer = || Answer::Done(json!({}));
    let written = then(done).transact(Uuid::nil(), vec![conditional()]).await;
    written.expect("the token told that it was done");
}

#[tokio::test]
async fn an_item_that_grew_too_large_is_told() {
    let message = "Item size to update has exceeded the maximum allowed size";
    let refused = transact(move || cancelled(&[("None", ""), ("ValidationError", message)])).await;
    assert!(matches!(
        refused,
        Refused::Store(StoreError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn what_dynamodb_does_not_take_is_never_sent() {
    let table = table(|_, _, _| panic!("nothing is to be sent"));
    let put = |sk: usize, bytes| {
        let item = Item::new(Key::new("p", sk.to_string()));
        Write::put(item.text("body", "x".repeat(bytes)))
    };
    let many = (0..101).map(|sk| put(sk, 1)).collect();
    let heavy = (0..11).map(|sk| put(sk, 399 * 1024)).collect();
    let large = vec![put(0, 400 * 1024)];
    for (writes, what) in [
        (
            many,
            "list of items of the transaction that begins with `p` takes 101",
        ),
        (heavy, "transaction that begins with `p` takes"),
        (large, "item `p` `0` takes"),
    ] {
        let refused = table.transact(Uuid::nil(), writes).await;
        let error = refused.expect_err("it is too large").to_string();
        assert!(error.starts_with(what), "{error}");
    }
}

fn refused_by(there: Option<u64>) -> Answer {
    let mut said = json!({ "__type": "ConditionalCheckFailedException", "message": "no" });
    if let Some(version) = there {
        let version = json!({ "N": version.to_string() });
        said["Item"] = json!({ "pk": { "S": "p" }, "sk": { "S": "s" }, "version": version });
    }
    Answer::Said(400, said)
}

fn conditional() -> Write {
    Write::put(item(2)).when(Condition::version(1))
}

#[tokio::test]
async fn a_condition_that_fails_the_first_time_is_somebody_elses_doing() {
    // Even when the item is the very one: that was written before.
    for there in [None, Some(2), Some(7)] {
        let table = table(move |count, _, _| {
            assert_eq!(count, 0, "it is sent once");
            refused_by(there)
        });
        let refused = table.write(conditional()).await;
        assert!(matches!(refused, Err(Refused::Conditions(_))));
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_sent_again_and_finds_itself() {
    let answered = |there| {
        table(move |count, operation, request| {
            assert_eq!(operation, "PutItem");
            assert_eq!(request["ConditionExpression"], "#version = :v0");
            if count == 0 {
                Answer::Silence
            } else {
                refused_by(there)
            }
        })
    };
    let found = answered(Some(2)).write(conditional()).await;
    found.expect("the first sending had arrived");
    let other = answered(Some(3)).write(conditional()).await;
    assert!(matches!(other, Err(Refused::Conditions(_))));
    let delete = Write::delete(Key::new("p", "s")).when(Condition::version(1));
    let table = table(|count, _, _| {
        if count == 0 {
            Answer::Silence
        } else {
            refused_by(None)
        }
    });
    table
        .write(delete)
        .await
        .expect("the first sending had arrived");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_is_left_open() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let silent = table(move |_, _, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Answer::Silence
    });
    let refused = silent.write(conditional()).await;
    assert!(matches!(
        refused,
        Err(Refused::Store(StoreError::Ambiguous))
    ));
    assert_eq!(sent.load(Ordering::Relaxed), 4);
    // Refused after that: the first one may have been done all the same.
    let table = table(|count, _, _| match count {
        0 => Answer::Silence,
        _ => Answer::Failed(400, "AccessDeniedException"),
    });
    let refused = table.write(conditional()).await;
    assert!(matches!(
        refused,
        Err(Refused::Store(StoreError::Ambiguous))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_busy_table_is_asked_again_for_a_while() {
    let busy = || Answer::Failed(400, "ThrottlingException");
    let patient = table(move |count, _, _| match count {
        0..=2 => busy(),
        _ => Answer::Done(json!({})),
    });
    patient
        .write(conditional())
        .await
        .expect("the fourth time it was done");
    let table = table(move |_, _, _| busy());
    let refused = table.write(conditional()).await;
    assert!(matches!(
        refused,
        Err(Refused::Store(StoreError::Unavailable { .. }))
    ));
}

#[tokio::test]
async fn a_refused_write_says_why() {
    let table = table(|_, _, _| Answer::Failed(400, "ResourceNotFoundException"));
    let refused = table
        .write(Write::put(item(1)))
        .await
        .expect_err("there is no table");
    assert!(matches!(
        refused,
        Refused::Store(StoreError::Unavailable { .. })
    ));
    let read = table.get(Key::new("p", "s")).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })));
}

fn stored(sk: &str) -> Value {
    json!({ "pk": { "S": "p" }, "sk": { "S": sk } })
}

#[tokio::test]
async fn keys_that_a_batch_left_unread_are_read_with_the_next() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let table = table(move |_, _, request| {
        let keys = request["RequestItems"]["table"]["Keys"].clone();
        let keys = keys.as_array().expect("there are some").clone();
        seen.lock().expect("nobody panicked").push(keys.len());
        let (read, unread) = keys.split_at(keys.len().div_ceil(2));
        let unread = match unread {
            [] => json!({}),
            unread => json!({ "table": { "Keys": unread, "ConsistentRead": true } }),
        };
        Answer::Done(json!({ "Responses": { "table": read }, "UnprocessedKeys": unread }))
    });
    let keys = (0..130).map(|sk| Key::new("p", sk.to_string())).collect();
    let found = table
        .batch_get(keys)
        .await
        .expect("all are read in the end");
    assert_eq!(found.len(), 130);
    let asked = asked.lock().expect("nobody panicked");
    assert_eq!(asked.first(), Some(&100), "no batch is larger");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_reads_nothing_is_given_up() {
    let table = table(|_, _, request| {
        Answer::Done(json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] }))
    });
    let found = table.batch_get(vec![Key::new("p", "s")]).await;
    assert!(matches!(found, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn a_query_goes_on_where_its_page_ended() {
    let table = table(|count, _, request| {
        assert_eq!(request["ConsistentRead"], true);
        let page = |items: &[&str]| items.iter().map(|sk| stored(sk)).collect::<Vec<_>>();
        if count == 0 {
            let end = stored("a");
            return Answer::Done(json!({ "Items": page(&["a"]), "LastEvaluatedKey": end }));
        }
        assert_eq!(request["ExclusiveStartKey"], stored("a"));
        Answer::Done(json!({ "Items": page(&["b"]) }))
    });
    let found = table.query(Query::new("p", Sorted::All, 9)).await;
    let keys: Vec<String> = found
        .expect("it is read")
        .iter()
        .map(|it| it.key().sk)
        .collect();
    assert_eq!(keys, ["a", "b"]);
}

#[tokio::test]
async fn an_update_says_what_it_sets_and_removes() {
    let table = table(|_, operation, request| {
        assert_eq!(operation, "UpdateItem");
        assert_eq!(
            request["UpdateExpression"],
            "SET #a = :v0 REMOVE #work, #at"
        );
        assert_eq!(request["ConditionExpression"], "attribute_exists(#work)");
        Answer::Done(json!({}))
    });
    let set = vec![("a", AttributeValue::S("1".to_owned()))];
    let update = Write::update(Key::new("p", "s"), set, vec!["work", "at"]);
    let written = table.write(update.when(Condition::Has("work"))).await;
    written.expect("it is there");
}
