//! One build from its order to its report: the phases in their order and what a failure of each
//! does to the others (spec 70 §3).

use std::{
    error::Error,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    log::{Log, Sink},
    order::{LOG_MAX_BYTES, Order},
    phases::{Build, Outcome},
    process::Watch,
    report::{Context, PhaseReport, PhaseType, Report, RetryWanted, Status},
    secrets::Secrets,
    stop::StopFlag,
};
use crate::document::OnFailure;

/// A build that names no timeout ends after as long as a real one's default (spec 70 §3).
const DEFAULT_TIMEOUT_SECONDS: u64 = 60 * 60;
/// The longest timeout, 36 hours (spec 70 §10).
const TIMEOUT_MAX_SECONDS: u64 = 2160 * 60;

/// Runs a build. It answers always; what went wrong is in the report.
///
/// The work directory has to exist and to belong to this build alone. Whatever the build started
/// has ended when this returns, unless it left its process group.
pub fn run(order: &Order, secrets: &dyn Secrets, sink: &mut dyn Sink, stop: &StopFlag) -> Report {
    let limit = order
        .log_max_bytes
        .unwrap_or(LOG_MAX_BYTES)
        .min(LOG_MAX_BYTES);
    let seconds = match order.timeout_seconds {
        0 => DEFAULT_TIMEOUT_SECONDS,
        seconds => seconds.min(TIMEOUT_MAX_SECONDS),
    };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let watch = Watch {
        deadline,
        stop: stop.clone(),
    };
    let mut log = Log::new(sink, limit);
    let mut course = Course::default();
    let mut build = Build::new(order, secrets, &watch);
    course.all(&mut build, &mut log);
    let artifacts = std::mem::take(&mut build.artifacts);
    Report {
        build_status: course.status(),
        phases: course.phases,
        exported_variables: std::mem::take(&mut build.exported),
        artifacts,
        reports: std::mem::take(&mut build.reports),
        retry_wanted: course.retry,
        log: log.summary(),
    }
}

/// How far a build has come.
#[derive(Default)]
struct Course {
    phases: Vec<PhaseReport>,
    retry: Option<RetryWanted>,
}

/// Where a build goes after a phase of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Phase,
    Finalizing,
}

impl Course {
    fn all(&mut self, build: &mut Build<'_>, log: &mut Log) {
        if self
            .phase(PhaseType::DownloadSource, log, |log| build.download(log))
            .is_success()
        {
            let next = self.commands(build, log);
            if self.is_undisturbed() {
                build.export(log);
            }
            if next == Next::Phase {
                let is_good = self.status() == Status::Succeeded;
                self.phase(PhaseType::UploadArtifacts, log, |log| {
                    build.upload(is_good, log)
                });
            }
        }
        self.phase(PhaseType::Finalizing, log, |log| build.finalize(log));
        let completed = PhaseReport {
            phase_type: PhaseType::Completed,
            phase_status: None,
            start_time_ms: now_ms(),
            end_time_ms: None,
            contexts: Vec::new(),
        };
        log.phase(&completed);
        self.phases.push(completed);
    }

    fn commands(&mut self, build: &mut Build<'_>, log: &mut Log) -> Next {
        for kind in [
            PhaseType::Install,
            PhaseType::PreBuild,
            PhaseType::Build,
            PhaseType::PostBuild,
        ] {
            let outcome = self.phase(kind, log, |log| build.phase(kind, log));
            let Outcome::Failed { message, .. } = &outcome else {
                if outcome.is_success() {
                    continue;
                }
                return Next::Finalizing;
            };
            if self.after_failure(kind, message, build) == Next::Finalizing {
                return Next::Finalizing;
            }
        }
        Next::Phase
    }

    fn after_failure(&mut self, kind: PhaseType, message: &str, build: &Build<'_>) -> Next {
        // A failed install or preparation ends the build; what follows a failed build still runs.
        let usual = match kind {
            PhaseType::Build | PhaseType::PostBuild => Next::Phase,
            PhaseType::DownloadSource
            | PhaseType::Install
            | PhaseType::PreBuild
            | PhaseType::UploadArtifacts
            | PhaseType::Finalizing
            | PhaseType::Completed => Next::Finalizing,
        };
        match build.on_failure(kind) {
            None => usual,
            Some(OnFailure::Abort) => Next::Finalizing,
            Some(OnFailure::Continue) => Next::Phase,
            Some(OnFailure::Retry { limit, pattern }) => {
                let matches = regex::Regex::new(pattern).is_ok_and(|p| p.is_match(message));
                if !matches || build.retries_done() >= *limit {
                    return usual;
                }
                let (limit, pattern) = (*limit, pattern.clone());
                self.retry = Some(RetryWanted {
                    phase: kind,
                    limit,
                    pattern,
                });
                Next::Finalizing
            }
        }
    }

    /// Runs a phase, reports it and logs it in the words of a real build (spec 70 §3).
    fn phase(
        &mut self,
        kind: PhaseType,
        log: &mut Log,
        work: impl FnOnce(&mut Log) -> Outcome,
    ) -> Outcome {
        let mut report = PhaseReport {
            phase_type: kind,
            phase_status: Some(Status::InProgress),
            start_time_ms: now_ms(),
            end_time_ms: None,
            contexts: Vec::new(),
        };
        log.phase(&report);
        let entering = match kind {
            PhaseType::DownloadSource => Some(format!("Phase is {}", kind.as_str())),
            PhaseType::Finalizing => None,
            _ => Some(format!("Entering phase {}", kind.as_str())),
        };
        if let Some(line) = &entering {
            log.say(line);
        }
        let outcome = work(log);
        let context = outcome.context(log.mask());
        if entering.is_some() || !outcome.is_success() {
            let state = outcome.status().as_str();
            log.say(&format!("Phase complete: {} State: {state}", kind.as_str()));
            let Context {
                status_code,
                message,
            } = &context;
            log.say(&format!(
                "Phase context status code: {status_code} Message: {message}"
            ));
        }
        report.phase_status = Some(outcome.status());
        // A clock that was set back must not give a phase a negative length.
        report.end_time_ms = Some(now_ms().max(report.start_time_ms));
        report.contexts = vec![context];
        log.phase(&report);
        self.phases.push(report);
        outcome
    }

    /// The first thing that went wrong, the gravest first (spec 70 §3).
    fn status(&self) -> Status {
        let has = |status| {
            self.phases
                .iter()
                .any(|phase| phase.phase_status == Some(status))
        };
        [
            Status::Stopped,
            Status::TimedOut,
            Status::Fault,
            Status::Failed,
        ]
        .into_iter()
        .find(|status| has(*status))
        .unwrap_or(Status::Succeeded)
    }

    /// Whether there is still a shell to ask.
    fn is_undisturbed(&self) -> bool {
        matches!(self.status(), Status::Succeeded | Status::Failed)
    }
}

pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// An error with all its causes, for a message that stands alone.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
