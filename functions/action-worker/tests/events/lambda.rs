//! The function as Lambda calls it: every sample, and when it asks to be called again.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use action_worker::{
    Worker,
    lambda::{Function, Reminder},
};
use async_trait::async_trait;
use aws::{HOPS_MAX, Meter, Telemetry, Until};
use embedded::Store;
use model::Job;
use operations::codebuild::CodeBuild;
use ports::StoreError;
use providers::Catalogue;
use serde_json::{Value, json};

use crate::bench::Bench;

/// What the worker told itself: after how many times, and when.
#[derive(Default)]
struct Reminded(Mutex<Vec<(u32, Duration)>>);

#[async_trait]
impl Reminder for Reminded {
    async fn look_again(&self, _: &Job, hops: u32, pause: Duration) -> Result<bool, StoreError> {
        let mut told = self.0.lock().expect("nobody panicked");
        told.push((hops, pause));
        Ok(hops < HOPS_MAX)
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/action-worker")
}

fn event(name: &str) -> Value {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is JSON")
}

fn function(bench: &Bench, reminded: &Arc<Reminded>) -> Function {
    let world = bench.world.clone();
    let records = Arc::new(Store::in_memory().expect("it opens"));
    Function {
        worker: Worker::new(world.clone(), Catalogue::standard()),
        reminder: reminded.clone(),
        codebuild: CodeBuild {
            world: world.clone(),
            projects: records.clone(),
            builds: records,
            runner: bench.builds.clone(),
            nudge: Arc::new(|| {}),
        },
        world,
        telemetry: Telemetry::new("action-worker", Meter::default()),
        until: Until::default(),
    }
}

/// A worker for whom the build of the samples is in progress.
async fn at_work() -> (Bench, Arc<Reminded>, Function) {
    let bench = Bench::new(Catalogue::standard()).await;
    let job = event("offered-codebuild")["offered"].clone();
    let job: Job = serde_json::from_value(job).expect("it is a job");
    bench.open(&Arc::new(job)).await;
    let reminded = Arc::default();
    let function = function(&bench, &reminded);
    (bench, reminded, function)
}

fn told(reminded: &Reminded) -> Vec<(u32, u64)> {
    let told = reminded.0.lock().expect("nobody panicked");
    told.iter()
        .map(|(hops, pause)| (*hops, pause.as_secs()))
        .collect()
}

#[tokio::test]
async fn every_sample_is_handled() {
    for file in fs::read_dir(folder()).expect("there are samples") {
        let path = file.expect("it can be read").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let (_bench, _, function) = at_work().await;
        let answer = function.handle(event(&name)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = match &*name {
            "sqs-batch" => json!({"batchItemFailures": []}),
            "sqs-batch-with-one-bad-record" => {
                json!({"batchItemFailures": [{"itemIdentifier": "m1"}]})
            }
            _ => Value::Null,
        };
        assert_eq!(answer, expected, "{name}");
    }
}

#[tokio::test]
async fn a_job_that_goes_on_is_looked_at_again() {
    let (_bench, reminded, function) = at_work().await;
    for event in [
        event("offered-codebuild"),
        json!({"due": event("due-codebuild")["due"], "hops": 7}),
    ] {
        function.handle(event).await.expect("it is handled");
    }
    assert_eq!(told(&reminded), [(0, 5), (7, 5)]);
}

#[tokio::test]
async fn what_the_sweep_offers_again_begins_no_second_round() {
    let (_bench, reminded, function) = at_work().await;
    let mut late = event("offered-codebuild");
    late["offered"]["started"] = json!(1_547_106_937_000_i64 - 91_000);
    function.handle(late).await.expect("it is handled");
    assert_eq!(told(&reminded), []);
}

#[tokio::test]
async fn what_was_looked_at_too_often_is_left_to_the_sweep() {
    let (_bench, reminded, function) = at_work().await;
    let often = json!({"due": event("due-codebuild")["due"], "hops": HOPS_MAX});
    function.handle(often).await.expect("it is handled");
    assert_eq!(told(&reminded), [(HOPS_MAX, 5)]);
}

#[tokio::test]
async fn the_end_of_a_task_is_a_reason_to_look_and_begins_no_round() {
    let (bench, reminded, function) = at_work().await;
    let begun = function.handle(event("offered-codebuild")).await;
    begun.expect("it is handled");
    let ended = function.handle(event("ecs-task-stopped")).await;
    ended.expect("it is handled");
    assert_eq!(told(&reminded).len(), 1);
    assert_eq!(bench.inputs().len(), 1, "what it said when it began");
}

#[tokio::test]
async fn what_there_is_no_time_for_goes_back() {
    let (_bench, reminded, function) = at_work().await;
    function.until.set(0);
    let answer = function.handle(event("sqs-batch")).await;
    let both = json!({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]});
    assert_eq!(answer.expect("it is handled"), both);
    assert_eq!(told(&reminded), []);
}

#[tokio::test]
async fn what_is_no_event_fails_the_call() {
    let (_bench, _, function) = at_work().await;
    for event in [json!({}), json!({"Records": [{}]}), json!({"offers": 1})] {
        assert!(function.handle(event.clone()).await.is_err(), "{event}");
    }
}
