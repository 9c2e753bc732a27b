//! A buildspec as its author wrote it: defaults filled in, nothing expanded (spec 70 §2).

use std::collections::BTreeMap;

/// A whole buildspec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buildspec {
    pub version: Version,
    /// The Linux user of all commands; absent means whoever runs the agent.
    pub run_as: Option<String>,
    pub env: Env,
    pub phases: Phases,
    pub reports: Vec<ReportGroup>,
    pub artifacts: Option<Artifacts>,
    pub cache: Option<Cache>,
}

/// How the commands share a shell (spec 70 §9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Each command in a shell of its own.
    V01,
    /// One shell for all commands.
    #[default]
    V02,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    pub shell: ShellKind,
    /// Literal values: nothing in them is expanded (spec 70 §4.1).
    pub variables: BTreeMap<String, String>,
    /// Variable name to parameter name.
    pub parameter_store: BTreeMap<String, String>,
    /// Variable name to secret reference, unparsed.
    pub secrets_manager: BTreeMap<String, String>,
    pub exported_variables: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShellKind {
    #[default]
    Sh,
    Bash,
}

/// The four phases that run commands; an absent one runs empty and succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    pub install: Option<Phase>,
    pub pre_build: Option<Phase>,
    pub build: Option<Phase>,
    pub post_build: Option<Phase>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// Wins over [`Buildspec::run_as`].
    pub run_as: Option<String>,
    pub on_failure: Option<OnFailure>,
    /// Install only: runtime to version, as written.
    pub runtime_versions: BTreeMap<String, String>,
    pub commands: Vec<String>,
    pub finally: Vec<String>,
}

/// What a failed phase does to the build (spec 70 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No further phase runs.
    Abort,
    /// The next phase runs as if this one had not failed.
    Continue,
    /// A new build with the same inputs starts, at most `limit` times, when the message of the
    /// phase matches `pattern`.
    Retry { limit: u32, pattern: String },
}

/// A `reports` entry: where test results lie and how to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportGroup {
    /// A name, an ARN, or text with shell variables.
    pub name: String,
    pub files: Vec<String>,
    /// As written, in upper case; whether it can be read is decided when it is.
    pub format: String,
    pub base_directory: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    pub primary: FileSet,
    /// By artifact identifier.
    pub secondary: BTreeMap<String, FileSet>,
}

/// Which files make an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSet {
    pub files: Vec<String>,
    /// Evaluated by the shell when the artifact is packed.
    pub name: Option<String>,
    pub discard_paths: bool,
    /// A directory or a pattern of directories.
    pub base_directory: Option<String>,
    pub exclude_paths: Vec<String>,
    pub enable_symlinks: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    pub key: Option<String>,
    pub fallback_keys: Vec<String>,
    pub restore: bool,
    pub save: bool,
    pub paths: Vec<String>,
}
