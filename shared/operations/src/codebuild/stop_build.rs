//! `StopBuild`.

use access::Caller;
use ports::{StoreError, build_records::BuildRecord};

use super::{Build, CodeBuild, CodeBuildError, TRIES};
use crate::OperationError;

#[derive(Clone, Debug)]
pub struct StopBuild {
    pub id: String,
    pub by: Caller,
}

/// Asks a build to end. That it is to end is on disk when this answers; one that has ended stays as
/// it is.
pub async fn stop_build(
    codebuild: &CodeBuild,
    request: StopBuild,
) -> Result<Build, CodeBuildError> {
    for _ in 0..TRIES {
        let record = codebuild
            .build(&request.by, "StopBuild", &request.id)
            .await?;
        if record.end.is_some() || record.is_stopping {
            return codebuild.look(record).await;
        }
        let stopping = BuildRecord {
            is_stopping: true,
            ..record
        };
        match codebuild.builds.replace_build(&stopping).await {
            Ok(()) => {
                (codebuild.nudge)();
                return codebuild.look(stopping).await;
            }
            // It went on, or ended, meanwhile.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OperationError::Busy.into())
}
