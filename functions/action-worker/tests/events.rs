//! Every sample event through `handle`, and what a worker does with a provider that misbehaves.

#[path = "events/bench.rs"]
mod bench;
#[cfg(feature = "lambda")]
#[path = "events/lambda.rs"]
mod lambda;

use std::{fs, path::Path, sync::Arc, time::Duration};

use action_worker::{Event, Reply, WorkerError};
use bench::{Bench, Told};
use expect_test::{Expect, expect};
use model::{ActionOutput, Input, Job, job::ActionResult};
use providers::{Catalogue, Progress};

/// How many samples there are: the events, and what Lambda alone brings.
const SAMPLES: usize = 11;

fn sample(name: &str) -> Event {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/action-worker");
    let json = fs::read_to_string(folder.join(format!("{name}.json"))).expect("the sample exists");
    serde_json::from_str(&json).expect("the sample is an event")
}

fn job(event: &Event) -> Arc<Job> {
    match event {
        Event::Offered(job) | Event::Due(job) => Arc::clone(job),
        Event::Cancelled(_) => panic!("the event has no job"),
    }
}

async fn check(name: &str, expected: Expect) {
    let bench = Bench::new(Catalogue::standard()).await;
    let event = sample(name);
    bench.open(&job(&event)).await;
    let reply = bench.worker.handle(event).await.expect("it is handled");
    expected.assert_eq(&format!("{reply:?}\n{}", bench.sent()));
}

#[test]
fn no_sample_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/action-worker");
    let count = fs::read_dir(folder).expect("there are samples").count();
    assert_eq!(count, SAMPLES);
}

