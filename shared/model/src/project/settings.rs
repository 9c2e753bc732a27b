//! What a project's owner says of it, in the words of the `CodeBuild` API.
//!
//! A member that is absent was not sent, or has its default filled in by [`Settings::complete`].
//! What has no effect here and misleads nobody (roles, compute types) is kept to be shown again.

use serde::{Deserialize, Serialize};

use super::{
    BuildVariable, CacheType, Project, ProjectCache, ProjectEnvironment, ProjectSource,
    default_timeout_minutes,
};

/// How long a build may wait for its turn unless the project says otherwise (spec 70 §10).
const QUEUED_TIMEOUT_MINUTES: u32 = 480;

/// All of a project but its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub source: Source,
    /// Which version of the source is built unless a build names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    pub artifacts: Artifacts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    pub environment: Environment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_role: Option<String>,
    /// How long one build may run, 5 to 2160 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<u32>,
    /// How long one build may wait for its turn, 5 to 480 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_timeout_in_minutes: Option<u32>,
    /// The key of artifacts elsewhere; nothing is encrypted with it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    #[serde(default)]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_config: Option<LogsConfig>,
    /// How many builds may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_build_limit: Option<u32>,
}

/// What is to be different about a project; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SettingsChange {
    pub description: Option<String>,
    pub source: Option<Source>,
    pub source_version: Option<String>,
    pub artifacts: Option<Artifacts>,
    pub cache: Option<Cache>,
    pub environment: Option<Environment>,
    pub service_role: Option<String>,
    pub timeout_in_minutes: Option<u32>,
    pub queued_timeout_in_minutes: Option<u32>,
    pub encryption_key: Option<String>,
    pub tags: Option<Vec<Tag>>,
    pub logs_config: Option<LogsConfig>,
    pub concurrent_build_limit: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// Of S3: `bucket/key`, or an object's ARN. Of CodeCommit: a URL that ends with the name of a
    /// repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Inline YAML, or a path below the source, or an object's ARN; absent means `buildspec.yml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildspec: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_clone_depth: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_ssl: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceType {
    #[serde(rename = "CODECOMMIT")]
    CodeCommit,
    #[serde(rename = "CODEPIPELINE")]
    CodePipeline,
    S3,
    #[serde(rename = "NO_SOURCE")]
    NoSource,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    #[serde(rename = "type")]
    pub kind: ArtifactsType,
    /// The bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_type: Option<Namespace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packaging: Option<Packaging>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_artifact_name: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_disabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_owner_access: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArtifactsType {
    #[serde(rename = "CODEPIPELINE")]
    CodePipeline,
    S3,
    #[serde(rename = "NO_ARTIFACTS")]
    NoArtifacts,
}

