//! How a build ended, as its runner tells it: what happened before and after the agent's part.

use std::{collections::BTreeMap, error::Error, fmt::Write};

use super::{BuildPhase, BuildReport, BuildStatus};
use crate::Timestamp;

/// The deepest chain of causes that a message tells.
const CAUSES: usize = 8;

/// Why a build could not run, or could not be brought to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub phase: &'static str,
    pub status: BuildStatus,
    pub code: &'static str,
    pub message: String,
}

impl Failure {
    /// An input is not what it should be.
    pub fn source(status: BuildStatus, message: String) -> Self {
        Self {
            phase: "DOWNLOAD_SOURCE",
            status,
            code: "CLIENT_ERROR",
            message,
        }
    }

    /// This machine failed before the build began.
    pub fn system(doing: &str, error: &dyn Error) -> Self {
        Self {
            phase: "PROVISIONING",
            status: BuildStatus::Fault,
            code: "INTERNAL_SERVICE_ERROR",
            message: format!("failed to {doing}: {}", with_causes(error)),
        }
    }

    /// The engine cannot get the image (spec 70 §3).
    pub fn image(image: &str, said: &str) -> Self {
        Self {
            phase: "PROVISIONING",
            status: BuildStatus::Failed,
            code: "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
            message: format!("Unable to pull image {image}: {said}"),
        }
    }

    /// An output could not be stored.
    pub fn upload(status: BuildStatus, message: String) -> Self {
        Self {
            phase: "UPLOAD_ARTIFACTS",
            status,
            code: "CLIENT_ERROR",
            message,
        }
    }

    pub fn stopped() -> Self {
        Self {
            phase: "QUEUED",
            status: BuildStatus::Stopped,
            code: "",
            message: "The build was stopped before it began".to_owned(),
        }
    }
}

/// A message with what caused it.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES {
        let Some(next) = cause else { break };
        // Writing to a string cannot fail.
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}

/// The runner's own part of a report: the phases up to the agent's first (spec 70 §3).
#[derive(Clone, Debug)]
pub struct Progress {
    phases: Vec<BuildPhase>,
    isolation: String,
    log_stream: String,
}

impl Progress {
    pub fn new(isolation: &str, log_stream: &str, now: Timestamp) -> Self {
        let mut progress = Self {
            phases: Vec::new(),
            isolation: isolation.to_owned(),
            log_stream: log_stream.to_owned(),
        };
        progress.enter("SUBMITTED", now);
        progress.enter("QUEUED", now);
        progress
    }

    /// The same part, with phases that were recorded earlier.
    pub fn of(isolation: &str, log_stream: &str, phases: Vec<BuildPhase>) -> Self {
        Self {
            phases,
            isolation: isolation.to_owned(),
            log_stream: log_stream.to_owned(),
        }
    }

    /// The phases so far.
    pub fn phases(&self) -> &[BuildPhase] {
        &self.phases
    }

    /// Ends the phase that lasts, as a success, and begins the next one.
    pub fn enter(&mut self, phase: &str, now: Timestamp) {
        self.leave(now);
        self.phases.push(BuildPhase {
            phase_type: phase.to_owned(),
            phase_status: "SUCCEEDED".to_owned(),
            started: now,
            ended: None,
            status_code: None,
            message: None,
        });
    }

    fn leave(&mut self, now: Timestamp) {
        if let Some(last) = self.phases.last_mut() {
            last.ended.get_or_insert(now);
        }
    }

    /// The agent's report with what came before it.
    pub fn complete(&self, mut report: BuildReport, now: Timestamp) -> BuildReport {
        let mut before = self.clone();
        // What came before it ended when the agent began.
        let begun = report.phases.first().map(|phase| phase.started);
        before.leave(begun.unwrap_or(now));
        before.phases.append(&mut report.phases);
        BuildReport {
            phases: before.phases,
            isolation: before.isolation,
            log_stream: before.log_stream,
            ..report
        }
    }

    /// The report of a build that has none of its agent.
    pub fn fail(&self, failure: &Failure, now: Timestamp) -> BuildReport {
        let report = BuildReport {
            status: failure.status,
            phases: Vec::new(),
            exported_variables: BTreeMap::new(),
            test_reports: Vec::new(),
            isolation: String::new(),
            log_stream: String::new(),
            retries_wanted: None,
        };
        let mut report = self.complete(report, now);
        blame(&mut report, failure, now);
        report
    }
}

