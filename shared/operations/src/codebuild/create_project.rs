//! `CreateProject`.

use access::Caller;
use model::project::Settings;
use ports::projects::{CreateProjectError, ProjectRecord};

use super::{CodeBuild, CodeBuildError, settings};

/// How many projects there may be (spec 70 §10).
const PROJECTS_MAX: usize = 5_000;

#[derive(Clone, Debug)]
pub struct CreateProject {
    pub settings: Settings,
    pub by: Caller,
}

/// Keeps a new project.
pub async fn create_project(
    codebuild: &CodeBuild,
    request: CreateProject,
) -> Result<ProjectRecord, CodeBuildError> {
    let settings = request.settings.complete();
    codebuild
        .authorise(&request.by, "CreateProject", &settings.name, &settings.tags)
        .await?;
    settings::check(&settings)?;
    let now = codebuild.world.clock.now();
    let record = ProjectRecord {
        settings,
        created: Some(now),
        modified: Some(now),
    };
    let created = codebuild.projects.create_project(&record, PROJECTS_MAX);
    created.await.map_err(|error| match error {
        CreateProjectError::Exists => {
            let arn = super::project_arn(&codebuild.world.account, &record.settings.name);
            CodeBuildError::AlreadyExists(format!("Project already exists: {arn}"))
        }
        CreateProjectError::TooMany => CodeBuildError::LimitExceeded(format!(
            "Cannot have more than {PROJECTS_MAX} projects in this account"
        )),
        CreateProjectError::Store(error) => error.into(),
    })?;
    Ok(record)
}
