//! The function as Lambda calls it: every sample, and what it says that it started.

use aws::{Meter, Telemetry};
use serde_json::{Value, json};
use source_trigger::lambda::Function;

use crate::{LOOKING, TOLD, bench::Bench, samples, start_by_hand};

fn function(bench: &Bench) -> Function {
    Function {
        world: bench.world.clone(),
        telemetry: Telemetry::new("source-trigger", Meter::default()),
    }
}

#[tokio::test]
async fn every_sample_is_handled() {
    for (name, json) in samples() {
        let bench = Bench::new().await;
        bench.pipeline("told", "V2", &[("S3", TOLD)]).await;
        let event: Value = serde_json::from_str(&json).expect("the sample is JSON");
        let answer = function(&bench).handle(event).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let started = answer["started"]
            .as_array()
            .expect("it says what it started");
        let starts = ["s3-object-created", "s3-put-via-cloudtrail"].contains(&name.as_str());
        assert_eq!(started.len(), usize::from(starts), "{name}");
        if let Some(one) = started.first() {
            assert_eq!(one["pipeline"], "told");
            let execution = bench.executions("told").await.remove(0).id;
            assert_eq!(one["executionId"], execution.to_string());
        }
    }
}

#[tokio::test]
async fn the_schedule_looks_at_sources() {
    for event in [json!({"poll": true}), sample("schedule")] {
        let bench = Bench::new().await;
        bench.pipeline("web", "V2", &[("S3", LOOKING)]).await;
        start_by_hand(&bench, Vec::new()).await;
        let one = bench.put("app.zip", "one").await;
        bench.finish(&[("Source0", &one)]).await;
        bench.put("app.zip", "two").await;
        let answer = function(&bench).handle(event).await.expect("it is handled");
        assert_eq!(answer["started"][0]["pipeline"], "web");
    }
}

fn sample(name: &str) -> Value {
    serde_json::from_str(&samples()[name]).expect("the sample is JSON")
}

#[tokio::test]
async fn what_is_no_event_fails_the_call() {
    let bench = Bench::new().await;
    for event in [json!({}), json!({"poll": false}), json!([])] {
        assert!(
            function(&bench).handle(event.clone()).await.is_err(),
            "{event}"
        );
    }
}
