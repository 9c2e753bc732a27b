//! Reports of builds whose agents made none.

use model::{
    Timestamp,
    build::{BuildReport, BuildStatus, Failure, Progress},
};

use super::{record::Record, task::Stopped};

/// How builds are kept apart, as their reports say it.
const ISOLATION: &str = "ecs";

/// What a container ends with whose program cannot be started.
const NOT_STARTED: [i32; 2] = [126, 127];

/// What `stoppedReason` begins with when the image is not to be had.
const NO_IMAGE: &str = "CannotPullContainerError";

pub(super) fn stopped(record: &Record, now: Timestamp) -> BuildReport {
    report(record, &Failure::stopped(), now)
}

pub(super) fn refused(record: &Record, why: &str, now: Timestamp) -> BuildReport {
    let message = why.to_owned();
    report(record, &fault("PROVISIONING", message), now)
}

/// ECS does not know the task any more, which it does for an hour after its end.
pub(super) fn forgotten(record: &Record, now: Timestamp) -> BuildReport {
    let message = "ECS does not know the build's task any more, and its agent never reported";
    report(record, &fault("FINALIZING", message.to_owned()), now)
}

/// The task stopped, and there is no report of its agent.
pub(super) fn stopped_by_itself(record: &Record, stopped: &Stopped, now: Timestamp) -> BuildReport {
    report(record, &failure(record.is_stopping, stopped), now)
}

fn failure(was_wanted: bool, stopped: &Stopped) -> Failure {
    let Stopped {
        code,
        reason,
        exit_code,
        container,
        ..
    } = stopped;
    if was_wanted {
        return Failure {
            phase: "FINALIZING",
            status: BuildStatus::Stopped,
            code: "",
            message: "The build was stopped".to_owned(),
        };
    }
    let is_unpulled = |text: &String| text.contains(NO_IMAGE);
    if let Some(why) = [reason, container].into_iter().find(|it| is_unpulled(it)) {
        return Failure {
            phase: "PROVISIONING",
            status: BuildStatus::Failed,
            code: "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
            message: format!("Unable to pull the image: {why}"),
        };
    }
    let mut told = vec![format!(
        "the task stopped and its agent made no report: {code}: {reason}"
    )];
    told.extend(exit_code.map(|code| format!("the container ended with {code}")));
    told.extend(Some(container.clone()).filter(|container| !container.is_empty()));
    if exit_code.is_some_and(|code| NOT_STARTED.contains(&code)) {
        let why = "an image needs a C library (glibc) as new as the agent's to run it";
        told.push(why.to_owned());
    }
    let phase = if code == "TaskFailedToStart" {
        "PROVISIONING"
    } else {
        "FINALIZING"
    };
    fault(phase, told.join("; "))
}

fn fault(phase: &'static str, message: String) -> Failure {
    Failure {
        phase,
        status: BuildStatus::Fault,
        code: "INTERNAL_SERVICE_ERROR",
        message,
    }
}

fn report(record: &Record, failure: &Failure, now: Timestamp) -> BuildReport {
    Progress::of(ISOLATION, &record.id, record.phases.clone()).fail(failure, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(was_wanted: bool, code: &str, reason: &str, exit_code: Option<i32>) -> String {
        let stopped = Stopped {
            code: code.to_owned(),
            reason: reason.to_owned(),
            exit_code,
            ..Stopped::default()
        };
        let told = failure(was_wanted, &stopped);
        format!("{} {} {}", told.phase, told.status.name(), told.message)
    }

    #[test]
    fn a_task_without_a_report_is_told_by_what_ecs_says_of_it() {
        let exited = told(false, "EssentialContainerExited", "it exited", Some(137));
        assert!(
            exited.starts_with("FINALIZING FAULT the task stopped"),
            "{exited}"
        );
        assert!(
            exited.ends_with("it exited; the container ended with 137"),
            "{exited}"
        );
        let old = told(false, "EssentialContainerExited", "it exited", Some(127));
        assert!(old.ends_with("to run it"), "{old}");
        let image = told(
            false,
            "TaskFailedToStart",
            "CannotPullContainerError: no",
            None,
        );
        assert!(
            image.starts_with("PROVISIONING FAILED Unable to pull"),
            "{image}"
        );
        let spot = told(false, "TaskFailedToStart", "no network", None);
        assert!(spot.starts_with("PROVISIONING FAULT"), "{spot}");
        let wanted = told(true, "UserInitiated", "x", Some(143));
        assert_eq!(wanted, "FINALIZING STOPPED The build was stopped");
    }
}
