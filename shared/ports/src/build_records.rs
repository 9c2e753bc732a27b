//! What is known of builds: those that run, and those that are over.

use async_trait::async_trait;
use model::{Timestamp, build::BuildReport, job::JobArtifact, project::Settings};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// How many builds are remembered; the oldest that are over make room.
pub const BUILDS_KEPT: u64 = 100_000;

/// How long a token starts no second build (spec 70 §8).
pub const TOKEN_MILLIS: i64 = 5 * 60 * 1000;

/// Keeps a record of each build of a project.
///
/// A build is open until its record says how it ended; a record that says so never changes again.
/// A write that returned `Ok` is on disk.
#[async_trait]
pub trait BuildRecords: Send + Sync {
    /// Keeps a new build and numbers it. When the same token came with a build less than
    /// [`TOKEN_MILLIS`] before, nothing is written, and the earlier build is returned.
    ///
    /// A build with an id that is there already is returned as it is, too.
    async fn begin_build(&self, build: &BuildRecord) -> Result<BuildRecord, StoreError>;

    /// Replaces the record of an open build that has the same version;
    /// [`StoreError::Conflict`] when it has another one, or is over.
    async fn replace_build(&self, build: &BuildRecord) -> Result<(), StoreError>;

    /// The build of that id.
    async fn build(&self, id: &str) -> Result<Option<BuildRecord>, StoreError>;

    /// Up to `limit` builds, of one project or of all.
    async fn list_builds(&self, request: ListBuilds<'_>) -> Result<Vec<BuildName>, StoreError>;

    /// Up to `limit` open builds behind `after`, in the order in which they began.
    async fn open_builds(&self, after: u64, limit: usize) -> Result<Vec<BuildRecord>, StoreError>;

    /// How many builds are open, of one project or of all.
    async fn count_open_builds(&self, project: Option<&str>) -> Result<u64, StoreError>;
}

/// One build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildRecord {
    /// A UUID: the build's name at the runner, and of its log stream.
    pub id: String,
    /// `codepipeline/<pipeline>`, or the name of a user.
    pub initiator: String,
    pub owner: BuildOwner,
    pub started: Timestamp,
    /// The project's settings as the build has them, with what it overrides.
    pub settings: Settings,
    /// The version of the source that is resolved, a commit or a version of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_source_version: Option<String>,
    #[serde(default)]
    pub outputs: Vec<JobArtifact>,
    /// Whether somebody wants it to end.
    #[serde(default)]
    pub is_stopping: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<BuildEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<BuildToken>,
    /// Given by the store: the order in which builds were asked for.
    #[serde(skip)]
    pub place: u64,
    /// Given by the store: the build's number in its project.
    #[serde(skip)]
    pub number: u64,
    /// Given by the store: which writing of the record this is.
    #[serde(skip)]
    pub version: u64,
}

impl BuildRecord {
    /// The name of its project.
    pub fn project(&self) -> &str {
        &self.settings.name
    }
}

/// Who begins a build, and begins it anew when a crash took it along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BuildOwner {
    /// It was asked for by itself.
    Caller,
    /// It is an action's; its id is that of the action execution.
    Pipeline,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEnd {
    pub at: Timestamp,
    pub report: BuildReport,
}

/// A client's token, and the request that it came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildToken {
    pub token: String,
    /// The same for the same request.
    pub request: String,
}

#[derive(Clone, Copy, Debug)]
pub struct ListBuilds<'a> {
    pub project: Option<&'a str>,
    /// The place of the last build of the page before.
    pub behind: Option<u64>,
    pub newest_first: bool,
    pub limit: usize,
}

/// A line in a list of builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildName {
    pub place: u64,
    pub project: String,
    pub id: String,
}
