//! A source as a ZIP: the same files always give the same bytes.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use ports::repositories::RepositoryError;
use tempfile::NamedTempFile;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{
    Repository,
    directory::{self, Fingerprint},
    git::Git,
    tree::{self, Blobs, EntryKind},
};

/// How long the target of a link may be.
const LINK_BYTES_MAX: usize = 4_096;

type Writer = ZipWriter<BufWriter<File>>;

pub(super) fn of_commit(
    repository: &Repository,
    git: &Git<'_>,
    commit: &str,
    prefix: &str,
    to: &Path,
) -> Result<(), RepositoryError> {
    // A commit that is gone is named as such, whatever else would have failed.
    let commit = repository.describe(git, commit, commit)?.id;
    let entries = tree::entries(git, &commit, prefix)?;
    let mut blobs = Blobs::open(git)?;
    write(to, |zip| {
        for entry in &entries {
            match entry.kind {
                EntryKind::Link => {
                    let mut target = Vec::new();
                    blobs.copy(entry, &mut target)?;
                    link(zip, &entry.path, &target)?;
                }
                EntryKind::File | EntryKind::Executable => {
                    begin(zip, &entry.path, entry.kind)?;
                    blobs.copy(entry, zip)?;
                }
            }
        }
        Ok(())
    })
}

/// The files that lie in the folder now, if they still are what the id names.
pub(super) fn of_directory(
    repository: &Repository,
    id: &str,
    to: &Path,
) -> Result<(), RepositoryError> {
    let (_, files) = repository.directory()?;
    write(to, |zip| {
        let mut written = Fingerprint::default();
        for lying in &files {
            let unreadable = |source| directory::unreadable(&lying.file, source);
            let mut content = directory::open(lying)?;
            match lying.kind {
                EntryKind::Link => {
                    let mut target = Vec::new();
                    written
                        .add(lying, &mut content, &mut target)
                        .map_err(unreadable)?;
                    link(zip, &lying.path, &target)?;
                }
                EntryKind::File | EntryKind::Executable => {
                    begin(zip, &lying.path, lying.kind)?;
                    written.add(lying, &mut content, zip).map_err(unreadable)?;
                }
            }
        }
        if written.id() == id {
            Ok(())
        } else {
            Err(repository.no_revision(id))
        }
    })
}

/// Writes an archive beside its place and moves it there when it is whole.
fn write(
    to: &Path,
    fill: impl FnOnce(&mut Writer) -> Result<(), RepositoryError>,
) -> Result<(), RepositoryError> {
    let failed = |source| RepositoryError::Io {
        doing: format!("write {}", to.display()),
        source,
    };
    let folder = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let temporary = NamedTempFile::new_in(folder).map_err(failed)?;
    let file = temporary.reopen().map_err(failed)?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    fill(&mut zip)?;
    let mut rest = zip.finish().map_err(zip_failed)?;
    rest.flush().map_err(failed)?;
    temporary.persist(to).map_err(|error| failed(error.error))?;
    Ok(())
}

fn begin(zip: &mut Writer, path: &str, kind: EntryKind) -> Result<(), RepositoryError> {
    let mode = match kind {
        EntryKind::Executable => 0o755,
        EntryKind::File | EntryKind::Link => 0o644,
    };
    zip.start_file(path, options().unix_permissions(mode))
        .map_err(zip_failed)
}

fn link(zip: &mut Writer, path: &str, target: &[u8]) -> Result<(), RepositoryError> {
    let target = std::str::from_utf8(target).ok();
    let Some(target) = target.filter(|target| target.len() <= LINK_BYTES_MAX) else {
        let text = format!("the target of the link {path} is not UTF-8 or is too long");
        return Err(RepositoryError::Io {
            doing: "archive a link".to_owned(),
            source: std::io::Error::other(text),
        });
    };
    zip.add_symlink(path, target, options()).map_err(zip_failed)
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
}

fn zip_failed(error: zip::result::ZipError) -> RepositoryError {
    RepositoryError::Io {
        doing: "write an archive".to_owned(),
        source: error.into(),
    }
}
