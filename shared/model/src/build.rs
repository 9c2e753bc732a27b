//! A build: the envelope that an agent gets, and what it reports.
//!
//! Whoever orders a build (a provider) names objects; whoever runs it (a runner) puts them where
//! the agent can reach them; the agent knows files only and needs no credentials.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    job::JobArtifact,
    project::{BuildVariable, Project},
};

mod course;
mod order;
mod outcome;
mod remote;

pub use course::{PHASES, note_phase};
pub use outcome::{Failure, Progress, blame, with_causes};
pub use remote::{
    AgentHeard, AgentInput, AgentOffer, AgentOrder, AgentPlace, OUTPUT_BYTES_MAX, RemoteInput,
};

/// An order to run one build, as a provider gives it to the runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildOrder {
    /// The action execution id: the same order twice starts one build.
    pub id: String,
    /// `codepipeline/<pipeline>` (spec 70 §4.9).
    pub initiator: String,
    pub pipeline: String,
    pub what: BuildKind,
    /// The first one is the primary source.
    pub inputs: Vec<BuildInput>,
    pub outputs: Vec<JobArtifact>,
    /// Overrides of the action; they win over the project's and the buildspec's.
    pub environment_variables: Vec<BuildVariable>,
    pub timeout_seconds: u64,
    /// The build's number in its project; without one the runner counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Whether outputs may be stored on top of what is there: a project's own place for artifacts is
    /// used by each of its builds.
    #[serde(default)]
    pub overwrites: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BuildKind {
    /// A project's build; the override replaces the project's buildspec.
    Project {
        project: Box<Project>,
        buildspec_override: Option<String>,
    },
    /// The commands of a Commands action (spec 60 §2.3).
    Commands {
        commands: Vec<String>,
        output_variables: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInput {
    pub artifact: JobArtifact,
    /// The version of the object; absent means the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What `CODEBUILD_SOURCE_VERSION` says; absent means the object's ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
}

impl From<JobArtifact> for BuildInput {
    /// An artifact of a pipeline: its object has one version.
    fn from(artifact: JobArtifact) -> Self {
        Self {
            artifact,
            version: None,
            source_version: None,
        }
    }
}

/// Where a build stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// The runner knows no such build, or lost it with the process that ran it.
    Unknown,
    Running,
    Finished(Box<BuildReport>),
}

/// How a build ended (spec 70 §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildReport {
    pub status: BuildStatus,
    pub phases: Vec<BuildPhase>,
    pub exported_variables: BTreeMap<String, String>,
    #[serde(default)]
    pub test_reports: Vec<TestReport>,
    /// How the build was kept apart from the machine: `bubblewrap`, `docker`, `podman`, `process`.
    pub isolation: String,
    /// The name of its log stream.
    pub log_stream: String,
    /// How many retries the buildspec's `on-failure` still asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_wanted: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BuildStatus {
    Succeeded,
    Failed,
    Fault,
    TimedOut,
    Stopped,
}

impl BuildStatus {
    /// The status as CodeBuild spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildPhase {
    pub phase_type: String,
    pub phase_status: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The counts of one test report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    pub name: String,
    pub status: String,
    pub total: u64,
    pub passed: u64,
    pub failed: u64,
    pub errors: u64,
    pub skipped: u64,
    /// `test: message`, at most as many as the agent keeps.
    pub failures: Vec<String>,
}

/// The form of the [`Envelope`] that this program writes and understands.
pub const ENVELOPE_VERSION: u32 = 1;

/// What a runner hands to an agent: files and words. It holds no credentials, secrets only as
/// references, and of the pipeline nothing but its name as the initiator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    pub version: u32,
    pub project: String,
    /// `<project>:<uuid>` (spec 70 §4.9).
    pub build_id: String,
    pub build_arn: String,
    pub build_number: u64,
    pub initiator: String,
    pub region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub work: EnvelopeWork,
    pub inputs: Vec<EnvelopeInput>,
    pub outputs: Vec<EnvelopeOutput>,
    /// They win over the buildspec's own; each name occurs once.
    pub variables: Vec<BuildVariable>,
    /// An empty directory that belongs to this build alone.
    pub directory: PathBuf,
    /// Where the project keeps what it wants to find again; absent means nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    pub timeout_seconds: u64,
    pub log_max_bytes: u64,
    /// How many retries of this build went before.
    pub retry: u32,
    /// Whether the agent's environment is that of an image, which builds begin with.
    pub inherits_environment: bool,
    /// Whether whatever the build leaves running ends with the agent by itself, because the agent
    /// is in a process namespace of its own.
    pub own_process_namespace: bool,
    /// Who is to own the files afterwards, when the agent is another user than the runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<FileOwner>,
}

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOwner {
    pub user: u32,
    pub group: u32,
}

/// What an agent is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EnvelopeWork {
    /// Inline YAML or a path below the primary source; absent means `buildspec.yml`.
    Buildspec(Option<String>),
    /// The commands of a Commands action; `files` are the patterns of its output.
    #[serde(rename_all = "camelCase")]
    Commands {
        commands: Vec<String>,
        output_variables: Vec<String>,
        files: Vec<String>,
    },
}

/// An input where the agent can read it; the first one is the primary source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvelopeInput {
    pub name: String,
    /// A ZIP, a directory or any other file.
    pub path: PathBuf,
    /// Of a file that is no ZIP: what it is called in the source tree.
    pub file_name: String,
    /// `arn:aws:s3:::<bucket>/<key>` (spec 70 §4.9).
    pub source_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// An output and the ZIP that the agent is to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvelopeOutput {
    pub name: String,
    pub path: PathBuf,
}

/// A line of JSON from the agent to its runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentMessage {
    /// A line of the log; secrets are masked in it.
    Log(String),
    /// A phase began, or ended.
    Phase(Box<BuildPhase>),
    /// The build names a secret or a parameter; the runner answers before anything else.
    Need(SecretNeed),
    /// The last message. The runner fills in the isolation and the log's name.
    Report(Box<BuildReport>),
}

/// What a build may ask for by reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretNeed {
    Parameter(String),
    #[serde(rename_all = "camelCase")]
    Secret {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version_stage: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version_id: Option<String>,
    },
}

/// A line of JSON from the runner to its agent. The end of the lines means [`Self::Stop`] too:
/// the runner is gone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunnerMessage {
    Stop,
    /// The value that was asked for. It is never written anywhere, so this type has no `Debug`.
    Value(String),
    /// Nothing has the name that was asked for.
    Missing,
    /// There is something of that name, but it is not to be had; the text says why.
    Refused(String),
}
