//! CodeBuild projects by name.

use async_trait::async_trait;
use model::project::Project;

use crate::StoreError;

#[async_trait]
pub trait ProjectStore: Send + Sync {
    /// The project of that name, if one was declared.
    async fn project(&self, name: &str) -> Result<Option<Project>, StoreError>;

    /// Creates or replaces a project.
    async fn put_project(&self, project: &Project) -> Result<(), StoreError>;
}