#[tokio::test]
async fn an_offered_source_is_fetched() {
    check(
        "offered-s3-source",
        expect![[r#"
            Done
            ActionFinished Source/Fetch {
              "Succeeded": {
                "external_execution_id": "799c99201a72fd576a02c438742fc720",
                "external_execution_url": "s3://incoming/app.zip?versionId=799c99201a72fd576a02c438742fc720",
                "summary": "Amazon S3 version id: 799c99201a72fd576a02c438742fc720",
                "revision": {
                  "revisionId": "799c99201a72fd576a02c438742fc720",
                  "revisionSummary": "Amazon S3 version id: 799c99201a72fd576a02c438742fc720",
                  "revisionUrl": "s3://incoming/app.zip?versionId=799c99201a72fd576a02c438742fc720",
                  "revisionChangeIdentifier": "\"d2a57dc1d883fd21fb9951699df71cc7\"",
                  "created": 1547106937000
                },
                "variables": {
                  "BucketName": "incoming",
                  "ETag": "\"d2a57dc1d883fd21fb9951699df71cc7\"",
                  "ObjectKey": "app.zip",
                  "VersionId": "799c99201a72fd576a02c438742fc720"
                }
              }
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_offered_source_without_its_bucket_fails() {
    check(
        "offered-s3-source-without-bucket",
        expect![[r#"
            Done
            ActionFinished Source/Fetch {
              "Failed": {
                "error": {
                  "code": "ConfigurationError",
                  "message": "no bucket has the name `nowhere`"
                },
                "output": {}
              }
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_offered_build_is_begun_and_asked_for_again() {
    check(
        "offered-codebuild",
        expect![[r#"
            AskAgain(5s)
            ActionProgressed Build/Test {
              "external_execution_id": "unit-tests:00000000-0000-4000-8000-00000000000a",
              "log_stream": "00000000-0000-4000-8000-00000000000a"
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_build_that_goes_on_is_no_news() {
    check("due-codebuild", expect!["AskAgain(5s)\n"]).await;
}

#[tokio::test]
async fn a_provider_that_nobody_has_fails_the_action_by_name() {
    check("offered-unsupported-provider", expect![[r#"
        Done
        ActionFinished Release/Roll {
          "Failed": {
            "error": {
              "code": "ConfigurationError",
              "message": "provider `ECS` (category Deploy, owner AWS, version 1) is not supported; supported are Source/CodeCommit, Source/S3, Build/CodeBuild, Deploy/S3, Test/CodeBuild, Approval/Manual, Compute/Commands (owner AWS, version 1)"
            },
            "output": {}
          }
        }
    "#]]).await;
}

#[tokio::test]
async fn a_cancelled_build_is_stopped() {
    let bench = Bench::new(Catalogue::standard()).await;
    bench.open(&job(&sample("offered-codebuild"))).await;
    let reply = bench.worker.handle(sample("cancelled")).await;
    assert_eq!(reply.expect("it is handled"), Reply::Done);
    assert_eq!(
        *bench.builds.stopped.lock().expect("nobody panicked"),
        ["00000000-0000-4000-8000-00000000000a"]
    );
    assert_eq!(bench.sent(), "");
}

#[tokio::test]
async fn what_was_never_begun_need_not_be_stopped() {
    let bench = Bench::new(Catalogue::standard()).await;
    let reply = bench.worker.handle(sample("cancelled")).await;
    assert_eq!(reply.expect("it is handled"), Reply::Done);
    assert!(
        bench
            .builds
            .stopped
            .lock()
            .expect("nobody panicked")
            .is_empty()
    );
}

#[tokio::test]
async fn a_job_that_is_no_longer_open_is_dropped_unseen() {
    let told = Told::new([]);
    let bench = Bench::new(told.catalogue()).await;
    for name in ["offered-codebuild", "due-codebuild"] {
        let reply = bench.worker.handle(sample(name)).await;
        assert_eq!(reply.expect("it is handled"), Reply::Done);
    }
    assert_eq!(told.asked(), 0);
    assert_eq!(bench.sent(), "");
}

#[tokio::test]
async fn a_provider_that_panics_fails_the_action_and_nothing_else() {
    // It has nothing to say, so it panics when it is asked.
    let told = Told::new([]);
    let bench = Bench::new(told.catalogue()).await;
    let event = sample("offered-codebuild");
    bench.open(&job(&event)).await;
    let reply = bench.worker.handle(event).await.expect("it is handled");
    assert_eq!(reply, Reply::Done);
    expect![[r#"
        ActionFinished Build/Test {
          "Failed": {
            "error": {
              "code": "SystemUnavailable",
              "message": "provider `CodeBuild` failed unexpectedly"
            },
            "output": {}
          }
        }
    "#]]
    .assert_eq(&bench.sent());
}

#[tokio::test]
async fn progress_is_sent_on_when_it_moves() {
    let running = |percent| Progress::Running {
        output: ActionOutput {
            external_execution_id: Some("x".to_owned()),
            percent_complete: percent,
            ..ActionOutput::default()
        },
        ask_again: Duration::from_secs(5),
    };
    let told = Told::new([running(None), running(None), running(Some(50))]);
    let bench = Bench::new(told.catalogue()).await;
    let event = sample("offered-codebuild");
    bench.open(&job(&event)).await;
    let mut sent = Vec::new();
    for event in [event, sample("due-codebuild"), sample("due-codebuild")] {
        let reply = bench.worker.handle(event).await.expect("it is handled");
        assert_eq!(reply, Reply::AskAgain(Duration::from_secs(5)));
        sent.push(bench.inputs().len());
    }
    assert_eq!(sent, [1, 1, 2]);
}

#[tokio::test]
async fn what_a_provider_says_is_cut_to_what_the_api_holds() {
    let output = ActionOutput {
        summary: Some("s".repeat(3_000)),
        ..ActionOutput::default()
    };
    let told = Told::new([Progress::Done(ActionResult::Succeeded(output))]);
    let bench = Bench::new(told.catalogue()).await;
    let event = sample("offered-codebuild");
    bench.open(&job(&event)).await;
    bench.worker.handle(event).await.expect("it is handled");
    let inputs = bench.inputs();
    let [Input::ActionFinished { result, .. }] = inputs.as_slice() else {
        panic!("{inputs:?}");
    };
    let ActionResult::Succeeded(output) = result else {
        panic!("{result:?}");
    };
    assert_eq!(output.summary.as_ref().map(String::len), Some(2_048));
}

#[tokio::test]
async fn an_attempt_that_ends_while_its_work_begins_is_stopped() {
    let told = Told::new([Progress::Running {
        output: ActionOutput::default(),
        ask_again: Duration::from_secs(5),
    }]);
    let bench = Bench::new(told.catalogue()).await;
    let event = sample("offered-codebuild");
    let job = job(&event);
    bench.open(&job).await;
    told.then({
        let (world, job) = (bench.world.clone(), Arc::clone(&job));
        move || bench::close(world.clone(), Arc::clone(&job))
    });
    let reply = bench.worker.handle(event).await.expect("it is handled");
    assert_eq!(reply, Reply::Done);
    assert_eq!(told.stopped(), 1);
}

#[tokio::test]
async fn a_result_that_cannot_be_sent_is_asked_for_again() {
    let bench = Bench::new(Catalogue::standard()).await;
    let event = sample("offered-s3-source");
    bench.open(&job(&event)).await;
    bench.break_queues();
    let error = bench.worker.handle(event.clone()).await.unwrap_err();
    assert!(matches!(error, WorkerError::Store(_)));
    bench.mend_queues();
    let reply = bench.worker.handle(event).await.expect("it is handled");
    assert_eq!(reply, Reply::Done);
    assert_eq!(bench.inputs().len(), 1);
}
