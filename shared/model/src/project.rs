//! A CodeBuild project, in CodeBuild's own field names: how the builds of an action run.

use serde::{Deserialize, Serialize};

mod settings;

pub use settings::{
    Artifacts, ArtifactsType, Cache, Environment, LogsConfig, LogsTarget, Namespace, Packaging,
    Settings, SettingsChange, Source, SourceType, Tag,
};

/// What a `CodeBuild` action's `ProjectName` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub source: ProjectSource,
    #[serde(default)]
    pub environment: ProjectEnvironment,
    #[serde(default)]
    pub cache: ProjectCache,
    /// How long one build may run, 5 to 2160 minutes.
    #[serde(default = "default_timeout_minutes")]
    pub timeout_in_minutes: u32,
}

fn default_timeout_minutes() -> u32 {
    60
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSource {
    /// Inline YAML, or a path below the primary source; absent means `buildspec.yml` (spec 70 §1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildspec: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectEnvironment {
    /// The container image; absent means that the build runs on this machine's own tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment_variables: Vec<BuildVariable>,
}

/// An environment variable of a build; the value of a secret is a reference to it (spec 70 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildVariable {
    pub name: String,
    pub value: String,
    #[serde(rename = "type", default)]
    pub kind: BuildVariableType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BuildVariableType {
    #[default]
    Plaintext,
    ParameterStore,
    SecretsManager,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectCache {
    #[serde(rename = "type", default)]
    pub kind: CacheType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CacheType {
    #[default]
    NoCache,
    S3,
    Local,
}
