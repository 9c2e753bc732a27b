//! Git repositories of this machine by name, and folders that are treated as if they were some.
//!
//! `git` is called as a program, with an environment of its own: no system configuration, no
//! prompts, no hooks. Nothing is ever written into a repository that was given; what a working tree
//! holds beyond its last commit becomes a commit in a repository beside (see [`snapshot`]), so that
//! its id names exactly what was taken and can be fetched again.

mod archive;
mod directory;
mod git;
mod snapshot;
mod tree;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use ports::{
    Repositories,
    repositories::{Commit, RepositoryError},
};

use git::Git;

/// The largest source that is archived (spec 60 §1.2), and how many files it may have.
pub const ARCHIVE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
pub const ARCHIVE_FILES_MAX: usize = 100_000;

/// What stands behind the name of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A git repository, bare or not: its branches, tags and commits.
    Repository,
    /// A git working tree, or a folder inside one: what is checked out there.
    WorkingTree {
        /// Files that were changed or added and never committed go along; ignored ones do not.
        include_uncommitted: bool,
    },
    /// A folder with no git at all: the files that lie there.
    Directory,
}

/// Repositories by name.
#[derive(Clone)]
pub struct GitRepositories {
    inner: Arc<Inner>,
}

struct Inner {
    sources: BTreeMap<String, Source>,
    fallback: Option<Source>,
    /// Where bare repositories are that were pushed here: `<name>.git`.
    folder: Option<PathBuf>,
    /// Where snapshots of working trees are kept.
    snapshots: PathBuf,
    /// Folders that never belong to a source: Pipewright's own state, for one.
    hidden: Vec<PathBuf>,
}

