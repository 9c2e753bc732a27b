//! From a record to a build that runs: its source is looked up, and the runner gets an order.

use std::io::Read as _;

use model::{
    build::{BuildInput, BuildKind, BuildOrder, BuildStatus},
    job::JobArtifact,
    project::SourceType,
};
use ports::{
    StoreError, build_records::BuildRecord, builds::BuildError, repositories::RepositoryError,
};

use super::{
    CodeBuild, CodeBuildError,
    close::close,
    settings::{object_of, repository_of},
    source_object,
    trouble::Trouble,
};

/// The largest buildspec that is taken out of a bucket.
const BUILDSPEC_BYTES_MAX: u64 = 1024 * 1024;

/// The name of the only input.
const INPUT: &str = "Source";

/// Why there is no order.
enum Stop {
    /// The build has failed.
    Ended(Trouble),
    /// Nothing has happened yet, and it is tried again.
    Later(CodeBuildError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Later(error.into())
    }
}

/// Gives a build to the runner; one that cannot begin is closed as failed.
pub(super) async fn begin(
    codebuild: &CodeBuild,
    record: &BuildRecord,
) -> Result<(), CodeBuildError> {
    let trouble = match order(codebuild, record).await {
        Ok(order) => match codebuild.runner.start(order).await {
            Ok(()) => return Ok(()),
            Err(error) => not_started(&error),
        },
        Err(Stop::Ended(trouble)) => trouble,
        Err(Stop::Later(error)) => return Err(error),
    };
    let report = trouble.report(codebuild, record);
    close(codebuild, &record.id, report).await
}

/// What a build failed with that its runner would not take.
pub(super) fn not_started(error: &BuildError) -> Trouble {
    let (status, code) = match error {
        BuildError::Refused(_) | BuildError::Input(_) => (BuildStatus::Failed, "CLIENT_ERROR"),
        BuildError::System { .. } => (BuildStatus::Fault, "INTERNAL_SERVICE_ERROR"),
    };
    Trouble {
        phase: "PROVISIONING",
        status,
        code,
        message: error.to_string(),
    }
}

async fn order(codebuild: &CodeBuild, record: &BuildRecord) -> Result<BuildOrder, Stop> {
    let settings = &record.settings;
    let project = settings.project();
    let buildspec_override = match settings.source.buildspec.as_deref() {
        Some(arn) if arn.starts_with("arn:") => Some(stored_buildspec(codebuild, arn).await?),
        _ => None,
    };
    let inputs = match settings.source.kind {
        SourceType::NoSource | SourceType::CodePipeline => Vec::new(),
        SourceType::S3 => vec![object(record)?],
        SourceType::CodeCommit => vec![tree(codebuild, record).await?],
    };
    Ok(BuildOrder {
        id: record.id.clone(),
        initiator: record.initiator.clone(),
        pipeline: String::new(),
        timeout_seconds: u64::from(project.timeout_in_minutes) * 60,
        what: BuildKind::Project {
            project: Box::new(project),
            buildspec_override,
        },
        inputs,
        outputs: record.outputs.clone(),
        environment_variables: Vec::new(),
        number: Some(record.number),
        overwrites: true,
    })
}

fn bad_source(error: &CodeBuildError) -> Stop {
    Stop::Ended(Trouble::source(BuildStatus::Failed, error.to_string()))
}

/// An object in a bucket, as the source or one version of it.
fn object(record: &BuildRecord) -> Result<BuildInput, Stop> {
    let location = record.settings.source.location.as_deref();
    let (bucket, key) =
        object_of(location.unwrap_or_default()).map_err(|error| bad_source(&error))?;
    let version = record.settings.source_version.clone();
    Ok(BuildInput {
        artifact: artifact(bucket, key, None),
        source_version: version.clone(),
        version: version.filter(|version| !version.is_empty()),
    })
}

fn artifact(bucket: &str, key: &str, revision: Option<String>) -> JobArtifact {
    JobArtifact {
        name: INPUT.to_owned(),
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        revision,
        files: Vec::new(),
    }
}

