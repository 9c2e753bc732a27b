//! What lies in a working tree now, as a commit.
//!
//! The commit is made in a bare repository of our own that borrows the objects of the given one.
//! The same files on top of the same commit give the same id, so a poller sees a change only when
//! there is one.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use ports::repositories::{Commit, RepositoryError};
use sha2::{Digest, Sha256};

use super::{ARCHIVE_BYTES_MAX, ARCHIVE_FILES_MAX, Repository, git::Git, tree};

const NAME_DIGITS: usize = 16;
const SHORT_ID: usize = 8;
const SHA1_DIGITS: usize = 40;
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A file whose content differs from the commit's, or that is gone.
struct Dirty {
    path: Vec<u8>,
    mode: Option<&'static str>,
}

impl Repository {
    pub(super) fn snapshot(&self) -> Result<Commit, RepositoryError> {
        let git = self.git();
        let head = match self.describe(&git, "HEAD", "HEAD") {
            Ok(head) => Some(head),
            // A repository without a commit yet: everything in it is uncommitted.
            Err(RepositoryError::NoRevision { .. }) => None,
            Err(error) => return Err(error),
        };
        let dirty = self.dirty(&git)?;
        match head {
            Some(head) if dirty.is_empty() => Ok(head),
            head => self.commit_dirty(head.as_ref(), &dirty),
        }
    }

    /// Makes the repository that holds the snapshots ready for cloning: it has the last commit and
    /// every snapshot.
    pub(super) fn prepare_snapshots(&self) -> Result<(), RepositoryError> {
        let folder = self.snapshot_folder();
        if !folder.join("HEAD").exists() {
            self.make_snapshot_repository(&folder)?;
        }
        let args = ["rev-parse", "--verify", "--quiet", "HEAD"];
        match self.git().line_if_found("look", &args)? {
            Some(head) => self.keep(&folder, &head),
            None => Ok(()),
        }
    }

    /// Git in the given repository that sees the snapshots, too.
    pub(super) fn git_with_snapshots(&self) -> Git<'_> {
        let objects = self.snapshot_folder().join("objects");
        if objects.is_dir() {
            self.git().with("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects)
        } else {
            self.git()
        }
    }

    fn dirty(&self, git: &Git<'_>) -> Result<Vec<Dirty>, RepositoryError> {
        let top = git.top()?;
        let args = [
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
            "--ignore-submodules=all",
            "--",
            ".",
        ];
        let status = git.bytes("list the uncommitted files", &args)?;
        let mut dirty = Vec::new();
        for entry in status.split(|byte| *byte == 0).filter(|e| e.len() > 3) {
            // Two letters of status, a space, the path from the top.
            let path = &entry[3..];
            let file = top.join(Path::new(std::ffi::OsStr::from_bytes(path)));
            if path.ends_with(b"/") || self.is_hidden(&file) {
                continue;
            }
            dirty.push(Dirty {
                path: path.to_vec(),
                mode: mode(&file),
            });
        }
        Ok(dirty)
    }

    fn commit_dirty(
        &self,
        head: Option<&Commit>,
        dirty: &[Dirty],
    ) -> Result<Commit, RepositoryError> {
        let folder = self.snapshot_folder();
        if !folder.join("HEAD").exists() {
            self.make_snapshot_repository(&folder)?;
        }
        let scratch = tempfile::tempdir_in(&folder).map_err(|source| RepositoryError::Io {
            doing: format!("make a temporary folder in {}", folder.display()),
            source,
        })?;
        let top = self.git().top()?;
        let objects = self
            .git()
            .line("look", &["rev-parse", "--git-path", "objects"])?;
        let date = head.map_or(EPOCH, |head| head.committer_date.as_str());
        let git = Git::new(&self.name, &top)
            .with("GIT_INDEX_FILE", scratch.path().join("index"))
            .with("GIT_OBJECT_DIRECTORY", folder.join("objects"))
            .with(
                "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                self.source.path.join(objects),
            )
            .with("GIT_AUTHOR_NAME", "Pipewright".into())
            .with("GIT_AUTHOR_EMAIL", "pipewright@localhost".into())
            .with("GIT_AUTHOR_DATE", date.into())
            .with("GIT_COMMITTER_NAME", "Pipewright".into())
            .with("GIT_COMMITTER_EMAIL", "pipewright@localhost".into())
            .with("GIT_COMMITTER_DATE", date.into());
        let tree = self.write_tree(&git, &top, head, dirty)?;
        let message = message(head, dirty.len());
        let mut args = vec!["commit-tree", &tree, "-m", &message];
        if let Some(head) = head {
            args.extend(["-p", &head.id]);
        }
        let id = git.line("commit the uncommitted files", &args)?;
        self.keep(&folder, &id)?;
        let mut commit = self.describe(&self.git_with_snapshots(), &id, &id)?;
        commit.uncommitted_files = dirty.len();
        Ok(commit)
    }

