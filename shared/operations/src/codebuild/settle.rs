//! Brings an open build on its way, and to its end.
//!
//! It looks at what the runner knows and does what is missing; it may be called at any time and any
//! number of times, but for one build at a time. So a build that a crash took along begins anew, and
//! one that ended unseen is closed.

use std::time::Duration;

use model::build::{BuildState, BuildStatus};
use ports::{
    StoreError,
    build_records::{BuildOwner, BuildRecord},
    builds::BuildError,
};
use uuid::Uuid;

use super::{CodeBuild, CodeBuildError, begin, close::close, trouble::Trouble};
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
