//! What CodeBuild and Commands have in common: an order to the build runner, and its report.

use std::{sync::Arc, time::Duration};

use model::{
    ActionOutput, Job,
    build::{BuildInput, BuildKind, BuildOrder, BuildPhase, BuildReport, BuildState, BuildStatus},
    job::{ActionResult, ErrorDetails, JobArtifact},
    project::BuildVariable,
};
use ports::{World, objects::ObjectError};

use crate::{Progress, failure};

/// How often a build is asked for, by how long it has run (spec 60 §0.1). The runner wakes the
/// worker when a build ends, so these are for when that is lost.
const INTERVALS: [(Duration, Duration); 2] = [
    (Duration::from_mins(1), Duration::from_secs(5)),
    (Duration::from_mins(10), Duration::from_secs(10)),
];
const INTERVAL_LATER: Duration = Duration::from_secs(30);

/// What differs between one action and another.
pub(crate) struct Plan {
    pub(crate) what: BuildKind,
    pub(crate) variables: Vec<BuildVariable>,
    /// The first one is the primary source.
    pub(crate) inputs: Vec<JobArtifact>,
    pub(crate) timeout_minutes: u32,
}

/// The name of a job's build at the runner, and of its log.
pub(crate) fn id(job: &Job) -> String {
    job.action_execution_id.to_string()
}

/// How far the job's build is; nothing when the runner does not know it.
pub(crate) async fn look(world: &World, job: &Job, project: &str) -> Option<Progress> {
    match world.builds.state(&id(job)).await {
        Ok(BuildState::Unknown) => None,
        Ok(BuildState::Running) => Some(running(world, job, project)),
        Ok(BuildState::Finished(report)) => {
            Some(Progress::Done(finished(world, job, project, *report).await))
        }
        Err(error) => Some(Progress::failed(failure::of_build(&error))),
    }
}

/// Starts the job's build. One that a crash took along starts anew.
pub(crate) async fn begin(world: &World, job: &Job, project: &str, plan: Plan) -> Progress {
    let inputs = plan.inputs.into_iter();
    let order = BuildOrder {
        id: id(job),
        initiator: format!("codepipeline/{}", job.key.pipeline),
        pipeline: job.key.pipeline.clone(),
        what: plan.what,
        inputs: inputs.map(BuildInput::from).collect(),
        outputs: job.outputs.clone(),
        environment_variables: plan.variables,
        timeout_seconds: u64::from(plan.timeout_minutes) * 60,
        number: None,
        overwrites: false,
    };
    match world.builds.start(order).await {
        Ok(()) => running(world, job, project),
        Err(error) => Progress::failed(failure::of_build(&error)),
    }
}

/// Ends the job's build with everything that it started.
pub(crate) async fn stop(world: &World, job: &Job) {
    // Nobody waits for the answer: a build that cannot be stopped ends with its own timeout.
    let _ = world.builds.stop(&id(job)).await;
}

fn running(world: &World, job: &Job, project: &str) -> Progress {
    let age = world.clock.now().since(job.started);
    let interval = INTERVALS.iter().find(|(until, _)| age < *until);
    Progress::Running {
        output: output(job, project),
        ask_again: interval.map_or(INTERVAL_LATER, |(_, interval)| *interval),
    }
}

fn output(job: &Job, project: &str) -> ActionOutput {
    ActionOutput {
        external_execution_id: Some(format!("{project}:{}", id(job))),
        log_stream: Some(id(job)),
        ..ActionOutput::default()
    }
}

async fn finished(world: &World, job: &Job, project: &str, report: BuildReport) -> ActionResult {
    let mut output = output(job, project);
    output.log_stream = Some(report.log_stream.clone()).filter(|stream| !stream.is_empty());
    let failed = match report.status {
        BuildStatus::Succeeded => check_outputs(world, job).await.err(),
        BuildStatus::Failed | BuildStatus::Fault | BuildStatus::TimedOut | BuildStatus::Stopped => {
            Some(ErrorDetails::job_failed(terminated(&report)))
        }
    };
    if let Some(error) = failed {
        return ActionResult::Failed { error, output };
    }
    output.summary = Some(format!("Build succeeded{}", tests(&report)));
    output.variables = Arc::new(report.exported_variables);
    ActionResult::Succeeded(output)
}

/// ` · 3 tests, 1 failed` of all reports together. A test that failed fails no build by itself, and
/// must not go unseen.
fn tests(report: &BuildReport) -> String {
    let total: u64 = report.test_reports.iter().map(|report| report.total).sum();
    let failed: u64 = report
        .test_reports
        .iter()
        .map(|r| r.failed + r.errors)
        .sum();
    match (total, failed) {
        (0, _) => String::new(),
        (_, 0) => format!(" · {total} tests"),
        _ => format!(" · {total} tests, {failed} failed"),
    }
}

/// A build that says it succeeded has stored what the action declares.
async fn check_outputs(world: &World, job: &Job) -> Result<(), ErrorDetails> {
    for artifact in &job.outputs {
        let head = world.objects.head(&artifact.bucket, &artifact.key, None);
        match head.await {
            Ok(_) => {}
            Err(ObjectError::NoSuchKey { .. }) => {
                return Err(ErrorDetails::job_failed(format!(
                    "the build did not produce output artifact `{}`",
                    artifact.name
                )));
            }
            Err(error) => return Err(failure::of_output(&artifact.name, &error)),
        }
    }
    Ok(())
}

/// `Build terminated with state: FAILED. Phase: BUILD, Code: …, Message: …` (spec 60 §2.1).
fn terminated(report: &BuildReport) -> String {
    let state = report.status.name();
    let is_bad = |phase: &&BuildPhase| {
        ["FAILED", "FAULT", "TIMED_OUT", "STOPPED"].contains(&phase.phase_status.as_str())
    };
    let Some(phase) = report.phases.iter().find(is_bad) else {
        return format!("Build terminated with state: {state}");
    };
    let kind = &phase.phase_type;
    let code = phase.status_code.as_deref().unwrap_or_default();
    let message = phase.message.as_deref().unwrap_or_default();
    format!("Build terminated with state: {state}. Phase: {kind}, Code: {code}, Message: {message}")
}