/// Records a failure in the phase where it happened, which may have begun already.
pub fn blame(report: &mut BuildReport, failure: &Failure, now: Timestamp) {
    report.status = failure.status;
    let phases = &mut report.phases;
    let index = phases
        .iter()
        .position(|phase| phase.phase_type == failure.phase)
        .unwrap_or_else(|| {
            // `COMPLETED` stays the last one.
            let end = phases.len()
                - usize::from(
                    phases
                        .last()
                        .is_some_and(|last| last.phase_type == "COMPLETED"),
                );
            phases.insert(
                end,
                BuildPhase {
                    phase_type: failure.phase.to_owned(),
                    phase_status: String::new(),
                    started: now,
                    ended: None,
                    status_code: None,
                    message: None,
                },
            );
            end
        });
    let phase = &mut phases[index];
    failure.status.name().clone_into(&mut phase.phase_status);
    phase.ended = Some(now);
    phase.status_code = Some(failure.code.to_owned());
    phase.message = Some(failure.message.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(report: &BuildReport) -> Vec<String> {
        let phase = |p: &BuildPhase| {
            let ended = p.ended.map_or(-1, |at| at.0);
            format!(
                "{} {} {}-{ended}",
                p.phase_type, p.phase_status, p.started.0
            )
        };
        report.phases.iter().map(phase).collect()
    }

    #[test]
    fn a_failure_is_told_in_the_phase_where_it_happened() {
        let mut progress = Progress::new("process", "b1", Timestamp(1));
        progress.enter("PROVISIONING", Timestamp(3));
        let failure = Failure::image("x", "no such image");
        let report = progress.fail(&failure, Timestamp(5));
        assert_eq!(
            told(&report),
            [
                "SUBMITTED SUCCEEDED 1-1",
                "QUEUED SUCCEEDED 1-3",
                "PROVISIONING FAILED 3-5"
            ]
        );
        let message = report.phases[2].message.as_deref();
        assert_eq!(message, Some("Unable to pull image x: no such image"));
        let source = Failure::source(BuildStatus::Fault, "gone".to_owned());
        let report = progress.fail(&source, Timestamp(6));
        assert_eq!(
            told(&report)[2..],
            ["PROVISIONING SUCCEEDED 3-6", "DOWNLOAD_SOURCE FAULT 6-6"]
        );
    }

    #[test]
    fn the_runners_part_ends_where_the_agents_begins() {
        let mut progress = Progress::new("process", "b1", Timestamp(1));
        progress.enter("PROVISIONING", Timestamp(3));
        let mut report = progress.fail(&Failure::stopped(), Timestamp(4));
        report.phases = vec![BuildPhase {
            phase_type: "DOWNLOAD_SOURCE".to_owned(),
            started: Timestamp(5),
            ended: Some(Timestamp(6)),
            ..report.phases[0].clone()
        }];
        let report = progress.complete(report, Timestamp(99));
        assert_eq!(
            told(&report)[2..],
            [
                "PROVISIONING SUCCEEDED 3-5",
                "DOWNLOAD_SOURCE SUCCEEDED 5-6"
            ]
        );
    }

    #[test]
    fn a_phase_that_failed_late_comes_before_the_end() {
        let progress = Progress::new("process", "b1", Timestamp(1));
        let mut report = progress.fail(&Failure::stopped(), Timestamp(2));
        report.phases[1].phase_type = "COMPLETED".to_owned();
        let failure = Failure::upload(BuildStatus::Failed, "no room".to_owned());
        blame(&mut report, &failure, Timestamp(3));
        assert_eq!(told(&report)[1], "UPLOAD_ARTIFACTS FAILED 3-3");
        assert_eq!(report.status, BuildStatus::Failed);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("failed to write")]
    struct Write(#[source] std::io::Error);

    #[test]
    fn causes_are_told() {
        let cause = std::io::Error::other("disk full");
        assert_eq!(with_causes(&Write(cause)), "failed to write: disk full");
    }
}
