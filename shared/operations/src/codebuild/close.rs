//! The end of a build: what is on record of it is final, and what lay ready for it is removed.

use model::{
    Timestamp,
    build::{BuildReport, BuildStatus},
};
use ports::{
    StoreError,
    build_records::{BuildEnd, BuildRecord},
};

use super::{CodeBuild, CodeBuildError, TRIES, source_object, trouble::Trouble};
use crate::OperationError;

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
                source_object::remove(codebuild, &over).await;
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
