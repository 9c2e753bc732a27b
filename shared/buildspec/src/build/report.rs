//! A report says how a build ended and what it left (spec 70 §3, §8).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The end of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub build_status: Status,
    /// From `DOWNLOAD_SOURCE` on; the phases before belong to whoever starts the build. A phase
    /// that did not run is absent.
    pub phases: Vec<PhaseReport>,
    pub exported_variables: Vec<ExportedVariable>,
    pub artifacts: Vec<Artifact>,
    pub reports: Vec<TestReport>,
    /// The buildspec asks for a new build with the same inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_wanted: Option<RetryWanted>,
    pub log: LogSummary,
}

impl Report {
    /// The first phase that went wrong, for a message that names it.
    pub fn failed_phase(&self) -> Option<&PhaseReport> {
        self.phases.iter().find(|phase| {
            phase
                .phase_status
                .is_some_and(|s| s != Status::Succeeded && s != Status::InProgress)
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Succeeded,
    Failed,
    /// This machine failed, not the build.
    Fault,
    TimedOut,
    InProgress,
    Stopped,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::InProgress => "IN_PROGRESS",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhaseType {
    DownloadSource,
    Install,
    PreBuild,
    Build,
    PostBuild,
    UploadArtifacts,
    Finalizing,
    Completed,
}

impl PhaseType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DownloadSource => "DOWNLOAD_SOURCE",
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
            Self::UploadArtifacts => "UPLOAD_ARTIFACTS",
            Self::Finalizing => "FINALIZING",
            Self::Completed => "COMPLETED",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseReport {
    pub phase_type: PhaseType,
    /// `COMPLETED` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_status: Option<Status>,
    pub start_time_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time_ms: Option<i64>,
    /// A phase that succeeded has one context of two empty strings (spec 70 §3).
    #[serde(default)]
    pub contexts: Vec<Context>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    pub status_code: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedVariable {
    pub name: String,
    pub value: String,
}

/// An artifact that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The name of the order's output.
    pub name: String,
    pub location: PathBuf,
    /// The buildspec's `name`, expanded; a pipeline ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    pub sha256: String,
    pub files: usize,
    /// The size of the ZIP.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TestReportStatus {
    Succeeded,
    /// A test failed; the build does not fail for it (spec 70 §6.2).
    Failed,
    /// The results could not be read, or not all of them.
    Incomplete,
}

/// The test results of one report group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// The name of the group as the buildspec has it, expanded.
    pub name: String,
    /// The name of the report group: `<project>-<name>`, or the one that an ARN names.
    pub group: String,
    pub format: String,
    pub status: TestReportStatus,
    /// Why the report is incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub total: u64,
    pub passed: u64,
    pub failed: u64,
    pub errors: u64,
    pub skipped: u64,
    pub duration_ms: u64,
    pub failures: Vec<TestFailure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestFailure {
    pub suite: String,
    pub name: String,
    /// `FAILED` or `ERROR`.
    pub status: String,
    pub message: String,
}

/// What `on-failure: RETRY` asks for; the caller runs the build again with
/// `auto_retry_number + 1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryWanted {
    pub phase: PhaseType,
    /// How many retries there may be altogether.
    pub limit: u32,
    /// The expression that the phase's message matched.
    pub pattern: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogSummary {
    /// What reached the sink.
    pub bytes: u64,
    /// What the commands printed.
    pub printed_bytes: u64,
    /// Whether something of it was left out because of the cap.
    pub truncated: bool,
}
