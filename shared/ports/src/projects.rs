//! CodeBuild projects by name.

use async_trait::async_trait;
use model::{
    Timestamp,
    project::{Project, Settings},
};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// What builds ask: how the project of a name builds.
#[async_trait]
pub trait ProjectStore: Send + Sync {
    /// The project of that name, if one was declared.
    async fn project(&self, name: &str) -> Result<Option<Project>, StoreError>;

    /// Creates or replaces a project.
    async fn put_project(&self, project: &Project) -> Result<(), StoreError>;
}

/// What the API asks: everything that is known of a project.
///
/// A write that returned `Ok` is on disk.
#[async_trait]
pub trait ProjectRecords: Send + Sync {
    /// What is known of the project of that name.
    async fn project_record(&self, name: &str) -> Result<Option<ProjectRecord>, StoreError>;

    /// Keeps a new project; there is an error when the name is taken, or `limit` projects are there.
    async fn create_project(
        &self,
        project: &ProjectRecord,
        limit: usize,
    ) -> Result<(), CreateProjectError>;

    /// Replaces a project that is as `seen` says; [`StoreError::Conflict`] when it is not.
    async fn replace_project(
        &self,
        seen: &ProjectRecord,
        project: &ProjectRecord,
    ) -> Result<(), StoreError>;

    /// Removes a project; one that is not there is removed already.
    async fn delete_project(&self, name: &str) -> Result<(), StoreError>;

    /// The names of all projects with their times, in order of name; there are as many as
    /// [`ProjectRecords::create_project`] lets be.
    async fn project_names(&self) -> Result<Vec<ProjectName>, StoreError>;
}

/// A project as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRecord {
    pub settings: Settings,
    /// None of a project that a pipeline file declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

/// A line in a list of projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName {
    pub name: String,
    pub created: Timestamp,
    pub modified: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum CreateProjectError {
    #[error("a project of that name is there already")]
    Exists,
    #[error("there are as many projects as there may be")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}
