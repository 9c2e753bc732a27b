//! Source, CodeCommit: a commit of a git repository becomes an artifact (spec 60 §1.2).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::{
    ActionOutput, Job, Timestamp,
    job::ErrorDetails,
    state::{RevisionType, SourceRevision},
};
use ports::{World, repositories::Commit};
use serde::{Deserialize, Serialize};

use crate::{
    Progress, Provider,
    artifacts::{self, Format, Scratch},
    failure,
    settings::Settings,
};

const KEYS: [&str; 4] = [
    "RepositoryName",
    "BranchName",
    "PollForSourceChanges",
    "OutputArtifactFormat",
];

/// How much of a commit message becomes the variable (spec 60 §1.2).
const MESSAGE_BYTES_MAX: usize = 100 * 1024;

/// How much of it is stored with the artifact: S3 takes 2 KB of metadata.
const STORED_MESSAGE_BYTES_MAX: usize = 1024;

pub struct CodeCommit;

#[async_trait]
impl Provider for CodeCommit {
    fn check(&self, configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        check(Settings::of(configuration, &KEYS)?)
    }

    async fn start(&self, world: &World, job: &Job) -> Progress {
        source(world, job).await.into()
    }

    /// It ended when it began; who asks again lost the answer.
    async fn poll(&self, world: &World, job: &Job) -> Progress {
        source(world, job).await.into()
    }

    async fn stop(&self, _world: &World, _job: &Job) {}
}

/// What a `CODEBUILD_CLONE_REF` artifact says; the build clones the commit itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CloneReference<'a> {
    repository_url: &'a str,
    commit_id: &'a str,
    branch_name: &'a str,
}

struct Asked<'a> {
    repository: &'a str,
    branch: &'a str,
    commit: Option<&'a str>,
    as_reference: bool,
}

async fn source(world: &World, job: &Job) -> Result<ActionOutput, ErrorDetails> {
    let asked = asked(job)?;
    let output = artifacts::only_output(job)?;
    let find = async |id: &str| {
        let found = world.repositories.commit(asked.repository, id).await;
        found.map_err(|error| failure::of_repository(&error))
    };
    if let Some(stored) = artifacts::stored_revision(world, output).await? {
        return Ok(result(&asked, &unpacked(&stored)?));
    }
    let commit = if let Some(id) = asked.commit {
        find(id).await?
    } else {
        let head = world.repositories.head(asked.repository, asked.branch);
        head.await.map_err(|error| failure::of_repository(&error))?
    };
    let scratch = Scratch::new()?;
    let file = scratch.file("source");
    let format = if asked.as_reference {
        write_reference(world, &asked, &commit, &file).await?;
        Format::CloneReference
    } else {
        let archived = world.repositories.archive(asked.repository, &commit, &file);
        archived
            .await
            .map_err(|error| failure::of_repository(&error))?;
        Format::Bytes(Some("application/zip"))
    };
    let packed = packed(&commit)?;
    let stored = artifacts::store_revision(world, output, &file, &packed, format).await?;
    if stored == packed {
        return Ok(result(&asked, &commit));
    }
    Ok(result(&asked, &unpacked(&stored)?))
}

/// A commit as it is stored with its artifact: a job that is done again after a crash must not ask
/// the repository, where a folder may have changed meanwhile.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    id: Cow<'a, str>,
    message: Cow<'a, str>,
    author_date: Cow<'a, str>,
    committer_date: Cow<'a, str>,
}

fn packed(commit: &Commit) -> Result<String, ErrorDetails> {
    let packed = Packed {
        id: Cow::Borrowed(&commit.id),
        message: Cow::Borrowed(cut(&commit.message, STORED_MESSAGE_BYTES_MAX)),
        author_date: Cow::Borrowed(&commit.author_date),
        committer_date: Cow::Borrowed(&commit.committer_date),
    };
    serde_json::to_string(&packed).map_err(|error| {
        ErrorDetails::system(format!(
            "the commit cannot be stored with its artifact: {error}"
        ))
    })
}

