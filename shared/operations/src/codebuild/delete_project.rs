//! `DeleteProject`.

use access::Caller;

use super::{CodeBuild, CodeBuildError, project_of};

#[derive(Clone, Debug)]
pub struct DeleteProject {
    pub name: String,
    pub by: Caller,
}

/// Removes a project; one that is not there is removed already. Its builds stay known, and those
/// that are under way go on.
pub async fn delete_project(
    codebuild: &CodeBuild,
    request: DeleteProject,
) -> Result<(), CodeBuildError> {
    let name = project_of(&request.name);
    codebuild
        .authorise(&request.by, "DeleteProject", name, &[])
        .await?;
    Ok(codebuild.projects.delete_project(name).await?)
}