/// Whether each build has a folder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Namespace {
    None,
    BuildId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Packaging {
    None,
    Zip,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    #[serde(rename = "type")]
    pub kind: CacheType,
    /// The bucket that it would lie in elsewhere; here every cache lies beside the builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_type: Option<String>,
    #[serde(default)]
    pub environment_variables: Vec<BuildVariable>,
    /// Never true.
    #[serde(default)]
    pub privileged_mode: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_credentials_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_logs: Option<LogsTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_logs: Option<LogsTarget>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsTarget {
    pub status: String,
}

impl Settings {
    /// The settings of a project that a pipeline file declares.
    pub fn of_pipeline(project: &Project) -> Self {
        let environment = &project.environment;
        let cache = Cache {
            kind: project.cache.kind,
            location: None,
            modes: None,
        };
        Self {
            name: project.name.clone(),
            description: project.description.clone(),
            source: Source {
                kind: SourceType::CodePipeline,
                location: None,
                buildspec: project.source.buildspec.clone(),
                git_clone_depth: None,
                insecure_ssl: None,
            },
            source_version: None,
            artifacts: Artifacts::of(ArtifactsType::CodePipeline),
            cache: Some(cache),
            environment: Environment {
                image: environment.image.clone(),
                environment_variables: environment.environment_variables.clone(),
                ..Environment::default()
            },
            service_role: None,
            timeout_in_minutes: Some(project.timeout_in_minutes),
            queued_timeout_in_minutes: Some(QUEUED_TIMEOUT_MINUTES),
            encryption_key: None,
            tags: Vec::new(),
            logs_config: None,
            concurrent_build_limit: None,
        }
    }

    /// Fills in what CodeBuild fills in.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.timeout_in_minutes
            .get_or_insert_with(default_timeout_minutes);
        self.queued_timeout_in_minutes
            .get_or_insert(QUEUED_TIMEOUT_MINUTES);
        self.cache.get_or_insert(Cache {
            kind: CacheType::NoCache,
            location: None,
            modes: None,
        });
        self
    }

    /// The settings with a change made to them.
    #[must_use]
    pub fn changed(self, change: SettingsChange) -> Self {
        Self {
            name: self.name,
            description: change.description.or(self.description),
            source: change.source.unwrap_or(self.source),
            source_version: change.source_version.or(self.source_version),
            artifacts: change.artifacts.unwrap_or(self.artifacts),
            cache: change.cache.or(self.cache),
            environment: change.environment.unwrap_or(self.environment),
            service_role: change.service_role.or(self.service_role),
            timeout_in_minutes: change.timeout_in_minutes.or(self.timeout_in_minutes),
            queued_timeout_in_minutes: change
                .queued_timeout_in_minutes
                .or(self.queued_timeout_in_minutes),
            encryption_key: change.encryption_key.or(self.encryption_key),
            tags: change.tags.unwrap_or(self.tags),
            logs_config: change.logs_config.or(self.logs_config),
            concurrent_build_limit: change
                .concurrent_build_limit
                .or(self.concurrent_build_limit),
        }
    }

    /// What a build of the project needs to know of it.
    pub fn project(&self) -> Project {
        let cache = self.cache.as_ref();
        Project {
            name: self.name.clone(),
            description: self.description.clone(),
            source: ProjectSource {
                buildspec: self.source.buildspec.clone(),
            },
            environment: ProjectEnvironment {
                image: self.environment.image.clone(),
                environment_variables: self.environment.environment_variables.clone(),
            },
            cache: ProjectCache {
                kind: cache.map_or(CacheType::NoCache, |cache| cache.kind),
            },
            timeout_in_minutes: self
                .timeout_in_minutes
                .unwrap_or_else(default_timeout_minutes),
        }
    }

    /// How long a build may wait for its turn.
    pub fn queued_timeout_minutes(&self) -> u32 {
        self.queued_timeout_in_minutes
            .unwrap_or(QUEUED_TIMEOUT_MINUTES)
    }
}

impl Artifacts {
    /// Artifacts of that kind of which nothing else is said.
    pub fn of(kind: ArtifactsType) -> Self {
        Self {
            kind,
            location: None,
            path: None,
            namespace_type: None,
            name: None,
            packaging: None,
            override_artifact_name: None,
            encryption_disabled: None,
            bucket_owner_access: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_of_a_pipeline_file_is_the_same_after_it_was_stored() {
        let json = r#"{"name": "web", "description": "d", "timeoutInMinutes": 7,
            "source": {"buildspec": "build/spec.yml"},
            "environment": {"image": "rust:1", "environmentVariables":
                [{"name": "A", "value": "1", "type": "PARAMETER_STORE"}]},
            "cache": {"type": "S3"}}"#;
        let project: Project = serde_json::from_str(json).unwrap();
        let settings = Settings::of_pipeline(&project);
        let text = serde_json::to_string(&settings).unwrap();
        let read: Settings = serde_json::from_str(&text).unwrap();
        assert_eq!(read, settings);
        assert_eq!(read.project(), project);
        assert_eq!(read.clone().complete(), read, "nothing was missing");
    }

    #[test]
    fn what_was_not_sent_gets_the_defaults_of_codebuild() {
        let json = r#"{"name": "web", "source": {"type": "NO_SOURCE"},
            "artifacts": {"type": "NO_ARTIFACTS"}, "environment": {}}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        let settings = settings.complete();
        assert_eq!(settings.timeout_in_minutes, Some(60));
        assert_eq!(settings.queued_timeout_minutes(), 480);
        assert_eq!(settings.cache.unwrap().kind, CacheType::NoCache);
    }
}
