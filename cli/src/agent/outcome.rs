//! From the report of the buildspec library to the one that the runner takes.

use buildspec::build::{PhaseReport, Report, Status, TestFailure, TestReport, TestReportStatus};
use model::{Timestamp, build};

pub(super) fn report(report: Report) -> build::BuildReport {
    build::BuildReport {
        status: status(report.build_status),
        phases: report.phases.iter().map(phase).collect(),
        exported_variables: report
            .exported_variables
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect(),
        test_reports: report.reports.into_iter().map(tests).collect(),
        // The runner knows these.
        isolation: String::new(),
        log_stream: String::new(),
        retries_wanted: report.retry_wanted.map(|wanted| wanted.limit),
    }
}

fn status(status: Status) -> build::BuildStatus {
    match status {
        Status::Succeeded => build::BuildStatus::Succeeded,
        Status::Failed => build::BuildStatus::Failed,
        // A build that has a report is not in progress; if it says so, something is wrong here.
        Status::Fault | Status::InProgress => build::BuildStatus::Fault,
        Status::TimedOut => build::BuildStatus::TimedOut,
        Status::Stopped => build::BuildStatus::Stopped,
    }
}

pub(super) fn phase(phase: &PhaseReport) -> build::BuildPhase {
    // A phase that succeeded has one context of two empty texts (spec 70 §3).
    let context = phase
        .contexts
        .iter()
        .find(|context| !(context.status_code.is_empty() && context.message.is_empty()));
    build::BuildPhase {
        phase_type: phase.phase_type.as_str().to_owned(),
        phase_status: phase.phase_status.map_or("", Status::as_str).to_owned(),
        started: Timestamp(phase.start_time_ms),
        ended: phase.end_time_ms.map(Timestamp),
        status_code: context.map(|context| context.status_code.clone()),
        message: context.map(|context| context.message.clone()),
    }
}

fn tests(report: TestReport) -> build::TestReport {
    let status = match report.status {
        TestReportStatus::Succeeded => "SUCCEEDED",
        TestReportStatus::Failed => "FAILED",
        TestReportStatus::Incomplete => "INCOMPLETE",
    };
    let failure = |failure: TestFailure| {
        let TestFailure {
            suite,
            name,
            message,
            ..
        } = failure;
        let test = if suite.is_empty() {
            name
        } else {
            format!("{suite} {name}")
        };
        format!("{test}: {message}")
    };
    let failures = report.failures.into_iter().map(failure);
    build::TestReport {
        name: report.name,
        status: status.to_owned(),
        total: report.total,
        passed: report.passed,
        failed: report.failed,
        errors: report.errors,
        skipped: report.skipped,
        failures: report.reason.into_iter().chain(failures).collect(),
    }
}

#[cfg(test)]
mod tests {
    use buildspec::build::{Context, LogSummary, PhaseType, RetryWanted};

    use super::*;

    #[test]
    fn a_report_keeps_what_the_runner_needs() {
        let phase = |kind, status, contexts| PhaseReport {
            phase_type: kind,
            phase_status: status,
            start_time_ms: 1,
            end_time_ms: Some(2),
            contexts,
        };
        let context = |code: &str, message: &str| Context {
            status_code: code.to_owned(),
            message: message.to_owned(),
        };
        let converted = report(Report {
            build_status: Status::Failed,
            phases: vec![
                phase(
                    PhaseType::Install,
                    Some(Status::Succeeded),
                    vec![context("", "")],
                ),
                phase(
                    PhaseType::Build,
                    Some(Status::Failed),
                    vec![context("X", "why")],
                ),
                phase(PhaseType::Completed, None, Vec::new()),
            ],
            exported_variables: Vec::new(),
            artifacts: Vec::new(),
            reports: Vec::new(),
            retry_wanted: Some(RetryWanted {
                phase: PhaseType::Build,
                limit: 3,
                pattern: ".*".to_owned(),
            }),
            log: LogSummary::default(),
        });
        assert_eq!(converted.status, build::BuildStatus::Failed);
        let told: Vec<_> = converted
            .phases
            .iter()
            .map(|p| (p.phase_status.as_str(), p.message.as_deref()))
            .collect();
        assert_eq!(
            told,
            [("SUCCEEDED", None), ("FAILED", Some("why")), ("", None)]
        );
        assert_eq!(converted.retries_wanted, Some(3));
    }
}