    /// The tree of the last commit with the files put in as they lie there, without filters.
    fn write_tree(
        &self,
        git: &Git<'_>,
        top: &Path,
        head: Option<&Commit>,
        dirty: &[Dirty],
    ) -> Result<String, RepositoryError> {
        let doing = "record the uncommitted files";
        let start = head.map_or("--empty", |head| head.id.as_str());
        git.bytes(doing, &["read-tree", start])?;
        self.check_size(top, dirty)?;
        let there: Vec<_> = dirty.iter().filter(|file| file.mode.is_some()).collect();
        let ids = tree::write_blobs(
            git,
            top,
            &there.iter().map(|f| &*f.path).collect::<Vec<_>>(),
        )?;
        let mut update = Vec::new();
        for file in dirty.iter().filter(|file| file.mode.is_none()) {
            // The length of an id says which hash the repository uses.
            let nothing = "0".repeat(head.map_or(SHA1_DIGITS, |head| head.id.len()));
            line(&mut update, "0", &nothing, &file.path);
        }
        for (file, id) in there.iter().zip(&ids) {
            line(&mut update, file.mode.unwrap_or("100644"), id, &file.path);
        }
        git.bytes_from(doing, &["update-index", "-z", "--index-info"], update)?;
        git.line(doing, &["write-tree"])
    }

    fn check_size(&self, top: &Path, dirty: &[Dirty]) -> Result<(), RepositoryError> {
        let size = |file: &Dirty| {
            let path = top.join(Path::new(std::ffi::OsStr::from_bytes(&file.path)));
            fs::symlink_metadata(path).map_or(0, |found| found.len())
        };
        let bytes: u64 = dirty.iter().map(size).sum();
        if dirty.len() <= ARCHIVE_FILES_MAX && bytes <= ARCHIVE_BYTES_MAX {
            return Ok(());
        }
        let said = format!(
            "{} uncommitted files take {bytes} bytes; at most {ARCHIVE_FILES_MAX} files and \
             {ARCHIVE_BYTES_MAX} bytes are taken (add what is not source to .gitignore)",
            dirty.len()
        );
        Err(self.git().failed("record the uncommitted files", &said))
    }

    pub(super) fn snapshot_folder(&self) -> PathBuf {
        let path = self.source.path.as_os_str();
        let mut name = hex::encode(Sha256::digest(path.as_bytes()));
        name.truncate(NAME_DIGITS);
        self.snapshots.join(format!("{name}.git"))
    }

    fn make_snapshot_repository(&self, folder: &Path) -> Result<(), RepositoryError> {
        let io = |source| RepositoryError::Io {
            doing: format!("make {}", folder.display()),
            source,
        };
        let git = self.git();
        let format = git.line("look", &["rev-parse", "--show-object-format"])?;
        let objects = git.line("look", &["rev-parse", "--git-path", "objects"])?;
        let objects = self.source.path.join(objects).canonicalize().map_err(io)?;
        fs::create_dir_all(folder).map_err(io)?;
        let init = format!("--object-format={format}");
        Git::new(&self.name, folder).bytes(
            "make a repository for snapshots",
            &["init", "--quiet", "--bare", "--template=", &init, "."],
        )?;
        fs::create_dir_all(folder.join("objects/info")).map_err(io)?;
        let mut alternates = objects.into_os_string();
        alternates.push("\n");
        fs::write(
            folder.join("objects/info/alternates"),
            alternates.as_bytes(),
        )
        .map_err(io)
    }

    /// Gives a commit a name in the snapshot repository, so that clones bring it along.
    fn keep(&self, folder: &Path, id: &str) -> Result<(), RepositoryError> {
        let git = Git::new(&self.name, folder);
        let name = format!("refs/heads/pipewright/{id}");
        git.bytes("keep a snapshot", &["update-ref", &name, id])?;
        Ok(())
    }
}

/// The mode that git gives a file; none when nothing is there that it could hold.
fn mode(path: &Path) -> Option<&'static str> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.is_symlink() {
        Some("120000")
    } else if found.is_file() && found.permissions().mode() & 0o100 != 0 {
        Some("100755")
    } else if found.is_file() {
        Some("100644")
    } else {
        None
    }
}

fn line(update: &mut Vec<u8>, mode: &str, id: &str, path: &[u8]) {
    update.extend_from_slice(format!("{mode} {id}\t").as_bytes());
    update.extend_from_slice(path);
    update.push(0);
}

fn message(head: Option<&Commit>, files: usize) -> String {
    let noun = if files == 1 { "file" } else { "files" };
    match head {
        Some(head) => {
            let subject = head.message.lines().next().unwrap_or_default();
            let id = head.id.get(..SHORT_ID).unwrap_or(&head.id);
            format!("{files} uncommitted {noun} on {id}: {subject}")
        }
        None => format!("{files} uncommitted {noun}, no commit yet"),
    }
}
