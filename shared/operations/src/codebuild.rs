//! Projects and builds: what `CodeBuild` does besides being an action of a pipeline.
//!
//! A build that somebody asks for is a record on disk before the answer ([`start_build`]). What is
//! open is brought on its way and to its end by [`settle`], which whoever runs the server calls for
//! each open build, at once after a nudge and again every so often: a crash loses nothing but time.
//! Builds of pipelines are begun by their actions, through [`RecordedBuilds`], and are closed by the
//! same sweep.

mod batch_get_builds;
mod batch_get_projects;
mod begin;
mod close;
mod create_project;
mod delete_project;
mod list_builds;
mod list_projects;
mod recorded;
mod retry_build;
mod settings;
mod settle;
mod source_object;
mod start_build;
mod stop_build;
mod trouble;
mod update_project;

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use model::{
    Rejection,
    build::{BuildPhase, BuildState},
    project::Tag,
};
use ports::{
    Account, BuildRecords, BuildRunner, ProjectRecords, StoreError, World,
    build_records::{BuildEnd, BuildRecord},
};
use thiserror::Error;

use crate::{OperationError, allow};

pub use batch_get_builds::{BatchGetBuilds, batch_get_builds};
pub use batch_get_projects::{BatchGetProjects, batch_get_projects};
pub use create_project::{CreateProject, create_project};
pub use delete_project::{DeleteProject, delete_project};
pub use list_builds::{ListBuilds, list_builds};
pub use list_projects::{ListProjects, ProjectOrder, list_projects};
pub use recorded::RecordedBuilds;
pub use retry_build::{RetryBuild, retry_build};
pub use settle::{open_builds, settle};
pub use start_build::{Overrides, StartBuild, start_build};
pub use stop_build::{StopBuild, stop_build};
pub use update_project::{UpdateProject, update_project};

/// How many projects or builds one request may name, and one page has.
const PAGE: usize = 100;

/// How often a write is tried when others write the same.
const TRIES: usize = 16;

/// What the operations need.
#[derive(Clone)]
pub struct CodeBuild {
    pub world: World,
    pub projects: Arc<dyn ProjectRecords>,
    pub builds: Arc<dyn BuildRecords>,
    /// Runs builds, and keeps no records of them.
    pub runner: Arc<dyn BuildRunner>,
    /// Called when there is something for [`settle`] to do.
    pub nudge: Arc<dyn Fn() + Send + Sync>,
}

/// Why an operation was not carried out.
#[derive(Debug, Error)]
pub enum CodeBuildError {
    #[error("{0}")]
    InvalidInput(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    AlreadyExists(String),
    #[error("{0}")]
    LimitExceeded(String),
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<StoreError> for CodeBuildError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => Self::InvalidInput(error.to_string()),
            StoreError::Conflict
            | StoreError::Ambiguous
            | StoreError::Unavailable { .. }
            | StoreError::Corrupt { .. } => Self::Operation(error.into()),
        }
    }
}

impl From<Rejection> for CodeBuildError {
    fn from(rejection: Rejection) -> Self {
        Self::Operation(rejection.into())
    }
}

fn invalid(message: impl Into<String>) -> CodeBuildError {
    CodeBuildError::InvalidInput(message.into())
}

/// The ARN of a project.
pub fn project_arn(account: &Account, project: &str) -> String {
    let Account { id, region } = account;
    format!("arn:aws:codebuild:{region}:{id}:project/{project}")
}

/// The ARN of a build.
pub fn build_arn(account: &Account, build: &BuildRecord) -> String {
    let Account { id, region } = account;
    format!(
        "arn:aws:codebuild:{region}:{id}:build/{}",
        build_name(build)
    )
}

/// What the API calls a build: `<project>:<uuid>`.
pub fn build_name(build: &BuildRecord) -> String {
    format!("{}:{}", build.project(), build.id)
}

/// The project and the id in a build's name, or in its ARN.
fn build_of(given: &str) -> Option<(&str, &str)> {
    let name = match given.strip_prefix("arn:") {
        Some(rest) => rest.split_once(":build/")?.1,
        None => given,
    };
    name.split_once(':')
}

