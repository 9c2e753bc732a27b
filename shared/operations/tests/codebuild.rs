//! Projects and builds, in a world of real adapters with a runner that does what it is told.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

#[path = "codebuild/bench.rs"]
mod bench;
#[path = "codebuild/pipelines.rs"]
mod pipelines;
#[path = "codebuild/rights.rs"]
mod rights;

use bench::{Bench, finished, not_found, settings};
use model::{
    build::{BuildKind, BuildState, BuildStatus},
    project::{Settings, SourceType},
};
use pipewright_operations::codebuild::{
    BatchGetBuilds, CodeBuildError, Overrides, RetryBuild, StartBuild, StopBuild, batch_get_builds,
    retry_build, start_build, stop_build,
};

fn status(build: &pipewright_operations::codebuild::Build) -> Option<BuildStatus> {
    build.record.end.as_ref().map(|end| end.report.status)
}

#[tokio::test]
async fn a_build_is_on_record_then_runs_and_is_closed_once() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let started = bench.start("web").await.unwrap();
    assert_eq!((status(&started), started.record.number), (None, 1));
    assert_eq!(started.phases[0].phase_type, "SUBMITTED");
    assert!(bench.runner.orders().is_empty(), "it is only on record");
    assert_eq!(bench.nudges(), 1);
    bench.settle().await.unwrap();
    bench.settle().await.unwrap();
    let orders = bench.runner.orders();
    assert_eq!(orders.len(), 1, "it was begun once");
    assert_eq!(orders[0].number, Some(1));
    assert_eq!(orders[0].timeout_seconds, 3_600);
    assert!(orders[0].inputs.is_empty() && orders[0].outputs.is_empty());
    let id = started.record.id.clone();
    bench.runner.set(&id, finished(BuildStatus::Succeeded));
    let seen = bench.look(&id).await;
    assert_eq!(
        status(&seen),
        Some(BuildStatus::Succeeded),
        "whoever asks sees the end before it is noted"
    );
    bench.settle().await.unwrap();
    assert!(bench.open().await.is_empty());
    bench.runner.set(&id, BuildState::Unknown);
    let kept = bench.look(&id).await;
    assert_eq!(status(&kept), Some(BuildStatus::Succeeded));
    assert_eq!(kept.record.end.unwrap().at.0, 7);
}

#[tokio::test]
async fn a_build_that_a_crash_took_along_begins_anew_as_what_it_was() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let id = bench.start("web").await.unwrap().record.id;
    bench.settle().await.unwrap();
    bench.runner.set(&id, BuildState::Unknown);
    bench.settle().await.unwrap();
    let orders = bench.runner.orders();
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[0], orders[1]);
}

#[tokio::test]
async fn a_token_starts_one_build_and_belongs_to_one_request() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let start = async |request: &str| {
        let request = StartBuild {
            token: Some(("t".to_owned(), request.to_owned())),
            ..Bench::request("web")
        };
        start_build(&bench.codebuild, request).await
    };
    let first = start("a").await.unwrap();
    let again = start("a").await.unwrap();
    assert_eq!(first.record.id, again.record.id);
    let other = start("b").await;
    assert!(matches!(other, Err(CodeBuildError::InvalidInput(_))));
    assert_eq!(bench.open().await.len(), 1);
}

