//! `ListProjects`.

use access::Caller;
use model::Timestamp;
use ports::projects::ProjectName;

use super::{CodeBuild, CodeBuildError, PAGE, authorise_all};
use crate::Page;

#[derive(Clone, Debug)]
pub struct ListProjects {
    pub order: ProjectOrder,
    pub is_descending: bool,
    /// Where the page before ended.
    pub after: Option<(Timestamp, String)>,
    pub by: Caller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectOrder {
    Name,
    Created,
    Modified,
}

/// The names of projects, a page of them.
pub async fn list_projects(
    codebuild: &CodeBuild,
    request: ListProjects,
) -> Result<Page<String, (Timestamp, String)>, CodeBuildError> {
    authorise_all(&request.by, "ListProjects")?;
    let key = |project: ProjectName| {
        let at = match request.order {
            ProjectOrder::Name => Timestamp(0),
            ProjectOrder::Created => project.created,
            ProjectOrder::Modified => project.modified,
        };
        (at, project.name)
    };
    let names = codebuild.projects.project_names().await?;
    let mut keys: Vec<(Timestamp, String)> = names.into_iter().map(key).collect();
    keys.sort();
    if request.is_descending {
        keys.reverse();
    }
    if let Some(after) = &request.after {
        // By order and not by number: projects may have come and gone since.
        keys.retain(|key| {
            if request.is_descending {
                key < after
            } else {
                key > after
            }
        });
    }
    let next = (keys.len() > PAGE).then(|| keys[PAGE - 1].clone());
    keys.truncate(PAGE);
    let items = keys.into_iter().map(|(_, name)| name).collect();
    Ok(Page { items, next })
}
