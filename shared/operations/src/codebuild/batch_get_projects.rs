//! `BatchGetProjects`.

use access::Caller;
use ports::projects::ProjectRecord;

use super::{CodeBuild, CodeBuildError, project_of};

#[derive(Clone, Debug)]
pub struct BatchGetProjects {
    pub names: Vec<String>,
    pub by: Caller,
}

/// The projects of those names, and the names that no project has.
pub async fn batch_get_projects(
    codebuild: &CodeBuild,
    request: BatchGetProjects,
) -> Result<(Vec<ProjectRecord>, Vec<String>), CodeBuildError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for given in request.names {
        let name = project_of(&given);
        codebuild
            .authorise(&request.by, "BatchGetProjects", name, &[])
            .await?;
        match codebuild.projects.project_record(name).await? {
            Some(record) => found.push(record),
            None => missing.push(given),
        }
    }
    Ok((found, missing))
}