#[tokio::test]
async fn what_cannot_begin_fails_in_the_phase_that_is_to_blame() {
    let bench = Bench::new();
    bench.runner.refuse();
    bench.project(settings("web")).await;
    let refused = bench.start("web").await.unwrap().record.id;
    let source = |kind, location: &str| Settings {
        source: model::project::Source {
            kind,
            location: Some(location.to_owned()),
            ..settings("x").source
        },
        ..settings("shop")
    };
    bench
        .project(source(SourceType::CodeCommit, "https://h/none"))
        .await;
    let lost = bench.start("shop").await.unwrap().record.id;
    let spec = Overrides {
        buildspec: Some("arn:aws:s3:::none/spec.yml".to_owned()),
        ..Overrides::default()
    };
    let request = StartBuild {
        overrides: spec,
        ..Bench::request("web")
    };
    let unread = start_build(&bench.codebuild, request).await.unwrap();
    bench.settle().await.unwrap();
    for (id, phase, code) in [
        (refused, "PROVISIONING", "CLIENT_ERROR"),
        (lost, "DOWNLOAD_SOURCE", "CLIENT_ERROR"),
        (unread.record.id, "DOWNLOAD_SOURCE", "YAML_FILE_ERROR"),
    ] {
        let build = bench.look(&id).await;
        assert_eq!(status(&build), Some(BuildStatus::Failed));
        let bad = &build.phases[1];
        assert_eq!(bad.phase_type, phase);
        assert_eq!(bad.status_code.as_deref(), Some(code));
    }
    assert!(bench.open().await.is_empty());
}

#[tokio::test]
async fn a_commit_is_packed_pinned_and_cleared_away() {
    let bench = Bench::new();
    let first = bench.commit("one");
    let mut project = settings("web");
    project.source.kind = SourceType::CodeCommit;
    project.source.location = Some("https://git.example/v1/repos/repo".to_owned());
    bench.project(project).await;
    let id = bench.start("web").await.unwrap().record.id;
    bench.settle().await.unwrap();
    let second = bench.commit("two");
    bench.runner.set(&id, BuildState::Unknown);
    bench.settle().await.unwrap();
    let orders = bench.runner.orders();
    assert_eq!(orders.len(), 2);
    for order in &orders {
        let input = &order.inputs[0];
        assert_eq!(input.artifact.revision.as_deref(), Some(&*first));
        assert_eq!(input.source_version.as_deref(), Some(&*first));
    }
    let place = orders[0].inputs[0].artifact.clone();
    assert!(bench.has(&place.bucket, &place.key).await);
    bench.runner.set(&id, finished(BuildStatus::Failed));
    bench.settle().await.unwrap();
    assert!(!bench.has(&place.bucket, &place.key).await);
    let retry = RetryBuild {
        id: format!("web:{id}"),
        token: None,
        by: Bench::owner(),
    };
    retry_build(&bench.codebuild, retry).await.unwrap();
    let request = StartBuild {
        overrides: Overrides {
            source_version: Some("main".to_owned()),
            ..Overrides::default()
        },
        ..Bench::request("web")
    };
    start_build(&bench.codebuild, request).await.unwrap();
    bench.settle().await.unwrap();
    let revisions: Vec<_> = bench.runner.orders()[2..]
        .iter()
        .map(|order| order.inputs[0].artifact.revision.clone().unwrap())
        .collect();
    assert_eq!(revisions, [first, second], "a retry builds the same commit");
}

#[tokio::test]
async fn objects_and_buildspecs_come_out_of_buckets() {
    let bench = Bench::new();
    bench.put("incoming", "spec.yml", "version: 0.2").await;
    let mut project = settings("web");
    project.source.kind = SourceType::S3;
    project.source.location = Some("incoming/src.zip".to_owned());
    project.source.buildspec = Some("arn:aws:s3:::incoming/spec.yml".to_owned());
    project.source_version = Some("v1".to_owned());
    bench.project(project).await;
    bench.start("web").await.unwrap();
    bench.settle().await.unwrap();
    let order = bench.runner.orders().remove(0);
    assert_eq!(order.inputs[0].artifact.key, "src.zip");
    assert_eq!(order.inputs[0].version.as_deref(), Some("v1"));
    let BuildKind::Project {
        buildspec_override, ..
    } = order.what
    else {
        panic!("it is a project's");
    };
    assert_eq!(buildspec_override.as_deref(), Some("version: 0.2\n"));
}

