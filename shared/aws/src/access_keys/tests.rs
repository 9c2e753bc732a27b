use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::{
    Meter,
    answers::{Answer, clients},
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

struct At;

impl Clock for At {
    fn now(&self) -> Timestamp {
        NOW
    }
}

fn store(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> AccessKeyStore {
    let table = Table::new(clients(answer).dynamodb(), "t", Meter::default());
    AccessKeyStore::new(table, Arc::new(At))
}

fn key() -> AccessKey {
    AccessKey {
        id: "A".to_owned(),
        sealed_secret: vec![1],
        user: "ann".to_owned(),
        policies: Vec::new(),
        status: KeyStatus::Enabled,
        created: Timestamp(7),
        disabled_at: None,
        last_used: None,
        description: None,
        session: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_write_is_told() {
    let unknown = store(|_, _| Answer::Silence);
    let put = unknown.put(&key(), NEW).await;
    assert!(matches!(put, Err(AccessKeysError::Ambiguous)));
    let deleted = unknown.delete("A", 1).await;
    assert!(matches!(deleted, Err(AccessKeysError::Ambiguous)));
    for code in ["ThrottlingException", "AccessDeniedException"] {
        let busy = store(move |_, _| Answer::Failed(400, code));
        let put = busy.put(&key(), NEW).await;
        assert!(
            matches!(put, Err(AccessKeysError::Unavailable { .. })),
            "{code}"
        );
    }
    let other = store(|_, _| Answer::Failed(400, "ConditionalCheckFailedException"));
    let put = other.put(&key(), 1).await;
    assert!(matches!(put, Err(AccessKeysError::Conflict)));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_sent_again_is_known_by_what_it_left() {
    let first = Mutex::new(None);
    let store = store(move |_, asked| {
        let mut first = first.lock().unwrap();
        match first.as_ref() {
            None => {
                *first = Some(asked["Item"].clone());
                Answer::Silence
            }
            Some(item) => Answer::Refused(json!({
                "__type": "ConditionalCheckFailedException", "Item": item,
            })),
        }
    });
    let version = store.put(&key(), NEW).await;
    assert_eq!(version.expect("the first request had arrived"), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_key() {
    let silent = store(|_, _| Answer::Silence);
    let got = silent.get("A").await;
    assert!(matches!(got, Err(AccessKeysError::Unavailable { .. })));
    let listed = silent.list("", 9).await;
    assert!(matches!(listed, Err(AccessKeysError::Unavailable { .. })));
    let item = json!({"pk": {"S": "ACCESS_KEYS"}, "sk": {"S": "A"}, "body": {"S": "{"}});
    let damaged = store(move |operation, _| match operation {
        "GetItem" => Answer::Done(json!({"Item": item})),
        _ => Answer::Done(json!({"Items": [item]})),
    });
    let got = damaged.get("A").await;
    assert!(matches!(got, Err(AccessKeysError::Corrupt { .. })));
    let listed = damaged.list("", 9).await;
    assert!(matches!(listed, Err(AccessKeysError::Corrupt { .. })));
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_refused() {
    let store = store(|_, _| Answer::Done(json!({})));
    let mut large = key();
    large.policies = vec!["x".repeat(ITEM_BYTES_MAX)];
    let error = store.put(&large, NEW).await.expect_err("it is too large");
    assert_eq!(error.to_string(), "failed to write an access key");
}

#[tokio::test]
async fn temporary_credentials_are_removed_a_day_after_their_end() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&seen);
    let store = store(move |_, asked| {
        let until = asked["Item"]["expires"]["N"].as_str().map(str::to_owned);
        written.lock().unwrap().push(until);
        Answer::Done(json!({}))
    });
    for ends in [None, Some(NOW.0 + 3_600_000), Some(0)] {
        let mut key = key();
        key.session = ends.map(|ends| SealedSession {
            sealed_token: vec![2],
            expires: Timestamp(ends),
        });
        store.put(&key, NEW).await.expect("the store writes");
    }
    let day = 24 * 3_600;
    let expected = [
        None,
        Some(1_700_000_000 + 3_600 + day),
        Some(1_700_000_000 + day),
    ];
    let expected = expected.map(|until| until.map(|until: u64| until.to_string()));
    assert_eq!(*seen.lock().unwrap(), expected);
}
