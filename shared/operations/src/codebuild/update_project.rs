//! `UpdateProject`.

use access::Caller;
use model::project::SettingsChange;
use ports::{StoreError, projects::ProjectRecord};

use super::{CodeBuild, CodeBuildError, TRIES, project_of, settings};
use crate::OperationError;

#[derive(Clone, Debug)]
pub struct UpdateProject {
    pub name: String,
    pub change: SettingsChange,
    pub by: Caller,
}

/// Changes what the request names; builds that are under way go on with what they began with.
pub async fn update_project(
    codebuild: &CodeBuild,
    request: UpdateProject,
) -> Result<ProjectRecord, CodeBuildError> {
    let name = project_of(&request.name);
    let tags = request.change.tags.as_deref().unwrap_or_default();
    codebuild
        .authorise(&request.by, "UpdateProject", name, tags)
        .await?;
    for _ in 0..TRIES {
        let Some(seen) = codebuild.projects.project_record(name).await? else {
            let arn = super::project_arn(&codebuild.world.account, name);
            return Err(CodeBuildError::NotFound(format!(
                "Project cannot be found: {arn}"
            )));
        };
        let changed = seen.settings.clone().changed(request.change.clone());
        settings::check(&changed)?;
        let record = ProjectRecord {
            settings: changed,
            created: seen.created,
            modified: Some(codebuild.world.clock.now()),
        };
        match codebuild.projects.replace_project(&seen, &record).await {
            Ok(()) => return Ok(record),
            // Somebody else was faster: what they wrote is changed in its turn.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OperationError::Busy.into())
}
