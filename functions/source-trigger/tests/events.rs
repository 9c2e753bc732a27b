//! Every sample event through `handle`, and what a poll starts.

#[path = "events/bench.rs"]
mod bench;
#[cfg(feature = "lambda")]
#[path = "events/lambda.rs"]
mod lambda;

use std::{collections::BTreeMap, fs, path::Path};

use bench::{Bench, names};
use model::state::{RevisionType, SourceRevisionOverride, Trigger, TriggerType};
use operations::{Caller, StartPipelineExecution, start_pipeline_execution};
use source_trigger::{Event, TriggerError};

const TOLD: &str =
    r#"{"S3Bucket": "incoming", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"}"#;
const LOOKING: &str = r#"{"S3Bucket": "incoming", "S3ObjectKey": "app.zip"}"#;
const ELSEWHERE: &str =
    r#"{"S3Bucket": "incoming", "S3ObjectKey": "other.zip", "PollForSourceChanges": "false"}"#;
const BRANCH: &str =
    r#"{"RepositoryName": "web-shop", "BranchName": "main", "PollForSourceChanges": "false"}"#;
const OTHER_BRANCH: &str =
    r#"{"RepositoryName": "web-shop", "BranchName": "dev", "PollForSourceChanges": "false"}"#;

fn samples() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/source-trigger");
    let files = fs::read_dir(folder).expect("there are samples");
    let files = files.map(|file| file.expect("it can be read").path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let json = fs::read_to_string(&path).expect("it can be read");
        (name.into_owned(), json)
    };
    files.map(read).collect()
}

fn sample(name: &str) -> Event {
    Event::EventBridge(samples()[name].clone())
}

#[tokio::test]
async fn each_event_starts_the_pipelines_that_watch_its_place_and_no_other() {
    let mut shown = BTreeMap::new();
    // What the schedule sends is no event.
    for (name, json) in samples().into_iter().filter(|(name, _)| name != "poll") {
        let bench = Bench::new().await;
        bench.pipeline("object", "V2", &[("S3", TOLD)]).await;
        bench.pipeline("polls", "V2", &[("S3", LOOKING)]).await;
        bench
            .pipeline("other-object", "V2", &[("S3", ELSEWHERE)])
            .await;
        bench
            .pipeline("branch", "V2", &[("CodeCommit", BRANCH)])
            .await;
        bench
            .pipeline("other-branch", "V2", &[("CodeCommit", OTHER_BRANCH)])
            .await;
        let both = [("CodeCommit", BRANCH), ("S3", TOLD)];
        bench.pipeline("both", "V1", &both).await;
        let started = bench.handle(Event::EventBridge(json)).await;
        shown.insert(name, names(started.expect("it is handled")));
    }
    let none: [&str; 0] = [];
    let expected = [
        ("codecommit-branch-deleted", &none[..]),
        ("codecommit-branch-updated", &["both", "branch"]),
        ("codecommit-tag-created", &none),
        ("ecr-image-pushed", &none),
        ("ecs-task-stopped", &none),
        ("s3-object-created", &["both", "object"]),
        ("s3-object-deleted", &none),
        ("s3-put-via-cloudtrail", &["both", "object"]),
        ("schedule", &none),
    ];
    assert_eq!(shown.len(), expected.len());
    for (name, pipelines) in expected {
        assert_eq!(shown[name], pipelines, "{name}");
    }
}

