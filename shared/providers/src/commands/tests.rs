use model::{ActionCategory, build::BuildState, build::BuildStatus, job::FailureType};

use crate::testing::{Bench, artifact, job, report};

use super::*;

fn action(settings: &[(&str, &str)]) -> Job {
    let mut job = job(ActionCategory::Compute, "Commands", settings);
    job.commands = vec!["make".to_owned(), "make test".to_owned()];
    job.inputs = vec![artifact("Source")];
    job
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.put("artifacts", "web/Source/1234567", b"zip").await;
    bench
}

#[tokio::test]
async fn commands_are_ordered_with_their_variables_and_the_documented_timeout() {
    let bench = bench().await;
    let mut job = action(&[("ComputeType", "BUILD_GENERAL1_LARGE")]);
    job.output_variables = vec!["VERSION".to_owned()];
    job.environment_variables = vec![EnvironmentVariable {
        name: "TOKEN".to_owned(),
        value: "api:token".to_owned(),
        kind: EnvironmentVariableType::SecretsManager,
    }];
    let progress = bench.start(&job).await;
    let Progress::Running { output, .. } = progress else {
        panic!("{progress:?}");
    };
    let id = format!("web:{}", job.action_execution_id);
    assert_eq!(output.external_execution_id, Some(id));
    let order = bench.builds.order();
    assert_eq!(order.timeout_seconds, 55 * 60);
    assert_eq!(
        order.environment_variables[0].kind,
        BuildVariableType::SecretsManager
    );
    let expected = BuildKind::Commands {
        commands: job.commands,
        output_variables: job.output_variables,
    };
    assert_eq!(order.what, expected);
}

#[tokio::test]
async fn commands_that_fail_fail_the_action() {
    let bench = bench().await;
    let failed = report(BuildStatus::Failed);
    bench.builds.say(BuildState::Finished(Box::new(failed)));
    let error = bench.fail(&action(&[])).await;
    assert_eq!(error.code, FailureType::JobFailed);
}

#[tokio::test]
async fn each_mistake_is_a_configuration_error_that_names_it() {
    let bench = bench().await;
    let change = |change: fn(&mut Job)| {
        let mut job = action(&[]);
        change(&mut job);
        job
    };
    for (job, message) in [
        (
            action(&[("EnvironmentType", "WINDOWS_SERVER_2022_CONTAINER")]),
            "`EnvironmentType` is not supported: commands run on Linux",
        ),
        (
            action(&[("EnvironmentType", "MACOS")]),
            "`EnvironmentType` must be one of LINUX_CONTAINER, WINDOWS_SERVER_2022_CONTAINER, not \
             `MACOS`",
        ),
        (
            action(&[("VpcId", "vpc-1")]),
            "`VpcId` is not supported: builds use the network of the machine that they run on",
        ),
        (
            change(|job| job.commands.clear()),
            "a Commands action has 1 to 50 commands, not 0",
        ),
        (
            change(|job| job.commands.push("a\nb".to_owned())),
            "command `a\\nb` has a line break",
        ),
        (
            change(|job| job.inputs.clear()),
            "a Commands action takes 1 to 10 input artifacts and up to one output artifact, not 0 \
             and 0",
        ),
        (
            change(|job| job.inputs.push(artifact("Gone"))),
            "input artifact `Gone` cannot be read: bucket `artifacts` has no object \
             `web/Gone/1234567`",
        ),
    ] {
        let error = bench.fail(&job).await;
        assert_eq!(error.code, FailureType::ConfigurationError);
        assert_eq!(error.message, message);
    }
}