/// The files of a commit, packed into an object of the build's own.
///
/// Which commit it is is on record first: a build that begins again builds the same one.
async fn tree(codebuild: &CodeBuild, record: &BuildRecord) -> Result<BuildInput, Stop> {
    let location = record.settings.source.location.as_deref();
    let repository =
        repository_of(location.unwrap_or_default()).map_err(|error| bad_source(&error))?;
    let asked = record.settings.source_version.as_deref();
    let asked = asked.filter(|version| !version.is_empty());
    let revision = record.resolved_source_version.as_deref().or(asked);
    let repositories = &codebuild.world.repositories;
    let commit = repositories.commit(repository, plain(revision.unwrap_or("HEAD")));
    let commit = commit.await.map_err(|error| no_commit(&error))?;
    if record.resolved_source_version.is_none() {
        let resolved = BuildRecord {
            resolved_source_version: Some(commit.id.clone()),
            ..record.clone()
        };
        codebuild.builds.replace_build(&resolved).await?;
    }
    let folder = tempfile::TempDir::with_prefix("pipewright-source-");
    let folder = folder.map_err(|error| no_room(&error))?;
    let file = folder.path().join("source.zip");
    let archived = repositories.archive(repository, &commit, &file).await;
    archived.map_err(|error| no_commit(&error))?;
    let stored = source_object::put(codebuild, record, &file).await;
    let (bucket, key) = stored.map_err(|error| {
        let message = format!("the source cannot be stored: {error}");
        Stop::Ended(Trouble::source(BuildStatus::Fault, message))
    })?;
    Ok(BuildInput {
        artifact: artifact(&bucket, &key, Some(commit.id.clone())),
        version: None,
        source_version: Some(asked.map_or_else(|| commit.id.clone(), str::to_owned)),
    })
}

/// The commit in `refs/heads/main^{<commit>}`, and anything else as it is (spec 70 §8).
fn plain(version: &str) -> &str {
    let commit = version.split_once("^{").map(|(_, rest)| rest);
    commit
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(version)
}

fn no_room(error: &std::io::Error) -> Stop {
    let message = format!("failed to make a temporary folder: {error}");
    Stop::Ended(Trouble::source(BuildStatus::Fault, message))
}

fn no_commit(error: &RepositoryError) -> Stop {
    let status = match error {
        RepositoryError::NotFound(_)
        | RepositoryError::NoRevision { .. }
        | RepositoryError::Git { .. } => BuildStatus::Failed,
        RepositoryError::Io { .. } => BuildStatus::Fault,
    };
    Stop::Ended(Trouble::source(status, error.to_string()))
}

/// The buildspec that lies in a bucket, as if it had been written inline.
async fn stored_buildspec(codebuild: &CodeBuild, arn: &str) -> Result<String, Stop> {
    let failed = |why: String| {
        Stop::Ended(Trouble {
            phase: "DOWNLOAD_SOURCE",
            status: BuildStatus::Failed,
            code: "YAML_FILE_ERROR",
            message: format!("the buildspec at {arn} cannot be used: {why}"),
        })
    };
    let (bucket, key) = object_of(arn).map_err(|error| failed(error.to_string()))?;
    let opened = codebuild.world.objects.open(bucket, key, None).await;
    let (info, file) = opened.map_err(|error| failed(error.to_string()))?;
    if info.size > BUILDSPEC_BYTES_MAX {
        return Err(failed(format!(
            "it has more than {BUILDSPEC_BYTES_MAX} bytes"
        )));
    }
    let mut text = String::new();
    file.take(BUILDSPEC_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    // The line break tells an inline buildspec from a path.
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_name_a_branch_and_its_commit() {
        assert_eq!(plain("refs/heads/main^{abc}"), "abc");
        for version in ["main", "refs/tags/v1", "x^{"] {
            assert_eq!(plain(version), version);
        }
    }
}
