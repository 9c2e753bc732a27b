//! Why a build ended without a runner's report.

use model::{
    Timestamp,
    build::{BuildPhase, BuildReport, BuildStatus},
};
use ports::build_records::BuildRecord;

use super::CodeBuild;

/// Why a build ended without a runner's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) phase: &'static str,
    pub(super) status: BuildStatus,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn stopped() -> Self {
        Self {
            phase: "QUEUED",
            status: BuildStatus::Stopped,
            code: "",
            message: "The build was stopped before it began".to_owned(),
        }
    }

    /// Of a source, which is at fault itself or not to be had.
    pub(super) fn source(status: BuildStatus, message: String) -> Self {
        Self {
            phase: "DOWNLOAD_SOURCE",
            status,
            code: "CLIENT_ERROR",
            message,
        }
    }

    pub(super) fn report(self, codebuild: &CodeBuild, record: &BuildRecord) -> BuildReport {
        self.report_at(record, codebuild.world.clock.now())
    }

    pub(super) fn report_at(self, record: &BuildRecord, now: Timestamp) -> BuildReport {
        let phase = |kind: &str, status: &str, started, ended| BuildPhase {
            phase_type: kind.to_owned(),
            phase_status: status.to_owned(),
            started,
            ended,
            status_code: None,
            message: None,
        };
        let started = record.started;
        let bad = BuildPhase {
            status_code: Some(self.code.to_owned()),
            message: Some(self.message),
            ..phase(self.phase, self.status.name(), started, Some(now))
        };
        BuildReport {
            status: self.status,
            phases: vec![
                phase("SUBMITTED", "SUCCEEDED", started, Some(started)),
                bad,
                phase("COMPLETED", "", now, None),
            ],
            exported_variables: std::collections::BTreeMap::new(),
            test_reports: Vec::new(),
            isolation: String::new(),
            log_stream: record.id.clone(),
            retries_wanted: None,
        }
    }
}
