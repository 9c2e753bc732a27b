use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    Meter,
    answers::{Answer, clients},
};

fn projects(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Projects {
    let client = clients(answer).dynamodb();
    Projects::new(Table::new(client, "t", Meter::default()))
}

fn record() -> ProjectRecord {
    let json = r#"{"settings": {"name": "a", "source": {"type": "NO_SOURCE"},
        "artifacts": {"type": "NO_ARTIFACTS"}, "environment": {}}}"#;
    serde_json::from_str(json).expect("the record above is one")
}

/// The answer to a transaction whose conditions fail at places that have this reason.
fn cancelled(project: &str, count: &str) -> Answer {
    Answer::Refused(json!({
        "__type": "TransactionCanceledException",
        "CancellationReasons": [{"Code": project}, {"Code": count}],
    }))
}

/// There is one project, and it is another one than `record` says.
fn there() -> Answer {
    let body = serde_json::to_string(&record()).expect("it is JSON");
    let body = body.replace("NO_SOURCE", "CODEPIPELINE");
    Answer::Done(json!({"Item": {
        "pk": {"S": "PROJECTS"}, "sk": {"S": "a"}, "version": {"N": "1"}, "projects": {"N": "1"},
        "body": {"S": body},
    }}))
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_creation_is_told() {
    let created = |answer: fn() -> Answer| async move {
        let projects = projects(move |operation, _| match operation {
            "TransactWriteItems" => answer(),
            _ => Answer::Done(json!({})),
        });
        projects.create_project(&record(), 9).await
    };
    let unknown = created(|| Answer::Silence).await;
    let is_ambiguous =
        |error: &_| matches!(error, CreateProjectError::Store(StoreError::Ambiguous));
    assert!(unknown.is_err_and(|error| is_ambiguous(&error)));
    let busy = created(|| Answer::Failed(400, "ThrottlingException")).await;
    let is_unavailable = |error: &_| {
        matches!(
            error,
            CreateProjectError::Store(StoreError::Unavailable { .. })
        )
    };
    assert!(busy.is_err_and(|error| is_unavailable(&error)));
    let exists = created(|| cancelled("ConditionalCheckFailed", "ConditionalCheckFailed")).await;
    assert!(matches!(exists, Err(CreateProjectError::Exists)));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_in_the_way_each_time_is_told_of_after_so_many_tries() {
    for answer in [
        || cancelled("None", "ConditionalCheckFailed"),
        || cancelled("None", "TransactionConflict"),
    ] {
        let sent = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&sent);
        let contended = projects(move |operation, asked| match operation {
            "TransactWriteItems" => {
                count.fetch_add(1, Ordering::SeqCst);
                answer()
            }
            // There is no count yet.
            _ if asked["Key"]["pk"]["S"] == "COUNTS" => Answer::Done(json!({})),
            _ => there(),
        });
        let created = contended.create_project(&record(), 9).await;
        let is_conflict = matches!(
            created,
            Err(CreateProjectError::Store(StoreError::Conflict))
        );
        assert!(is_conflict);
        assert_eq!(sent.swap(0, Ordering::SeqCst), TRIES);
        let deleted = contended.delete_project("a").await;
        assert!(matches!(deleted, Err(StoreError::Conflict)));
        assert_eq!(sent.load(Ordering::SeqCst), TRIES);
    }
    let contended = projects(|operation, _| match operation {
        "PutItem" => Answer::Failed(400, "ConditionalCheckFailedException"),
        _ => there(),
    });
    let put = contended.put_project(&record().settings.project()).await;
    assert!(matches!(put, Err(StoreError::Conflict)));
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_there_by_now_is_replaced() {
    let looks = AtomicU32::new(0);
    let raced = projects(move |operation, asked| match operation {
        "TransactWriteItems" => cancelled("ConditionalCheckFailed", "None"),
        "GetItem" if asked["Key"]["pk"]["S"] == "COUNTS" => Answer::Done(json!({})),
        "GetItem" if looks.fetch_add(1, Ordering::SeqCst) == 0 => Answer::Done(json!({})),
        "GetItem" => there(),
        _ => Answer::Done(json!({})),
    });
    let put = raced.put_project(&record().settings.project()).await;
    put.expect("it was replaced");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_changed_is_left_alone() {
    let changed = projects(|operation, _| match operation {
        "GetItem" => there(),
        _ => panic!("nothing is written"),
    });
    let replaced = changed.replace_project(&record(), &record()).await;
    assert!(matches!(replaced, Err(StoreError::Conflict)));
    for answer in [
        || Answer::Silence,
        || Answer::Failed(500, "InternalServerError"),
    ] {
        let broken = projects(move |_, _| answer());
        let names = broken.project_names().await;
        assert!(matches!(names, Err(StoreError::Unavailable { .. })));
        let deleted = broken.delete_project("a").await;
        assert!(matches!(deleted, Err(StoreError::Unavailable { .. })));
    }
}
