//! Every sample event through `handle`: what it makes of a build that is under way.

#![expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes transcripts with them"
)]

#[path = "events/bench.rs"]
mod bench;
#[cfg(feature = "lambda")]
#[path = "events/lambda.rs"]
mod lambda;

use std::{collections::BTreeSet, fs, path::Path};

use bench::Bench;
use expect_test::{Expect, expect};
use stage_transition::{Event, handle};

const SAMPLES: [&str; 12] = [
    "action-failed",
    "action-finished",
    "action-finished-with-a-foreign-token",
    "action-progressed",
    "inputs-of-an-unknown-pipeline",
    "schedule",
    "sqs-batch",
    "sqs-batch-with-one-bad-record",
    "sweep",
    "sweep-everything",
    "tick",
    "two-results-of-one-attempt",
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/stage-transition")
}

fn sample(name: &str) -> Event {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is an event")
}

/// Handles the sample, and shows what it handed out and how the execution stands.
async fn check(bench: &Bench, name: &str, expected: Expect) {
    handle(&bench.world, sample(name))
        .await
        .expect("it is handled");
    expected.assert_eq(&bench.shown().await);
}

#[test]
fn no_sample_is_left_out() {
    let files = fs::read_dir(folder()).expect("there are samples");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("it can be read").path())
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    assert_eq!(names, SAMPLES.map(str::to_owned).into());
}

#[tokio::test]
async fn a_result_moves_the_execution_on() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "action-finished",
        expect![[r#"
        ask Release/Approve#1
        Build/Test Succeeded
        Build Succeeded
        Release Started
        Release/Approve Started
        = InProgress
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_repeated_result_changes_nothing() {
    let bench = Bench::new().await;
    handle(&bench.world, sample("action-finished"))
        .await
        .expect("it is handled");
    bench.hand_out().await;
    check(
        &bench,
        "action-finished",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
    check(
        &bench,
        "action-failed",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
}

#[tokio::test]
async fn of_two_results_in_one_message_the_first_counts() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "two-results-of-one-attempt",
        expect![[r#"
        ask Release/Approve#1
        Build/Test Succeeded
        Build Succeeded
        Release Started
        Release/Approve Started
        = InProgress
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_failure_ends_the_execution() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "action-failed",
        expect![[r#"
        Build/Test Failed
        Build Failed
        Failed
        = Failed
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_foreign_token_changes_nothing() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "action-finished-with-a-foreign-token",
        expect![[r#"
            = InProgress
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_a_worker_tells_on_the_way_is_kept() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "action-progressed",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
    let records = bench
        .world
        .pipelines
        .action_executions("web", bench::EXECUTION)
        .await;
    let records = records.expect("the store answers");
    let mut told = records.iter().filter_map(|record| record.update.as_ref());
    let url = told
        .next_back()
        .and_then(|update| update.output.external_execution_url.as_deref());
    assert_eq!(url, Some("https://builds.example/42"));
}

#[tokio::test]
async fn a_pipeline_that_is_gone_concerns_nobody() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "inputs-of-an-unknown-pipeline",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_tick_ends_what_takes_too_long() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "tick",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
    bench.wait(8 * 60);
    check(
        &bench,
        "tick",
        expect![[r#"
        cancel Build/Test#1
        Build/Test Failed
        Build Failed
        Failed
        = Failed
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_sweep_hands_out_what_a_crash_left_and_nothing_that_is_under_way() {
    let bench = Bench::new().await;
    check(
        &bench,
        "sweep",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
    bench.wait(1);
    check(
        &bench,
        "sweep",
        expect![[r#"
        offer Source/Fetch#1
        Started
        Source Started
        Source/Fetch Started
        offer Build/Test#1
        Source/Fetch Succeeded
        Source Succeeded
        Build Started
        Build/Test Started
        = InProgress
    "#]],
    )
    .await;
    bench.hand_out().await;
    check(
        &bench,
        "sweep",
        expect![[r#"
        = InProgress
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_sweep_finds_the_deadlines() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    bench.wait(8 * 60);
    check(
        &bench,
        "sweep",
        expect![[r#"
        cancel Build/Test#1
        Build/Test Failed
        Build Failed
        Failed
        = Failed
    "#]],
    )
    .await;
}

#[tokio::test]
async fn after_a_start_the_sweep_offers_every_open_job_again() {
    let bench = Bench::new().await;
    bench.hand_out().await;
    check(
        &bench,
        "sweep-everything",
        expect![[r#"
        offer Build/Test#1
        = InProgress
    "#]],
    )
    .await;
}
