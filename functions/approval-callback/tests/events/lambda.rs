//! The function as Lambda calls it: every sample does what it does without a gateway.

use std::fs;

use approval_callback::lambda::Function;
use aws::{Meter, Telemetry};
use serde_json::{Value, json};

use crate::{SAMPLES, bench::Bench, folder, sample};

fn event(name: &str) -> Value {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is JSON")
}

fn function(bench: &Bench) -> Function {
    Function {
        callback: bench.callback.clone(),
        telemetry: Telemetry::new("approval-callback", Meter::default()),
    }
}

#[tokio::test]
async fn every_sample_is_answered_as_by_a_server() {
    for (name, status, action) in SAMPLES {
        let bench = Bench::new().await;
        let answer = function(&bench).handle(event(name)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer["statusCode"], status, "{name}");
        assert_eq!(bench.status().await, action, "{name}");
        let other = Bench::new().await;
        let page = other.send(sample(name)).await;
        assert_eq!(
            answer["body"],
            *String::from_utf8_lossy(page.body()),
            "{name}"
        );
        let policy = &answer["headers"]["content-security-policy"];
        assert!(policy.is_string(), "{name}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_request_fails_the_call() {
    let bench = Bench::new().await;
    for event in [json!({}), json!({"Records": []})] {
        assert!(
            function(&bench).handle(event.clone()).await.is_err(),
            "{event}"
        );
    }
}