#[tokio::test]
async fn an_event_starts_an_execution_that_says_why_and_is_pinned() {
    let bench = Bench::new().await;
    bench.pipeline("new", "V2", &[("S3", TOLD)]).await;
    bench.pipeline("old", "V1", &[("S3", TOLD)]).await;
    let started = bench.handle(sample("s3-object-created")).await;
    assert_eq!(names(started.expect("it is handled")), ["new", "old"]);

    let execution = bench.executions("new").await.remove(0);
    let trigger = Trigger {
        kind: TriggerType::CloudWatchEvent,
        detail: "arn:aws:events:us-east-1:111122223333:rule/new".to_owned(),
    };
    assert_eq!(execution.trigger, trigger);
    let pinned = SourceRevisionOverride {
        action_name: "Source0".to_owned(),
        revision_type: RevisionType::S3ObjectVersionId,
        revision_value: "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".to_owned(),
    };
    assert_eq!(execution.overrides, [pinned]);
    // A V1 pipeline has no way to say which revision; it takes the newest.
    assert_eq!(bench.executions("old").await[0].overrides, []);
}

#[tokio::test]
async fn a_push_is_pinned_to_its_commit() {
    let bench = Bench::new().await;
    bench.pipeline("web", "V2", &[("CodeCommit", BRANCH)]).await;
    let started = bench.handle(sample("codecommit-branch-updated")).await;
    assert_eq!(started.expect("it is handled").len(), 1);
    let pinned = &bench.executions("web").await[0].overrides[0];
    assert_eq!(pinned.revision_type, RevisionType::CommitId);
    assert_eq!(pinned.revision_value, "3e5983EXAMPLE");
}