/// The name of a project, also out of its ARN.
fn project_of(given: &str) -> &str {
    let of_arn = given
        .strip_prefix("arn:")
        .and_then(|rest| rest.split_once(":project/"));
    of_arn.map_or(given, |(_, name)| name)
}

/// A build with all that is known of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// With its end, also when that was not noted yet.
    pub record: BuildRecord,
    /// The phases so far; the one that it is in has no end.
    pub phases: Vec<BuildPhase>,
}

impl CodeBuild {
    /// Lets the caller do something with a project. Policies may ask for the project's tags, and for
    /// those of the request.
    async fn authorise(
        &self,
        by: &Caller,
        operation: &str,
        project: &str,
        request_tags: &[Tag],
    ) -> Result<(), CodeBuildError> {
        // Whoever may do everything is asked nothing.
        if by.access_key().is_none() {
            return Ok(());
        }
        let record = self.projects.project_record(project).await?;
        let tags = record.map_or_else(Vec::new, |record| record.settings.tags);
        let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (kind, tags) in [("resource", &tags[..]), ("request", request_tags)] {
            for tag in tags {
                let key = format!("aws:{kind}tag/{}", tag.key.to_lowercase());
                context.entry(key).or_default().push(tag.value.clone());
            }
        }
        if !request_tags.is_empty() {
            let keys = request_tags.iter().map(|tag| tag.key.clone()).collect();
            context.insert("aws:tagkeys".to_owned(), keys);
        }
        let arn = project_arn(&self.world.account, project);
        Ok(allow(
            by,
            &format!("codebuild:{operation}"),
            &arn,
            &context,
        )?)
    }

    /// The build of that name, which the caller may do something with.
    async fn build(
        &self,
        by: &Caller,
        operation: &str,
        given: &str,
    ) -> Result<BuildRecord, CodeBuildError> {
        let none = || CodeBuildError::NotFound(format!("there is no build `{given}`"));
        let Some((project, id)) = build_of(given) else {
            let message = format!("`{given}` is no build: its id is `<project>:<uuid>`");
            return Err(invalid(message));
        };
        self.authorise(by, operation, project, &[]).await?;
        let record = self.builds.build(id).await?;
        record
            .filter(|record| record.project() == project)
            .ok_or_else(none)
    }

    /// How a build stands now.
    async fn look(&self, mut record: BuildRecord) -> Result<Build, CodeBuildError> {
        if record.end.is_none() {
            // A runner that cannot say anything must not hide what is known.
            let state = self.runner.state(&record.id).await;
            if let Ok(BuildState::Finished(report)) = state {
                let at = close::ended(&report).unwrap_or_else(|| self.world.clock.now());
                let report = *report;
                record.end = Some(BuildEnd { at, report });
            }
        }
        let phases = match &record.end {
            Some(end) => end.report.phases.clone(),
            None => self.runner.phases(&record.id).await.unwrap_or_default(),
        };
        let phases = if phases.is_empty() {
            vec![submitted(&record)]
        } else {
            phases
        };
        Ok(Build { record, phases })
    }
}

/// Lets the caller do something with everything.
fn authorise_all(by: &Caller, operation: &str) -> Result<(), CodeBuildError> {
    let action = format!("codebuild:{operation}");
    Ok(allow(by, &action, "*", &BTreeMap::new())?)
}

/// The phase of a build that nobody has begun.
fn submitted(record: &BuildRecord) -> BuildPhase {
    BuildPhase {
        phase_type: "SUBMITTED".to_owned(),
        phase_status: String::new(),
        started: record.started,
        ended: None,
        status_code: None,
        message: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_projects_are_named_by_name_or_arn() {
        let arn = "arn:aws:codebuild:us-east-1:000000000000:build/web:1-2";
        assert_eq!(build_of(arn), Some(("web", "1-2")));
        assert_eq!(build_of("web:1-2"), Some(("web", "1-2")));
        assert_eq!(build_of("web"), None);
        assert_eq!(build_of("arn:aws:s3:::b"), None);
        let arn = "arn:aws:codebuild:us-east-1:000000000000:project/web";
        assert_eq!(project_of(arn), "web");
        assert_eq!(project_of("web"), "web");
    }
}
