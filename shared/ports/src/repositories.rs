//! Git repositories by name: what CodeCommit is on one machine.

use std::path::Path;

use async_trait::async_trait;
use thiserror::Error;

#[async_trait]
pub trait Repositories: Send + Sync {
    /// The commit at the head of a branch.
    ///
    /// Of a working tree this is what lies there now, changes that were never committed included.
    async fn head(&self, repository: &str, branch: &str) -> Result<Commit, RepositoryError>;

    /// The commit of that id (full, or a revision that git resolves).
    async fn commit(&self, repository: &str, id: &str) -> Result<Commit, RepositoryError>;

    /// Writes the tree of a commit as a ZIP, without `.git`; modes and symlinks are kept.
    async fn archive(
        &self,
        repository: &str,
        commit: &Commit,
        to: &Path,
    ) -> Result<(), RepositoryError>;

    /// A URL or path that `git clone` takes.
    async fn clone_url(&self, repository: &str) -> Result<String, RepositoryError>;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub message: String,
    /// ISO 8601, UTC, to the second.
    pub author_date: String,
    pub committer_date: String,
    /// How many files of the working tree differ from the commit and go along.
    pub uncommitted_files: usize,
}

#[derive(Debug, Error)]
pub enum RepositoryError {
    #[error("no repository has the name `{0}`")]
    NotFound(String),
    #[error("repository `{repository}` has no branch, tag or commit `{revision}`")]
    NoRevision {
        repository: String,
        revision: String,
    },
    /// Git itself failed; the text is what it said.
    #[error("failed to {doing} in repository `{repository}`: {said}")]
    Git {
        repository: String,
        doing: String,
        said: String,
    },
    #[error("failed to {doing}")]
    Io {
        doing: String,
        #[source]
        source: std::io::Error,
    },
}