#[tokio::test]
async fn a_build_is_stopped_before_it_begins_while_it_runs_and_not_afterwards() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let stop = async |id: &str| {
        let request = StopBuild {
            id: format!("web:{id}"),
            by: Bench::owner(),
        };
        stop_build(&bench.codebuild, request).await.unwrap()
    };
    let early = bench.start("web").await.unwrap().record.id;
    assert_eq!(status(&stop(&early).await), None, "it is asked to");
    bench.settle().await.unwrap();
    let build = stop(&early).await;
    assert_eq!(status(&build), Some(BuildStatus::Stopped));
    assert!(bench.runner.orders().is_empty());
    let running = bench.start("web").await.unwrap().record.id;
    bench.settle().await.unwrap();
    stop(&running).await;
    bench.settle().await.unwrap();
    assert_eq!(bench.runner.stopped(), std::slice::from_ref(&running));
    assert_eq!(
        status(&bench.look(&running).await),
        Some(BuildStatus::Stopped)
    );
    let over = bench.start("web").await.unwrap().record.id;
    bench.runner.set(&over, finished(BuildStatus::Succeeded));
    bench.settle().await.unwrap();
    assert_eq!(status(&stop(&over).await), Some(BuildStatus::Succeeded));
}

#[tokio::test]
async fn a_build_that_waits_too_long_for_its_turn_has_timed_out() {
    let bench = Bench::new();
    let project = Settings {
        queued_timeout_in_minutes: Some(5),
        ..settings("web")
    };
    bench.project(project).await;
    let waiting = bench.start("web").await.unwrap().record.id;
    let building = bench.start("web").await.unwrap().record.id;
    bench.settle().await.unwrap();
    bench.runner.is_in(&waiting, "QUEUED");
    bench.runner.is_in(&building, "BUILD");
    bench.clock.advance(std::time::Duration::from_secs(299));
    bench.settle().await.unwrap();
    assert_eq!(bench.open().await.len(), 2);
    bench.clock.advance(std::time::Duration::from_secs(1));
    bench.settle().await.unwrap();
    let build = bench.look(&waiting).await;
    assert_eq!(status(&build), Some(BuildStatus::TimedOut));
    assert_eq!(bench.open().await, [building]);
}

#[tokio::test]
async fn a_report_that_does_not_fit_ends_the_build_all_the_same() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let id = bench.start("web").await.unwrap().record.id;
    let BuildState::Finished(mut report) = finished(BuildStatus::Succeeded) else {
        panic!("it is a report");
    };
    let large = ("A".to_owned(), "x".repeat(5 << 20));
    report.exported_variables.extend([large]);
    bench.runner.set(&id, BuildState::Finished(report));
    bench.settle().await.unwrap();
    let build = bench.look(&id).await;
    assert_eq!(status(&build), Some(BuildStatus::Fault));
}

#[tokio::test]
async fn a_runner_that_says_nothing_leaves_the_build_open() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let id = bench.start("web").await.unwrap().record.id;
    bench.runner.fail(true);
    assert!(bench.settle().await.is_err());
    assert_eq!(status(&bench.look(&id).await), None);
    bench.runner.fail(false);
    bench.settle().await.unwrap();
    assert_eq!(bench.runner.orders().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_told_and_no_build_is_found_under_another_project() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    assert!(not_found(&bench.start("shop").await));
    let id = bench.start("web").await.unwrap().record.id;
    let stop = StopBuild {
        id: format!("shop:{id}"),
        by: Bench::owner(),
    };
    assert!(not_found(&stop_build(&bench.codebuild, stop).await));
    let request = BatchGetBuilds {
        ids: vec![format!("shop:{id}"), "x".to_owned(), format!("web:{id}")],
        by: Bench::owner(),
    };
    let (found, missing) = batch_get_builds(&bench.codebuild, request).await.unwrap();
    assert_eq!((found.len(), missing.len()), (1, 2));
}
