use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use model::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{
    SystemClock, SystemRandom,
    answers::{Answer, clients},
};

fn record(name: &str) -> AuditRecord {
    AuditRecord::of_service(Timestamp(1_000), "000000000000", "us-east-1", name)
}

fn done() -> Answer {
    Answer::Done(json!({}))
}

async fn opened(clients: &Clients, clock: Arc<dyn Clock>) -> AuditLog {
    let named = ("PIPEWRIGHT_AUDIT_LOG_GROUP".to_owned(), "g".to_owned());
    let log = AuditLog::open(clients, &Settings::of([named]), clock, &SystemRandom).await;
    log.expect("its group is named")
}

/// A trail whose requests are answered in order, the first of which makes the stream; then all are
/// done.
async fn answered(answers: impl IntoIterator<Item = Answer>) -> AuditLog {
    let answers: Mutex<VecDeque<Answer>> = Mutex::new(answers.into_iter().collect());
    let clients = clients(move |_, _| answers.lock().unwrap().pop_front().unwrap_or_else(done));
    opened(&clients, Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_group_that_is_not_there_is_trouble_until_it_is() {
    let log = answered([Answer::Failed(400, "ResourceNotFoundException")]).await;
    let trouble = log.trouble().expect("there is no group");
    assert!(trouble.contains("ResourceNotFoundException"), "{trouble}");
    assert!(trouble.contains("log group `g`"), "{trouble}");
    log.flush().await.expect("it is there now");
    assert_eq!(log.trouble(), None);
    let (clients, clock) = (clients(|_, _| done()), Arc::new(SystemClock));
    let unnamed = AuditLog::open(&clients, &Settings::default(), clock, &SystemRandom).await;
    assert!(unnamed.is_err());
}

#[tokio::test]
async fn what_could_not_be_written_is_told_and_written_with_what_comes_next() {
    for failure in [
        Answer::Failed(400, "ThrottlingException"),
        Answer::Failed(503, "ServiceUnavailableException"),
        Answer::Silence,
        Answer::Done(json!({"rejectedLogEventsInfo": {"tooNewLogEventStartIndex": 0}})),
        Answer::Done(json!({"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1}})),
        Answer::Done(json!({"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 1}})),
    ] {
        let log = answered([done(), failure]).await;
        assert_eq!(log.trouble(), None);
        let failed = log.record_durably(record("A")).await;
        assert!(matches!(failed, Err(AuditError::Unavailable(_))));
        assert!(log.trouble().is_some());
        assert_eq!(log.pending.lock().await.records.len(), 1);
        log.record_durably(record("B"))
            .await
            .expect("it works again");
        assert_eq!(log.trouble(), None);
        assert_eq!(log.pending.lock().await.records.len(), 0);
    }
}

#[tokio::test]
async fn a_stream_that_is_gone_is_made_anew_once() {
    let gone = || Answer::Failed(400, "ResourceNotFoundException");
    let log = answered([done(), gone()]).await;
    log.record_durably(record("A")).await.expect("it is made");
    let there = Answer::Failed(400, "ResourceAlreadyExistsException");
    let log = answered([done(), gone(), there, gone()]).await;
    let failed = log.record_durably(record("A")).await;
    let error = failed.expect_err("it is always gone").to_string();
    assert!(error.contains("gone each time"), "{error}");
    log.flush().await.expect("it is there now");
}

#[tokio::test]
async fn a_record_that_does_not_fit_is_refused_and_no_more_is_kept_than_one_request_takes() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let clients = clients(move |operation, asked: &Value| {
        let events = asked["logEvents"].as_array();
        let weights = events.into_iter().flatten().map(|event| {
            let text = event["message"].as_str().unwrap_or_default();
            weight(text)
        });
        assert_eq!(operation == "PutLogEvents", asked["logEvents"].is_array());
        seen.fetch_max(weights.sum(), Ordering::SeqCst);
        done()
    });
    let log = opened(&clients, Arc::new(SystemClock)).await;
    let mut long = record("Long");
    long.user_agent = "x".repeat(200_000);
    for _ in 0..12 {
        log.record(long.clone()).await.expect("there is room");
    }
    log.record_durably(long.clone())
        .await
        .expect("there is room");
    assert_eq!(log.pending.lock().await.bytes, 0);
    let most = most.load(Ordering::SeqCst);
    assert!((1_000_000..=BATCH_BYTES_MAX).contains(&most), "{most}");
    long.user_agent = "x".repeat(EVENT_BYTES_MAX);
    for refused in [
        log.record(long.clone()).await,
        log.record_durably(long).await,
    ] {
        assert!(matches!(refused, Err(AuditError::TooLarge { .. })));
    }
}

#[tokio::test]
async fn a_record_without_room_is_not_taken() {
    let clients = clients(|operation, _| match operation {
        "PutLogEvents" => Answer::Failed(400, "AccessDeniedException"),
        _ => done(),
    });
    let log = opened(&clients, Arc::new(SystemClock)).await;
    let mut long = record("Long");
    long.user_agent = "x".repeat(200_000);
    for _ in 0..5 {
        log.record(long.clone()).await.expect("there is room");
    }
    let refused = log.record(long).await;
    let error = refused.expect_err("there is no room").to_string();
    assert!(error.contains("AccessDeniedException"), "{error}");
    assert_eq!(log.pending.lock().await.records.len(), 5);
}

#[tokio::test]
async fn the_times_of_events_never_run_back() {
    struct Back(AtomicUsize);
    impl Clock for Back {
        fn now(&self) -> Timestamp {
            let past = self.0.fetch_add(1, Ordering::SeqCst);
            Timestamp(1_700_000_000_000 - i64::try_from(past).unwrap_or_default())
        }
    }
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let clients = clients(move |_, asked: &Value| {
        let time = asked["logEvents"][0]["timestamp"].as_i64();
        seen.lock().unwrap().extend(time);
        done()
    });
    let log = opened(&clients, Arc::new(Back(AtomicUsize::new(0)))).await;
    assert!(log.stream().starts_with("2023/11/14/"), "{}", log.stream());
    for name in ["A", "B"] {
        log.record_durably(record(name)).await.expect("it is taken");
    }
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 2);
    assert_eq!(times[0], times[1]);
}
