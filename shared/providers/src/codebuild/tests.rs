use std::{collections::BTreeMap, time::Duration};

use model::{
    ActionCategory, Timestamp,
    build::{BuildPhase, BuildState, BuildStatus},
    job::{ActionResult, FailureType},
    project::BuildVariableType,
};
use ports::builds::BuildError;

use crate::testing::{Bench, STARTED, artifact, job, provider, report};

use super::*;

fn action(more: &[(&str, &str)]) -> Job {
    let mut settings = vec![("ProjectName", "unit-tests")];
    settings.extend(more);
    let mut job = job(ActionCategory::Build, "CodeBuild", &settings);
    job.inputs = vec![artifact("Source")];
    job
}

fn with_inputs(mut job: Job, names: &[&str]) -> Job {
    job.inputs = names.iter().map(|name| artifact(name)).collect();
    job
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let project: Project =
        serde_json::from_str(r#"{"name": "unit-tests", "timeoutInMinutes": 20}"#).unwrap();
    bench.world.projects.put_project(&project).await.unwrap();
    bench
}

fn interval(progress: &Progress) -> Duration {
    match progress {
        Progress::Running { ask_again, .. } => *ask_again,
        Progress::Done(_) => panic!("{progress:?}"),
    }
}

#[tokio::test]
async fn a_build_is_ordered_once_and_followed() {
    let bench = bench().await;
    let job = action(&[(
        "EnvironmentVariables",
        r#"[{"name":"A","value":"1"},{"name":"B","value":"db:password","type":"SECRETS_MANAGER"}]"#,
    )]);
    let id = job.action_execution_id.to_string();
    let progress = bench.start(&job).await;
    let Progress::Running { output, .. } = &progress else {
        panic!("{progress:?}");
    };
    assert_eq!(
        output.external_execution_id,
        Some(format!("unit-tests:{id}"))
    );
    assert_eq!(output.log_stream.as_ref(), Some(&id));

    assert_eq!(bench.start(&job).await, progress);
    assert_eq!(bench.poll(&job).await, progress);
    let order = bench.builds.order();
    assert_eq!(order.id, id);
    assert_eq!(order.initiator, "codepipeline/web");
    assert_eq!(order.timeout_seconds, 20 * 60);
    let kinds: Vec<_> = order.environment_variables.iter().map(|v| v.kind).collect();
    assert_eq!(
        kinds,
        [
            BuildVariableType::Plaintext,
            BuildVariableType::SecretsManager
        ]
    );
}

#[tokio::test]
async fn the_longer_a_build_runs_the_less_often_it_is_asked_for() {
    let bench = bench().await;
    let mut intervals = Vec::new();
    for minutes in [0, 1, 9, 10] {
        bench.clock.set(STARTED.plus_minutes(minutes));
        intervals.push(interval(&bench.start(&action(&[])).await).as_secs());
    }
    assert_eq!(intervals, [5, 10, 10, 30]);
}

#[tokio::test]
async fn a_build_that_a_crash_took_along_starts_anew() {
    let bench = bench().await;
    bench.start(&action(&[])).await;
    bench.builds.say(BuildState::Unknown);
    interval(&bench.poll(&action(&[])).await);
    assert_eq!(bench.builds.orders.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn exported_variables_become_output_variables() {
    let bench = bench().await;
    let mut done = report(BuildStatus::Succeeded);
    done.exported_variables = BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]);
    bench.builds.say(BuildState::Finished(Box::new(done)));
    let output = bench.succeed(&action(&[])).await;
    assert_eq!(output.summary.as_deref(), Some("Build succeeded"));
    assert_eq!(output.log_stream.as_deref(), Some("the-log"));
    assert_eq!(output.variables["VERSION"], "1.2");
}

#[tokio::test]
async fn a_build_that_stored_less_than_it_declared_has_not_succeeded() {
    let bench = bench().await;
    let mut job = action(&[]);
    job.outputs = vec![artifact("Site"), artifact("Docs")];
    bench.put("artifacts", "web/Site/1234567", b"zip").await;
    let done = report(BuildStatus::Succeeded);
    bench.builds.say(BuildState::Finished(Box::new(done)));
    let error = bench.fail(&job).await;
    assert_eq!(error.code, FailureType::JobFailed);
    assert_eq!(
        error.message,
        "the build did not produce output artifact `Docs`"
    );
    bench.put("artifacts", "web/Docs/1234567", b"zip").await;
    bench.succeed(&job).await;
}

#[tokio::test]
async fn a_failed_build_says_which_phase_failed_and_why() {
    let bench = bench().await;
    let phase = |kind: &str, status: &str, code: &str, message: &str| BuildPhase {
        phase_type: kind.to_owned(),
        phase_status: status.to_owned(),
        started: Timestamp(0),
        ended: None,
        status_code: Some(code.to_owned()),
        message: Some(message.to_owned()),
    };
    let mut failed = report(BuildStatus::Failed);
    let message = "Error while executing command: cargo test. Reason: exit status 101";
    failed.phases = vec![
        phase("INSTALL", "SUCCEEDED", "", ""),
        phase("BUILD", "FAILED", "COMMAND_EXECUTION_ERROR", message),
        phase(
            "UPLOAD_ARTIFACTS",
            "FAILED",
            "CLIENT_ERROR",
            "no matching artifact paths found",
        ),
    ];
    bench.builds.say(BuildState::Finished(Box::new(failed)));
    let Progress::Done(ActionResult::Failed { error, output }) = bench.poll(&action(&[])).await
    else {
        panic!("it failed");
    };
    assert_eq!(error.code, FailureType::JobFailed);
    assert_eq!(
        error.message,
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, \
         Message: Error while executing command: cargo test. Reason: exit status 101"
    );
    assert_eq!(output.log_stream.as_deref(), Some("the-log"));
}

#[tokio::test]
async fn every_end_but_success_is_a_failure() {
    let bench = bench().await;
    for (status, name) in [
        (BuildStatus::Failed, "FAILED"),
        (BuildStatus::Fault, "FAULT"),
        (BuildStatus::TimedOut, "TIMED_OUT"),
        (BuildStatus::Stopped, "STOPPED"),
    ] {
        bench
            .builds
            .say(BuildState::Finished(Box::new(report(status))));
        let error = bench.fail(&action(&[])).await;
        assert_eq!(
            error.message,
            format!("Build terminated with state: {name}")
        );
    }
}

#[tokio::test]
async fn the_primary_source_comes_first_and_the_others_keep_their_order() {
    let bench = bench().await;
    let job = with_inputs(action(&[("PrimarySource", "C")]), &["A", "B", "C", "D"]);
    bench.start(&job).await;
    let inputs = bench.builds.order().inputs;
    let names: Vec<_> = inputs.iter().map(|i| i.artifact.name.as_str()).collect();
    assert_eq!(names, ["C", "A", "B", "D"]);
}

#[tokio::test]
async fn a_project_may_be_named_by_its_arn() {
    let bench = bench().await;
    let arn = "arn:aws:codebuild:us-east-1:000000000000:project/unit-tests";
    interval(&bench.start(&action(&[("ProjectName", arn)])).await);
}

#[tokio::test]
async fn a_buildspec_may_come_inline_by_path_or_out_of_a_bucket() {
    for (given, ordered) in [
        ("version: 0.2\n", "version: 0.2\n"),
        ("ci/test.yml", "ci/test.yml"),
        ("arn:aws:s3:::bucket/ci/spec.yml", "version: 0.2\n"),
    ] {
        let bench = bench().await;
        bench.put("bucket", "ci/spec.yml", b"version: 0.2").await;
        bench.start(&action(&[("BuildspecOverride", given)])).await;
        assert_eq!(buildspec(&bench).as_deref(), Some(ordered));
    }
}

#[tokio::test]
async fn a_projects_own_buildspec_may_lie_in_a_bucket_too() {
    for (job, ordered) in [
        (action(&[]), "version: 0.2\n"),
        (
            action(&[("BuildspecOverride", "ci/test.yml")]),
            "ci/test.yml",
        ),
    ] {
        let bench = bench().await;
        bench.put("bucket", "ci/spec.yml", b"version: 0.2").await;
        let project = project_with("arn:aws:s3:::bucket/ci/spec.yml");
        bench.world.projects.put_project(&project).await.unwrap();
        bench.start(&job).await;
        assert_eq!(buildspec(&bench).as_deref(), Some(ordered));
    }
    let bench = bench().await;
    let gone = project_with("arn:aws:s3:::bucket/gone");
    bench.world.projects.put_project(&gone).await.unwrap();
    let error = bench.fail(&action(&[])).await;
    assert!(
        error.message.contains("`source.buildspec`"),
        "{}",
        error.message
    );
}

/// The buildspec of the build that was ordered.
fn buildspec(bench: &Bench) -> Option<String> {
    match bench.builds.order().what {
        BuildKind::Project {
            buildspec_override, ..
        } => buildspec_override,
        BuildKind::Commands { .. } => panic!("a project's build was ordered"),
    }
}

fn project_with(buildspec: &str) -> Project {
    let json = serde_json::json!({"name": "unit-tests", "source": {"buildspec": buildspec}});
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn a_cancelled_build_is_stopped() {
    let bench = bench().await;
    let job = action(&[]);
    bench.start(&job).await;
    provider(&job).stop(&bench.world, &job).await;
    let id = job.action_execution_id.to_string();
    assert_eq!(*bench.builds.stopped.lock().unwrap(), [id]);
}

#[tokio::test]
async fn each_mistake_is_a_configuration_error_that_names_it() {
    let bench = bench().await;
    bench.put("bucket", "binary", &[0xff, 0xfe]).await;
    for (job, message) in [
        (
            action(&[("ProjectName", "other")]),
            "Error calling startBuild: no CodeBuild project has the name `other`",
        ),
        (
            action(&[("BatchEnabled", "true")]),
            "`BatchEnabled` is not supported: batch builds are not supported",
        ),
        (
            action(&[("CombineArtifacts", "true")]),
            "`CombineArtifacts` is not supported: batch builds are not supported",
        ),
        (
            with_inputs(action(&[]), &["A", "B"]),
            "`PrimarySource` must name one of the input artifacts when there are more than one",
        ),
        (
            action(&[("PrimarySource", "Other")]),
            "`PrimarySource` names `Other`, which is no input artifact of the action",
        ),
        (
            with_inputs(action(&[]), &[]),
            "a CodeBuild action takes 1 to 5 input and up to 5 output artifacts, not 0 and 0",
        ),
        (
            action(&[("EnvironmentVariables", r#"[{"name":"A=B","value":""}]"#)]),
            "`EnvironmentVariables` has a variable with the name `A=B`",
        ),
        (
            action(&[("BuildspecOverride", "arn:aws:sqs:::x")]),
            "`BuildspecOverride` names `arn:aws:sqs:::x`, which is not the ARN of an object in a \
             bucket",
        ),
        (
            action(&[("BuildspecOverride", "arn:aws:s3:::bucket/binary")]),
            "`BuildspecOverride` names `arn:aws:s3:::bucket/binary`, which is not UTF-8 text",
        ),
        (
            action(&[("BuildspecOverride", "arn:aws:s3:::bucket/gone")]),
            "input artifact `BuildspecOverride` cannot be read: bucket `bucket` has no object \
             `gone`",
        ),
    ] {
        let error = bench.fail(&job).await;
        assert_eq!(error.code, FailureType::ConfigurationError);
        assert_eq!(error.message, message);
    }
    let bad = action(&[("EnvironmentVariables", "{}")]);
    let error = bench.fail(&bad).await;
    assert!(
        error
            .message
            .starts_with("`EnvironmentVariables` must be a JSON array")
    );
}

#[tokio::test]
async fn what_the_runner_refuses_fails_the_action() {
    let bench = bench().await;
    let refusal = BuildError::Refused("no container engine is there".to_owned());
    *bench.builds.refusal.lock().unwrap() = Some(refusal);
    let error = bench.fail(&action(&[])).await;
    assert_eq!(error.code, FailureType::ConfigurationError);
    assert_eq!(
        error.message,
        "Error calling startBuild: no container engine is there"
    );
}