impl GitRepositories {
    /// Repositories by name; snapshots of working trees are kept in the folder `snapshots`.
    pub fn new(sources: BTreeMap<String, Source>, snapshots: &Path) -> Self {
        let inner = Inner {
            sources,
            fallback: None,
            folder: None,
            snapshots: snapshots.to_owned(),
            hidden: vec![snapshots.to_owned()],
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What every name means that is not in the map.
    #[must_use]
    pub fn with_fallback(self, source: Source) -> Self {
        let mut inner = self.into_inner();
        inner.fallback = Some(source);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A folder of bare repositories, `<name>.git`, for the names that are not in the map.
    #[must_use]
    pub fn with_folder(self, folder: &Path) -> Self {
        let mut inner = self.into_inner();
        inner.folder = Some(folder.to_owned());
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A folder that no source contains, wherever it lies.
    #[must_use]
    pub fn hiding(self, folder: &Path) -> Self {
        let mut inner = self.into_inner();
        inner.hidden.push(folder.to_owned());
        Self {
            inner: Arc::new(inner),
        }
    }

    fn into_inner(self) -> Inner {
        Arc::try_unwrap(self.inner).unwrap_or_else(|shared| Inner {
            sources: shared.sources.clone(),
            fallback: shared.fallback.clone(),
            folder: shared.folder.clone(),
            snapshots: shared.snapshots.clone(),
            hidden: shared.hidden.clone(),
        })
    }

    /// Git and files block, so they are kept off the threads that run everything else.
    async fn blocking<T, F>(&self, name: &str, work: F) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        F: FnOnce(&Repository) -> Result<T, RepositoryError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let name = name.to_owned();
        let done = tokio::task::spawn_blocking(move || work(&inner.repository(name)?)).await;
        done.map_err(|error| RepositoryError::Io {
            doing: "finish work on a repository".to_owned(),
            source: std::io::Error::other(error),
        })?
    }
}

#[async_trait]
impl Repositories for GitRepositories {
    async fn head(&self, repository: &str, branch: &str) -> Result<Commit, RepositoryError> {
        let branch = branch.to_owned();
        self.blocking(repository, move |repository| repository.head(&branch))
            .await
    }

    async fn commit(&self, repository: &str, id: &str) -> Result<Commit, RepositoryError> {
        let id = id.to_owned();
        self.blocking(repository, move |repository| repository.commit(&id))
            .await
    }

    async fn archive(
        &self,
        repository: &str,
        commit: &Commit,
        to: &Path,
    ) -> Result<(), RepositoryError> {
        let (id, to) = (commit.id.clone(), to.to_owned());
        self.blocking(repository, move |repository| repository.archive(&id, &to))
            .await
    }

    async fn clone_url(&self, repository: &str) -> Result<String, RepositoryError> {
        self.blocking(repository, Repository::clone_url).await
    }
}

impl Inner {
    /// The repository of that name in the folder of those that were pushed here.
    fn pushed(&self, name: &str) -> Option<Source> {
        let path = bare_repository(self.folder.as_ref()?, name)?;
        let kind = Kind::Repository;
        path.is_dir().then_some(Source { path, kind })
    }

    fn repository(&self, name: String) -> Result<Repository, RepositoryError> {
        let listed = self.sources.get(&name).cloned();
        let pushed = || self.pushed(&name);
        let source = listed.or_else(pushed).or_else(|| self.fallback.clone());
        let Some(source) = source else {
            return Err(RepositoryError::NotFound(name));
        };
        if !source.path.is_dir() {
            return Err(RepositoryError::Git {
                repository: name,
                doing: "look".to_owned(),
                said: format!("there is no folder {}", source.path.display()),
            });
        }
        // Paths are compared with each other, so all of them are whole.
        let whole = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        Ok(Repository {
            name,
            source: Source {
                path: whole(&source.path),
                kind: source.kind,
            },
            snapshots: self.snapshots.clone(),
            hidden: self.hidden.iter().map(whole).collect(),
        })
    }
}

/// The longest name of a repository (CodeCommit's).
const NAME_CHARACTERS_MAX: usize = 100;

/// Where the bare repository of a name is in a folder of them; none for what is no name: letters,
/// digits, `.`, `-` and `_`, and no dot in front.
pub fn bare_repository(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_name = (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    is_name.then(|| folder.join(format!("{name}.git")))
}

/// One repository while something is done with it.
struct Repository {
    name: String,
    source: Source,
    snapshots: PathBuf,
    hidden: Vec<PathBuf>,
}

impl Repository {
    fn head(&self, branch: &str) -> Result<Commit, RepositoryError> {
        match self.source.kind {
            Kind::Repository => {
                let git = self.git();
                self.check_revision(branch)?;
                self.describe(&git, &format!("refs/heads/{branch}"), branch)
            }
            Kind::WorkingTree {
                include_uncommitted: true,
            } => self.snapshot(),
            Kind::WorkingTree {
                include_uncommitted: false,
            } => self.describe(&self.git(), "HEAD", "HEAD"),
            Kind::Directory => self.directory().map(|(commit, _)| commit),
        }
    }

    fn commit(&self, id: &str) -> Result<Commit, RepositoryError> {
        self.check_revision(id)?;
        match self.source.kind {
            Kind::Repository => self.describe(&self.git(), id, id),
            Kind::WorkingTree { .. } => self.describe(&self.git_with_snapshots(), id, id),
            Kind::Directory => {
                let (commit, _) = self.directory()?;
                if commit.id == id {
                    Ok(commit)
                } else {
                    Err(self.no_revision(id))
                }
            }
        }
    }

    fn archive(&self, id: &str, to: &Path) -> Result<(), RepositoryError> {
        self.check_revision(id)?;
        match self.source.kind {
            Kind::Repository => archive::of_commit(self, &self.git(), id, "", to),
            Kind::WorkingTree { .. } => {
                let prefix = self.git().prefix()?;
                archive::of_commit(self, &self.git_with_snapshots(), id, &prefix, to)
            }
            Kind::Directory => archive::of_directory(self, id, to),
        }
    }

    fn clone_url(&self) -> Result<String, RepositoryError> {
        let refuse = |why: &str| {
            Err(RepositoryError::Git {
                repository: self.name.clone(),
                doing: "make a URL to clone it".to_owned(),
                said: format!("{} {why}", self.source.path.display()),
            })
        };
        let folder = match self.source.kind {
            Kind::Directory => return refuse("is no git repository"),
            Kind::WorkingTree { .. } if !self.git().prefix()?.is_empty() => {
                return refuse("is a folder inside a repository, and only whole ones are cloned");
            }
            Kind::WorkingTree {
                include_uncommitted: true,
            } => {
                self.prepare_snapshots()?;
                self.snapshot_folder()
            }
            Kind::Repository
            | Kind::WorkingTree {
                include_uncommitted: false,
            } => self.source.path.clone(),
        };
        let folder = folder
            .canonicalize()
            .map_err(|source| RepositoryError::Io {
                doing: format!("find {}", folder.display()),
                source,
            })?;
        // The scheme makes git copy the objects instead of pointing at them, so that the clone
        // stands on its own wherever it is looked at from.
        Ok(format!("file://{}", folder.display()))
    }

    fn git(&self) -> Git<'_> {
        Git::new(&self.name, &self.source.path)
    }

    /// What is known of a revision; `asked` is how the caller put it.
    fn describe(
        &self,
        git: &Git<'_>,
        revision: &str,
        asked: &str,
    ) -> Result<Commit, RepositoryError> {
        let spec = format!("{revision}^{{commit}}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &spec,
        ];
        let Some(id) = git.line_if_found("resolve a revision", &args)? else {
            // A folder that is no repository at all says so; only then is the revision to blame.
            git.line("look", &["rev-parse", "--git-dir"])?;
            return Err(self.no_revision(asked));
        };
        let format = "--format=tformat:%ad%n%cd%n%B";
        let date = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
        let args = ["log", "-1", "--no-show-signature", format, date, &id, "--"];
        let text = git.text("read a commit", &args)?;
        let mut lines = text.splitn(3, '\n');
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (author_date, committer_date, message) = (next(), next(), next());
        Ok(Commit {
            id,
            message: message.trim_end().to_owned(),
            author_date,
            committer_date,
            uncommitted_files: 0,
        })
    }

    /// Git reads what begins with `-` as an option, so no revision may.
    fn check_revision(&self, revision: &str) -> Result<(), RepositoryError> {
        let is_name = !revision.is_empty()
            && !revision.starts_with('-')
            && !revision.contains(char::is_control);
        if is_name {
            Ok(())
        } else {
            Err(self.no_revision(revision))
        }
    }

    fn no_revision(&self, revision: &str) -> RepositoryError {
        RepositoryError::NoRevision {
            repository: self.name.clone(),
            revision: revision.escape_debug().to_string(),
        }
    }

    /// Whether a file lies in a folder that no source contains.
    fn is_hidden(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| path.starts_with(hidden))
    }
}

#[cfg(test)]
mod tests;
