//! A folder with no git: the files that lie there, and an id that follows from them.

use std::{
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::Timestamp;
use ports::repositories::{Commit, RepositoryError};
use sha2::{Digest, Sha256};

use super::{ARCHIVE_BYTES_MAX, ARCHIVE_FILES_MAX, Repository, git::Git, tree::EntryKind};

/// As many digits as a commit id of git has.
const ID_DIGITS: usize = 40;

/// How deep folders may be nested.
const DEPTH_MAX: usize = 100;

pub(super) struct Lying {
    /// From the folder, with `/` between the parts.
    pub(super) path: String,
    pub(super) file: PathBuf,
    pub(super) kind: EntryKind,
}

impl Repository {
    /// The files in the order of their names, and the commit that they would be.
    pub(super) fn directory(&self) -> Result<(Commit, Vec<Lying>), RepositoryError> {
        let mut walk = Walk {
            repository: self,
            files: Vec::new(),
            bytes: 0,
            newest: SystemTime::UNIX_EPOCH,
        };
        walk.folder(&self.source.path, "", 0)?;
        let Walk {
            mut files, newest, ..
        } = walk;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let mut digest = Fingerprint::default();
        for lying in &files {
            let mut content = open(lying)?;
            digest
                .add(lying, &mut content, &mut io::sink())
                .map_err(|source| unreadable(&lying.file, source))?;
        }
        let name = self.source.path.file_name().unwrap_or_default();
        let date = Timestamp::try_from(newest).unwrap_or(Timestamp::UNIX_EPOCH);
        let date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let commit = Commit {
            id: digest.id(),
            message: format!("directory {}", name.to_string_lossy()),
            author_date: date.clone(),
            committer_date: date,
            uncommitted_files: 0,
        };
        Ok((commit, files))
    }
}

/// The id of a folder, computed from its files one after the other.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Takes a file in, and copies what it read to `to`.
    pub(super) fn add(
        &mut self,
        lying: &Lying,
        content: &mut dyn io::Read,
        to: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut both = Both(Sha256::new(), to);
        io::copy(content, &mut both)?;
        let kind = match lying.kind {
            EntryKind::File => "file",
            EntryKind::Executable => "executable",
            EntryKind::Link => "link",
        };
        for part in [kind.as_bytes(), lying.path.as_bytes()] {
            self.0.update(part);
            self.0.update([0]);
        }
        self.0.update(both.0.finalize());
        Ok(())
    }

    pub(super) fn id(self) -> String {
        let mut id = hex::encode(self.0.finalize());
        id.truncate(ID_DIGITS);
        id
    }
}

struct Both<'a>(Sha256, &'a mut dyn io::Write);

impl io::Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.1.write(bytes)?;
        self.0.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// The content of a file, or the target of a link.
pub(super) fn open(lying: &Lying) -> Result<Box<dyn io::Read>, RepositoryError> {
    let opened: io::Result<Box<dyn io::Read>> = match lying.kind {
        EntryKind::Link => fs::read_link(&lying.file).map(|target| {
            let bytes = target.as_os_str().as_bytes().to_vec();
            Box::new(io::Cursor::new(bytes)) as Box<dyn io::Read>
        }),
        EntryKind::File | EntryKind::Executable => {
            File::open(&lying.file).map(|file| Box::new(file) as Box<dyn io::Read>)
        }
    };
    opened.map_err(|source| unreadable(&lying.file, source))
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> RepositoryError {
    RepositoryError::Io {
        doing: format!("read {}", path.display()),
        source,
    }
}

struct Walk<'a> {
    repository: &'a Repository,
    files: Vec<Lying>,
    bytes: u64,
    newest: SystemTime,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, above: &str, depth: usize) -> Result<(), RepositoryError> {
        if depth > DEPTH_MAX {
            return Err(self.refused(&format!("folders are nested more than {DEPTH_MAX} deep")));
        }
        let failed = |source| unreadable(folder, source);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.path();
            if entry.file_name() == ".git" || self.repository.is_hidden(&file) {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else {
                let text = format!("the name of {} is not UTF-8", file.display());
                return Err(self.refused(&text));
            };
            let path = format!("{above}{name}");
            // The entry itself, not what a link points at.
            let found = entry
                .metadata()
                .map_err(|source| unreadable(&file, source))?;
            if found.is_dir() {
                self.folder(&file, &format!("{path}/"), depth + 1)?;
            } else {
                self.file(path, file, &found)?;
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: String,
        file: PathBuf,
        found: &fs::Metadata,
    ) -> Result<(), RepositoryError> {
        let kind = if found.is_symlink() {
            EntryKind::Link
        } else if !found.is_file() {
            // Sockets, pipes and devices are not source.
            return Ok(());
        } else if found.permissions().mode() & 0o100 != 0 {
            EntryKind::Executable
        } else {
            EntryKind::File
        };
        self.bytes = self.bytes.saturating_add(found.len());
        self.newest = self.newest.max(found.modified().unwrap_or(self.newest));
        self.files.push(Lying { path, file, kind });
        if self.files.len() > ARCHIVE_FILES_MAX || self.bytes > ARCHIVE_BYTES_MAX {
            let text =
                format!("it has more than {ARCHIVE_FILES_MAX} files or {ARCHIVE_BYTES_MAX} bytes");
            return Err(self.refused(&text));
        }
        Ok(())
    }

    fn refused(&self, said: &str) -> RepositoryError {
        Git::new(&self.repository.name, &self.repository.source.path).failed("archive it", said)
    }
}
