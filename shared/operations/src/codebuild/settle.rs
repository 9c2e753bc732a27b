//! Brings an open build on its way, and to its end.
//!
//! It looks at what the runner knows and does what is missing; it may be called at any time and any
//! number of times, but for one build at a time. So a build that a crash took along begins anew, and
//! one that ended unseen is closed.

use std::time::Duration;

use model::{
    Timestamp,
    build::{BuildPhase, BuildReport, BuildState, BuildStatus},
};
use ports::{
    StoreError,
    build_records::{BuildEnd, BuildOwner, BuildRecord},
    builds::BuildError,
};
use uuid::Uuid;

use super::{CodeBuild, CodeBuildError, TRIES, begin};
use crate::OperationError;

/// Up to `limit` open builds behind the place `after`, to be settled.
pub async fn open_builds(
    codebuild: &CodeBuild,
    after: u64,
    limit: usize,
) -> Result<Vec<BuildRecord>, CodeBuildError> {
    Ok(codebuild.builds.open_builds(after, limit).await?)
}

/// Does what is to be done now for an open build. After an error the build is as open as before.
pub async fn settle(codebuild: &CodeBuild, record: &BuildRecord) -> Result<(), CodeBuildError> {
    match codebuild.runner.state(&record.id).await {
        Ok(BuildState::Finished(report)) => close(codebuild, &record.id, *report).await,
        Ok(BuildState::Running) => watch(codebuild, record).await,
        Ok(BuildState::Unknown) => match record.owner {
            BuildOwner::Caller if record.is_stopping => {
                let report = Trouble::stopped().report(codebuild, record);
                close(codebuild, &record.id, report).await
            }
            BuildOwner::Caller => begin::begin(codebuild, record).await,
            BuildOwner::Pipeline => end_abandoned(codebuild, record).await,
        },
        Err(error) => Err(runner_failed(&error)),
    }
}

/// What the store would say when it is the runner that cannot say anything.
fn runner_failed(error: &BuildError) -> CodeBuildError {
    let doing = format!("look after a build: {error}");
    let source = error.to_string().into();
    OperationError::Store(StoreError::Unavailable { doing, source }).into()
}

/// Ends a build that runs and is to run no longer.
async fn watch(codebuild: &CodeBuild, record: &BuildRecord) -> Result<(), CodeBuildError> {
    let stop = async || {
        let stopped = codebuild.runner.stop(&record.id).await;
        stopped.map_err(|error| runner_failed(&error))
    };
    if record.is_stopping {
        stop().await?;
        return match codebuild.runner.state(&record.id).await {
            Ok(BuildState::Finished(report)) => close(codebuild, &record.id, *report).await,
            // It is looked at again.
            _ => Ok(()),
        };
    }
    let minutes = record.settings.queued_timeout_minutes();
    let limit = Duration::from_secs(u64::from(minutes) * 60);
    let waited = codebuild.world.clock.now().since(record.started);
    if record.owner == BuildOwner::Pipeline || waited < limit {
        return Ok(());
    }
    let phases = codebuild.runner.phases(&record.id).await;
    let phases = phases.map_err(|error| runner_failed(&error))?;
    if phases.last().is_none_or(|last| last.phase_type != "QUEUED") {
        return Ok(());
    }
    stop().await?;
    let trouble = Trouble {
        phase: "QUEUED",
        status: BuildStatus::TimedOut,
        code: "BUILD_QUEUED_TIMEOUT",
        message: format!("The build waited longer than {minutes} minutes for its turn"),
    };
    let report = trouble.report(codebuild, record);
    close(codebuild, &record.id, report).await
}

/// Closes a pipeline's build that nobody will begin again: the action ended while this was down.
async fn end_abandoned(codebuild: &CodeBuild, record: &BuildRecord) -> Result<(), CodeBuildError> {
    // Open jobs are in order of their ids: the first one behind the id before is the build's own.
    let id = Uuid::parse_str(&record.id).unwrap_or_default();
    let before = id.as_u128().checked_sub(1).map(Uuid::from_u128);
    let jobs = codebuild.world.pipelines.open_jobs(before, 1).await?;
    let is_open = jobs
        .first()
        .is_some_and(|job| job.action_execution_id == id);
    if is_open {
        return Ok(());
    }
    let trouble = if record.is_stopping {
        Trouble::stopped()
    } else {
        Trouble {
            phase: "FINALIZING",
            status: BuildStatus::Fault,
            code: "INTERNAL_SERVICE_ERROR",
            message: "The build was interrupted, and its pipeline no longer waits for it"
                .to_owned(),
        }
    };
    let report = trouble.report(codebuild, record);
    close(codebuild, &record.id, report).await
}

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

/// When a build ended, as its report has it.
pub(super) fn ended(report: &BuildReport) -> Option<Timestamp> {
    let last = report.phases.last()?;
    Some(last.ended.unwrap_or(last.started))
}

/// Notes how a build ended; it is open no longer.
pub(super) async fn close(
    codebuild: &CodeBuild,
    id: &str,
    report: BuildReport,
) -> Result<(), CodeBuildError> {
    let mut report = report;
    for _ in 0..TRIES {
        let Some(record) = codebuild.builds.build(id).await? else {
            return Ok(());
        };
        if record.end.is_some() {
            return Ok(());
        }
        let at = ended(&report).unwrap_or_else(|| codebuild.world.clock.now());
        let over = BuildRecord {
            end: Some(BuildEnd {
                at,
                report: report.clone(),
            }),
            ..record
        };
        match codebuild.builds.replace_build(&over).await {
            Ok(()) => {
                begin::clear(codebuild, &over).await;
                return Ok(());
            }
            // Somebody wants it to end, or the source was resolved.
            Err(StoreError::Conflict) => {}
            Err(error @ StoreError::TooLarge { .. }) => {
                // It must not stay open for ever because it has too much to say.
                let trouble = Trouble {
                    phase: "FINALIZING",
                    status: BuildStatus::Fault,
                    code: "INTERNAL_SERVICE_ERROR",
                    message: error.to_string(),
                };
                report = trouble.report_at(&over, at);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(OperationError::Busy.into())
}