fn unpacked(stored: &str) -> Result<Commit, ErrorDetails> {
    let packed: Packed<'_> = serde_json::from_str(stored).map_err(|error| {
        ErrorDetails::system(format!(
            "the commit stored with the artifact is damaged: {error}"
        ))
    })?;
    Ok(Commit {
        id: packed.id.into_owned(),
        message: packed.message.into_owned(),
        author_date: packed.author_date.into_owned(),
        committer_date: packed.committer_date.into_owned(),
        ..Commit::default()
    })
}

/// The beginning of a text, whole characters of it.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What an output may be: the files, or where they can be cloned.
const FORMATS: [&str; 2] = ["CODE_ZIP", "CODEBUILD_CLONE_REF"];

fn check(settings: Settings<'_>) -> Result<(), ErrorDetails> {
    settings.flag("PollForSourceChanges")?;
    settings.one_of("OutputArtifactFormat", &FORMATS)?;
    settings.required("RepositoryName")?;
    settings.required("BranchName").map(drop)
}

fn asked(job: &Job) -> Result<Asked<'_>, ErrorDetails> {
    let settings = Settings::of(&job.configuration, &KEYS)?;
    check(settings)?;
    let format = settings.optional("OutputArtifactFormat");
    let mut asked = Asked {
        repository: settings.required("RepositoryName")?,
        branch: settings.required("BranchName")?,
        commit: None,
        as_reference: format == Some("CODEBUILD_CLONE_REF"),
    };
    for pinned in &job.overrides {
        match pinned.revision_type {
            RevisionType::CommitId => asked.commit = Some(&pinned.revision_value),
            RevisionType::ImageDigest
            | RevisionType::S3ObjectVersionId
            | RevisionType::S3ObjectKey => {
                let kind = pinned.revision_type;
                let text = format!("a CodeCommit source has no revision of type {kind:?}");
                return Err(ErrorDetails::configuration(text));
            }
        }
    }
    Ok(asked)
}

async fn write_reference(
    world: &World,
    asked: &Asked<'_>,
    commit: &Commit,
    to: &std::path::Path,
) -> Result<(), ErrorDetails> {
    let url = world.repositories.clone_url(asked.repository).await;
    let url = url.map_err(|error| failure::of_repository(&error))?;
    let reference = CloneReference {
        repository_url: &url,
        commit_id: &commit.id,
        branch_name: asked.branch,
    };
    let json = serde_json::to_vec(&reference).map_err(std::io::Error::other);
    json.and_then(|json| std::fs::write(to, json))
        .map_err(|error| failure::of_io("write a reference to a commit", &error))
}

fn result(asked: &Asked<'_>, commit: &Commit) -> ActionOutput {
    let message = cut(&commit.message, MESSAGE_BYTES_MAX).to_owned();
    let summary = Some(message.clone()).filter(|text| !text.is_empty());
    let variables: BTreeMap<String, String> = [
        ("AuthorDate", commit.author_date.clone()),
        ("BranchName", asked.branch.to_owned()),
        ("CommitId", commit.id.clone()),
        ("CommitMessage", message),
        ("CommitterDate", commit.committer_date.clone()),
        ("RepositoryName", asked.repository.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let created: Option<jiff::Timestamp> = commit.committer_date.parse().ok();
    ActionOutput {
        external_execution_id: Some(commit.id.clone()),
        summary: summary.clone(),
        revision: Some(SourceRevision {
            revision_id: commit.id.clone(),
            revision_summary: summary,
            revision_url: None,
            // Commits are told apart by when they were made (spec 40 §5).
            revision_change_identifier: Some(commit.committer_date.clone())
                .filter(|date| !date.is_empty()),
            created: created.map(|at| Timestamp(at.as_millisecond())),
        }),
        variables: Arc::new(variables),
        ..ActionOutput::default()
    }
}

#[cfg(test)]
mod tests;
