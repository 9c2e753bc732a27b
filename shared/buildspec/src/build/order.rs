//! An order says what to build, from what, into what; it is all that a build needs to know.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What a build prints at most, its own lines not counted; an order can only lower it.
pub const LOG_MAX_BYTES: u64 = 100 * 1024 * 1024;

/// The envelope of one build. It carries secrets as references, unless whoever wrote it put one
/// into a plain variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Order {
    pub project_name: String,
    pub project_arn: Option<String>,
    /// `<project>:<uuid>` (spec 70 §4.9).
    pub build_id: String,
    pub build_arn: Option<String>,
    pub build_number: Option<u64>,
    pub build_image: Option<String>,
    pub build_url: Option<String>,
    pub public_build_url: Option<String>,
    pub initiator: Option<String>,
    pub kms_key_id: Option<String>,
    pub region: String,
    /// When the build was asked for, in milliseconds; absent means when it starts to run.
    pub start_time_ms: Option<i64>,
    pub webhook: Option<Webhook>,
    /// The build's own inputs; without one marked primary, the first is.
    pub inputs: Vec<Input>,
    /// Where artifacts go; with none, the buildspec's `artifacts` are ignored.
    pub outputs: Vec<Output>,
    /// They win over the buildspec's `env`; of two with one name the later wins.
    pub environment_variables: Vec<Variable>,
    /// Inline YAML or a path below the primary source; absent or empty means `buildspec.yml`.
    pub buildspec: Option<String>,
    /// A list of commands in place of a buildspec: the Commands action (spec 60 §2.3).
    pub commands: Option<Commands>,
    /// An existing directory that belongs to this build alone.
    pub work: PathBuf,
    /// Where caches are kept between builds; absent means none.
    pub cache: Option<PathBuf>,
    /// The `PATH` of the commands.
    pub path: String,
    /// What the image sets; everything else wins over it (spec 70 §4.1).
    pub image_environment: BTreeMap<String, String>,
    pub timeout_seconds: u64,
    /// Lowers [`LOG_MAX_BYTES`].
    pub log_max_bytes: Option<u64>,
    /// How many retries of this build went before (spec 70 §3, `autoRetryNumber`).
    pub auto_retry_number: u32,
}

/// An artifact that the build reads; a clone, too, comes as the directory that somebody made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Input {
    pub name: String,
    /// A ZIP, a directory or any other file.
    pub location: PathBuf,
    /// The name that a file which is no ZIP gets in the source tree; absent means its own.
    pub file_name: Option<String>,
    pub primary: bool,
    /// `CODEBUILD_SOURCE_REPO_URL`; empty from a pipeline.
    pub repo_url: Option<String>,
    pub source_version: Option<String>,
    pub resolved_source_version: Option<String>,
}

/// An artifact that the build writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    pub name: String,
    /// The path of the ZIP to write.
    pub location: PathBuf,
}

/// An environment variable as CodeBuild spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    pub value: String,
    #[serde(rename = "type", default)]
    pub kind: VariableType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VariableType {
    #[default]
    Plaintext,
    /// The value is the name of a parameter.
    ParameterStore,
    /// The value is a secret reference (spec 70 §4.2).
    SecretsManager,
}

/// What the Commands action asks for (spec 60 §2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Commands {
    pub commands: Vec<String>,
    /// Environment variables that are reported when the commands are through.
    pub output_variables: Vec<String>,
    /// The patterns of the output artifact.
    pub files: Vec<String>,
}

/// The change that a webhook told of (spec 70 §4.9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Webhook {
    pub actor_account_id: Option<String>,
    pub base_ref: Option<String>,
    pub event: Option<String>,
    pub head_ref: Option<String>,
    pub merge_commit: Option<String>,
    pub prev_commit: Option<String>,
    pub trigger: Option<String>,
}
