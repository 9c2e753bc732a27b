//! Builds that pipelines order are on record as well.

use std::sync::Arc;

use model::{
    build::{BuildKind, BuildOrder, BuildState, BuildStatus},
    job::JobArtifact,
};
use pipewright_operations::codebuild::{
    CodeBuildError, RecordedBuilds, RetryBuild, StopBuild, retry_build, stop_build,
};
use ports::{BuildRunner, builds::BuildError};

use crate::bench::{Bench, finished, settings};

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn recorded(bench: &Bench) -> RecordedBuilds {
    RecordedBuilds {
        runner: bench.runner.clone(),
        records: bench.store.clone(),
        clock: Arc::new(bench.clock.clone()),
    }
}

fn order(what: BuildKind) -> BuildOrder {
    let artifact = |name: &str| JobArtifact {
        name: name.to_owned(),
        bucket: "artifacts".to_owned(),
        key: format!("web/{name}/x"),
        revision: Some("c0ffee".to_owned()),
        files: Vec::new(),
    };
    BuildOrder {
        id: ID.to_owned(),
        initiator: "codepipeline/web".to_owned(),
        pipeline: "web".to_owned(),
        what,
        inputs: vec![artifact("In").into()],
        outputs: vec![artifact("Out")],
        environment_variables: Vec::new(),
        timeout_seconds: 60,
        number: None,
        overwrites: false,
    }
}

fn of_project() -> BuildOrder {
    order(BuildKind::Project {
        project: Box::new(settings("tests").project()),
        buildspec_override: Some("other.yml".to_owned()),
    })
}

#[tokio::test]
async fn an_actions_build_is_on_record_numbered_and_closed() {
    let bench = Bench::new();
    let builds = recorded(&bench);
    builds.start(of_project()).await.unwrap();
    assert_eq!(bench.runner.orders()[0].number, Some(1));
    let seen = bench.look(ID).await.record;
    assert_eq!(seen.initiator, "codepipeline/web");
    assert_eq!(seen.settings.source.buildspec.as_deref(), Some("other.yml"));
    assert_eq!(seen.resolved_source_version.as_deref(), Some("c0ffee"));
    assert_eq!(seen.outputs[0].name, "Out");
    bench.settle().await.unwrap();
    assert_eq!(bench.runner.orders().len(), 1, "its action begins it");
    bench.runner.set(ID, BuildState::Unknown);
    builds.start(of_project()).await.unwrap();
    assert_eq!(bench.runner.orders()[1].number, Some(1), "it is the same");
    bench.runner.set(ID, finished(BuildStatus::Succeeded));
    assert!(matches!(
        builds.state(ID).await.unwrap(),
        BuildState::Finished(_)
    ));
    bench.settle().await.unwrap();
    assert!(bench.open().await.is_empty());
    let retry = RetryBuild {
        id: format!("tests:{ID}"),
        token: None,
        by: Bench::owner(),
    };
    let refused = retry_build(&bench.codebuild, retry).await;
    assert!(matches!(refused, Err(CodeBuildError::InvalidInput(_))));
}

#[tokio::test]
async fn a_build_that_no_pipeline_waits_for_any_more_is_closed() {
    let bench = Bench::new();
    recorded(&bench).start(of_project()).await.unwrap();
    bench.runner.set(ID, BuildState::Unknown);
    bench.settle().await.unwrap();
    let end = bench.look(ID).await.record.end.unwrap();
    assert_eq!(end.report.status, BuildStatus::Fault);
}

#[tokio::test]
async fn a_build_that_cannot_begin_is_closed_and_its_action_hears_why() {
    let bench = Bench::new();
    bench.runner.refuse();
    let refused = recorded(&bench).start(of_project()).await;
    assert!(matches!(refused, Err(BuildError::Refused(_))));
    let end = bench.look(ID).await.record.end.unwrap();
    assert_eq!(end.report.status, BuildStatus::Failed);
}

#[tokio::test]
async fn a_build_that_was_to_end_does_not_begin_again() {
    let bench = Bench::new();
    let builds = recorded(&bench);
    builds.start(of_project()).await.unwrap();
    let stop = StopBuild {
        id: format!("tests:{ID}"),
        by: Bench::owner(),
    };
    stop_build(&bench.codebuild, stop).await.unwrap();
    bench.runner.set(ID, BuildState::Unknown);
    let refused = builds.start(of_project()).await;
    assert!(matches!(refused, Err(BuildError::Refused(_))));
    let end = bench.look(ID).await.record.end.unwrap();
    assert_eq!(end.report.status, BuildStatus::Stopped);
    assert_eq!(bench.runner.orders().len(), 1);
}

#[tokio::test]
async fn commands_are_no_projects() {
    let bench = Bench::new();
    let what = BuildKind::Commands {
        commands: vec!["true".to_owned()],
        output_variables: Vec::new(),
    };
    let builds = recorded(&bench);
    builds.start(order(what)).await.unwrap();
    assert_eq!(bench.runner.orders()[0].number, None);
    assert!(bench.open().await.is_empty());
    bench.runner.is_in(ID, "BUILD");
    assert_eq!(builds.phases(ID).await.unwrap().len(), 1);
    builds.stop(ID).await.unwrap();
    assert_eq!(bench.runner.stopped(), [ID]);
}
