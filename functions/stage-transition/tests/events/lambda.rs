//! The function as Lambda calls it: every sample, and what of a batch goes back to the queue.

use std::sync::Arc;

use aws::{Clients, Leases, Meter, Punctual, Settings, Table, Telemetry, Until};
use ports::World;
use serde_json::{Value, json};
use stage_transition::lambda::Function;

use crate::{SAMPLES, bench::Bench, folder};

fn event(name: &str) -> Value {
    let json = std::fs::read_to_string(folder().join(format!("{name}.json")));
    serde_json::from_str(&json.expect("it exists")).expect("the sample is JSON")
}

fn function(world: World) -> Function {
    Function {
        world,
        telemetry: Telemetry::new("stage-transition", Meter::default()),
        until: Until::default(),
    }
}

/// Nobody takes a job here, so there is no table.
fn no_leases() -> Leases {
    let settings = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let clients = Clients::new(&Settings::of(settings)).expect("everything is there");
    Leases::new(Table::new(clients.dynamodb(), "none", Meter::default()))
}

/// The ids of the messages that go back.
fn back(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array();
    let ids = failures.into_iter().flatten();
    ids.filter_map(|one| one["itemIdentifier"].as_str())
        .collect()
}

#[tokio::test]
async fn every_sample_is_handled() {
    for name in SAMPLES {
        let bench = Bench::new().await;
        let answer = function(bench.world.clone()).handle(event(name)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected: &[&str] = match name {
            "sqs-batch-with-one-bad-record" => &["m2", "m3"],
            _ => &[],
        };
        assert_eq!(back(&answer), expected, "{name}");
    }
}

#[tokio::test]
async fn what_a_batch_has_for_a_pipeline_is_one_commit() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    let store = Arc::clone(&bench.world.pipelines);
    let commits = async || {
        store
            .journal(0, 100)
            .await
            .expect("the store answers")
            .len()
    };
    let before = commits().await;
    let answer = function(bench.world.clone())
        .handle(event("sqs-batch"))
        .await;
    assert_eq!(
        answer.expect("it is handled"),
        json!({"batchItemFailures": []})
    );
    assert_eq!(commits().await, before + 1);
    assert!(bench.shown().await.contains("Build/Test Succeeded"));
}

#[tokio::test]
async fn a_bad_record_keeps_no_other_pipeline_waiting() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    let function = function(bench.world.clone());
    let handled = function.handle(event("sqs-batch-with-one-bad-record"));
    handled.await.expect("it is handled");
    assert!(bench.shown().await.contains("Build/Test Succeeded"));
}

#[tokio::test]
async fn what_there_is_no_time_for_goes_back_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    let until = Until::default();
    until.set(0);
    let mut world = bench.world.clone();
    world.pipelines = Arc::new(Punctual {
        store: Arc::clone(&bench.world.pipelines),
        leases: no_leases(),
        clock: Arc::clone(&world.clock),
        random: Arc::clone(&world.random),
        until: until.clone(),
    });
    let mut function = function(world);
    function.until = until;
    let answer = function.handle(event("sqs-batch")).await;
    // The pipeline that is gone needs no commit.
    assert_eq!(back(&answer.expect("it is handled")), ["m1", "m3"]);
    assert_eq!(bench.shown().await, "= InProgress\n");
}

#[tokio::test]
async fn what_is_no_event_fails_the_call() {
    let bench = Bench::new().await;
    for event in [json!({}), json!({"Records": [{}]}), json!({"sweeps": true})] {
        let answer = function(bench.world.clone()).handle(event.clone()).await;
        assert!(answer.is_err(), "{event}");
    }
}
