//! Inputs on their way to the agent: artifacts out of the object store, repositories cloned.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use model::{
    build::{BuildOrder, BuildStatus, EnvelopeInput, Failure},
    job::JobArtifact,
};
use ports::{ObjectStore, objects::ObjectError};
use serde::Deserialize;

use super::directory::Directory;
use crate::sandbox::{Ambient, program};

/// The largest artifact that may be a reference to a commit instead of the files themselves.
const REFERENCE_BYTES: u64 = 64 << 10;

/// How long the clone of one repository may take.
const CLONE_WITHIN: Duration = Duration::from_mins(30);

/// What a `CODEBUILD_CLONE_REF` artifact holds (spec 60 §1.2).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloneReference {
    repository_url: String,
    commit_id: String,
}

/// Where inputs come from.
pub(crate) struct Sources<'a> {
    pub(crate) objects: &'a dyn ObjectStore,
    /// What may be cloned: an artifact's text alone must not make this process read a repository.
    pub(crate) repositories: &'a [String],
    pub(crate) ambient: &'a Ambient,
}

/// Puts all inputs of an order into its directory, in its order.
pub(crate) async fn fetch(
    sources: &Sources<'_>,
    order: &BuildOrder,
    directory: &Directory,
) -> Result<Vec<EnvelopeInput>, Failure> {
    let mut fetched = Vec::new();
    for (index, input) in order.inputs.iter().enumerate() {
        let artifact = &input.artifact;
        // The names of artifacts stay out of the names of files.
        let path = directory.inputs().join(index.to_string());
        sources
            .objects
            .get(
                &artifact.bucket,
                &artifact.key,
                input.version.as_deref(),
                &path,
            )
            .await
            .map_err(|error| unreadable(artifact, &error))?;
        let path = match reference(&path) {
            Ok(None) => path,
            Ok(Some(reference)) => clone(sources, reference, directory, &path).await?,
            Err(error) => return Err(Failure::system(&format!("read {}", artifact.name), &error)),
        };
        fetched.push(EnvelopeInput {
            name: artifact.name.clone(),
            path,
            file_name: file_name(&artifact.key),
            source_version: input
                .source_version
                .clone()
                .unwrap_or_else(|| format!("arn:aws:s3:::{}/{}", artifact.bucket, artifact.key)),
            revision: artifact.revision.clone(),
        });
    }
    Ok(fetched)
}

fn unreadable(artifact: &JobArtifact, error: &ObjectError) -> Failure {
    let status = match error {
        ObjectError::NoSuchBucket(_)
        | ObjectError::NoSuchKey { .. }
        | ObjectError::NoSuchVersion { .. }
        | ObjectError::InvalidName(_)
        | ObjectError::Denied { .. }
        | ObjectError::Damaged { .. } => BuildStatus::Failed,
        ObjectError::Exists { .. }
        | ObjectError::NotEmpty(_)
        | ObjectError::Precondition { .. }
        | ObjectError::System { .. } => BuildStatus::Fault,
    };
    let message = format!(
        "the input artifact `{}` cannot be read: {error}",
        artifact.name
    );
    Failure::source(status, message)
}

/// The last part of a key: what the object is called.
fn file_name(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}

fn reference(path: &Path) -> io::Result<Option<CloneReference>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > REFERENCE_BYTES {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(REFERENCE_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

async fn clone(
    sources: &Sources<'_>,
    reference: CloneReference,
    directory: &Directory,
    pointer: &Path,
) -> Result<PathBuf, Failure> {
    let (url, commit) = (reference.repository_url, reference.commit_id);
    if !sources.repositories.contains(&url) {
        let message = format!("`{url}` is no repository that builds on this machine may clone");
        return Err(Failure::source(BuildStatus::Failed, message));
    }
    if !is_commit(&commit) {
        let message = format!("`{commit}` is not the whole id of a commit");
        return Err(Failure::source(BuildStatus::Failed, message));
    }
    let clone = Clone {
        url,
        commit,
        to: pointer.with_extension("clone"),
        settings: directory.envelope().with_file_name("gitconfig"),
        path: sources.ambient.path.clone(),
    };
    let to = clone.to.clone();
    match tokio::task::spawn_blocking(move || clone.make()).await {
        Ok(made) => made.map(|()| to),
        Err(error) => Err(Failure::system("clone a repository", &error)),
    }
}

/// A clone to be made.
struct Clone {
    url: String,
    commit: String,
    to: PathBuf,
    settings: PathBuf,
    path: OsString,
}

impl Clone {
    fn make(&self) -> Result<(), Failure> {
        // The repository may belong to another user, and what git is told on the command line
        // does not reach the process that reads it.
        std::fs::write(&self.settings, "[safe]\n\tdirectory = *\n")
            .map_err(|error| Failure::system("write git's settings", &error))?;
        let mut clone = self.git();
        clone
            .args([
                "clone",
                "--quiet",
                "--no-checkout",
                "--template=",
                "--no-local",
                "--",
            ])
            .args([self.url.as_ref(), self.to.as_os_str()]);
        call(&mut clone, &format!("clone `{}`", self.url))?;
        let mut checkout = self.git();
        checkout.args(["-C".as_ref(), self.to.as_os_str()]).args([
            "checkout",
            "--quiet",
            "--detach",
            &self.commit,
            "--",
        ]);
        call(
            &mut checkout,
            &format!("check out commit {} of `{}`", self.commit, self.url),
        )
    }

    /// Git without any settings of this machine or the user, and without questions.
    fn git(&self) -> Command {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", &self.settings)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "file:https:ssh")
            .args(["-c", "core.hooksPath=/dev/null"]);
        command
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn call(command: &mut Command, doing: &str) -> Result<(), Failure> {
    match program::run(command, CLONE_WITHIN) {
        Ok(answer) if answer.status.success() => Ok(()),
        Ok(answer) => {
            let message = format!("failed to {doing}: {}", answer.complaint());
            Err(Failure::source(BuildStatus::Failed, message))
        }
        Err(error) => Err(Failure::system(doing, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_words_of_a_reference_make_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            reference(&path).unwrap().is_some()
        };
        assert!(read(
            r#"{"repositoryUrl":"/r","commitId":"c","branchName":"main"}"#
        ));
        assert!(!read(r#"{"repositoryUrl":"/r"}"#));
        assert!(!read("PK\u{3}\u{4}"));
        assert!(!read(&" ".repeat(100_000)));
    }

    #[test]
    fn a_commit_is_named_in_full() {
        assert!(is_commit(&"a1".repeat(20)));
        assert!(!is_commit("main"));
        assert!(!is_commit("--upload-pack=x"));
        assert!(!is_commit(&"g".repeat(40)));
    }
}
