//! `ListBuilds` and `ListBuildsForProject`.

use access::Caller;
use ports::build_records;

use super::{CodeBuild, CodeBuildError, PAGE, authorise_all, project_arn, project_of};
use crate::Page;

#[derive(Clone, Debug)]
pub struct ListBuilds {
    /// Of which project; of all where there is none.
    pub project: Option<String>,
    pub newest_first: bool,
    /// The place where the page before ended.
    pub behind: Option<u64>,
    pub by: Caller,
}

/// The ids of builds in the order in which they were asked for, a page of them.
pub async fn list_builds(
    codebuild: &CodeBuild,
    request: ListBuilds,
) -> Result<Page<String, u64>, CodeBuildError> {
    let project = request.project.as_deref().map(project_of);
    match project {
        None => authorise_all(&request.by, "ListBuilds")?,
        Some(name) => {
            codebuild
                .authorise(&request.by, "ListBuildsForProject", name, &[])
                .await?;
            if codebuild.projects.project_record(name).await?.is_none() {
                let arn = project_arn(&codebuild.world.account, name);
                let message = format!("The provided project {arn} does not exist");
                return Err(CodeBuildError::NotFound(message));
            }
        }
    }
    let list = build_records::ListBuilds {
        project,
        behind: request.behind,
        newest_first: request.newest_first,
        // One more tells whether there is another page.
        limit: PAGE + 1,
    };
    let mut found = codebuild.builds.list_builds(list).await?;
    let next = (found.len() > PAGE).then(|| found[PAGE - 1].place);
    found.truncate(PAGE);
    let name = |build: build_records::BuildName| format!("{}:{}", build.project, build.id);
    Ok(Page {
        items: found.into_iter().map(name).collect(),
        next,
    })
}