#[tokio::test]
async fn a_repeated_event_starts_nothing_more() {
    let bench = Bench::new().await;
    bench.pipeline("web", "V2", &[("S3", TOLD)]).await;
    for expected in [1, 0, 0] {
        let started = bench.handle(sample("s3-object-created")).await;
        assert_eq!(started.expect("it is handled").len(), expected);
    }
    assert_eq!(bench.executions("web").await.len(), 1);
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_started_does_not_keep_the_others_waiting() {
    let bench = Bench::new().await;
    bench.pipeline("broken", "V2", &[("S3", TOLD)]).await;
    bench.pipeline("web", "V2", &[("S3", TOLD)]).await;
    for _ in 0..2 {
        let error = bench.handle(sample("s3-object-created")).await;
        let error = error.expect_err("one of them failed");
        assert_eq!(error.to_string(), "failed to start pipeline `broken`");
    }
    assert_eq!(bench.executions("web").await.len(), 1);
}

#[tokio::test]
async fn what_is_no_event_is_an_error() {
    let bench = Bench::new().await;
    for json in [
        "",
        "[]",
        r#"{"id": "1"}"#,
        r#"{"id": "1", "source": "aws.s3", "detail-type": "Object Created", "detail": {}}"#,
    ] {
        let error = bench.handle(Event::EventBridge(json.to_owned())).await;
        assert!(matches!(error, Err(TriggerError::Event(_))), "{json}");
    }
}

#[tokio::test]
async fn a_poll_starts_a_pipeline_when_its_source_has_changed() {
    let bench = Bench::new().await;
    bench.pipeline("web", "V2", &[("S3", LOOKING)]).await;
    bench.pipeline("told", "V2", &[("S3", TOLD)]).await;
    let one = bench.put("app.zip", "one").await;
    assert_eq!(bench.poll().await, [""; 0], "whoever creates it starts it");

    start_by_hand(&bench, Vec::new()).await;
    assert_eq!(bench.poll().await, [""; 0], "it is about to look itself");
    bench.finish(&[("Source0", &one)]).await;
    assert_eq!(bench.poll().await, [""; 0], "nothing has changed");

    let two = bench.put("app.zip", "two").await;
    assert_eq!(bench.poll().await, ["web"]);
    assert_eq!(bench.poll().await, [""; 0], "it is about to look itself");
    let execution = bench.executions("web").await.remove(0);
    assert_eq!(execution.trigger.kind, TriggerType::PollForSourceChanges);
    assert_eq!(execution.trigger.detail, "Source0");
    assert_eq!(execution.overrides[0].revision_value, two);
    bench.finish(&[("Source0", &two)]).await;
    assert_eq!(bench.poll().await, [""; 0]);
    assert_eq!(bench.executions("told").await.len(), 0);
}

#[tokio::test]
async fn a_source_that_fails_is_not_started_again_and_again() {
    let bench = Bench::new().await;
    bench.pipeline("web", "V2", &[("S3", LOOKING)]).await;
    start_by_hand(&bench, Vec::new()).await;
    bench.finish(&[]).await;
    assert_eq!(
        bench.poll().await,
        [""; 0],
        "an absent source starts nothing"
    );
    bench.put("app.zip", "one").await;
    assert_eq!(bench.poll().await, ["web"]);
    bench.finish(&[]).await;
    assert_eq!(bench.poll().await, [""; 0], "this revision had its turn");
    bench.put("app.zip", "two").await;
    assert_eq!(bench.poll().await, ["web"]);
}

#[tokio::test]
async fn an_old_revision_that_was_started_by_hand_is_not_what_was_seen_last() {
    let bench = Bench::new().await;
    bench.pipeline("web", "V2", &[("S3", LOOKING)]).await;
    let old = bench.put("app.zip", "old").await;
    let new = bench.put("app.zip", "new").await;
    start_by_hand(&bench, Vec::new()).await;
    bench.finish(&[("Source0", &new)]).await;
    let pinned = SourceRevisionOverride {
        action_name: "Source0".to_owned(),
        revision_type: RevisionType::S3ObjectVersionId,
        revision_value: old.clone(),
    };
    start_by_hand(&bench, vec![pinned]).await;
    bench.finish(&[("Source0", &old)]).await;
    assert_eq!(bench.poll().await, [""; 0]);
}

#[tokio::test]
async fn two_sources_that_changed_start_one_execution() {
    let bench = Bench::new().await;
    let other = r#"{"S3Bucket": "incoming", "S3ObjectKey": "other.zip"}"#;
    let sources = [("S3", LOOKING), ("S3", other)];
    bench.pipeline("web", "V2", &sources).await;
    start_by_hand(&bench, Vec::new()).await;
    bench
        .finish(&[("Source0", "before"), ("Source1", "before")])
        .await;
    bench.put("app.zip", "one").await;
    bench.put("other.zip", "one").await;
    assert_eq!(bench.poll().await, ["web"]);
    let executions = bench.executions("web").await;
    assert_eq!((executions.len(), executions[0].overrides.len()), (2, 2));
}

#[tokio::test]
async fn a_repository_that_is_not_there_starts_nothing() {
    let bench = Bench::new().await;
    let looking = r#"{"RepositoryName": "web-shop", "BranchName": "main"}"#;
    bench
        .pipeline("web", "V2", &[("CodeCommit", looking)])
        .await;
    start_by_hand(&bench, Vec::new()).await;
    bench.finish(&[("Source0", "before")]).await;
    assert_eq!(bench.poll().await, [""; 0]);
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_read_does_not_keep_the_others_waiting() {
    let pipelines = ["alpha", "damaged", "web"];
    let bench = Bench::with_one_damaged(&pipelines, "damaged", TOLD).await;
    let error = bench.handle(sample("s3-object-created")).await.unwrap_err();
    assert!(matches!(error, TriggerError::Store(_)), "{error}");
    for name in ["alpha", "web"] {
        assert_eq!(bench.executions(name).await.len(), 1, "{name}");
    }
    let error = bench.handle(Event::Poll).await.unwrap_err();
    assert!(matches!(error, TriggerError::Store(_)), "{error}");
}

async fn start_by_hand(bench: &Bench, source_revisions: Vec<SourceRevisionOverride>) {
    let request = StartPipelineExecution {
        pipeline: "web".to_owned(),
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: "somebody".to_owned(),
        },
        variables: BTreeMap::new(),
        source_revisions,
        client_request_token: None,
        by: Caller::owner("somebody"),
    };
    let started = start_pipeline_execution(&bench.world, request).await;
    started.expect("it starts");
}
