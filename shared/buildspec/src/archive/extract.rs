//! Taking an archive apart.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zip::ZipArchive;

use super::{
    ArchiveError, COPY_BUFFER_BYTES, Extracted, Limits, RATIO_FREE_BYTES,
    check::{self, Entry, EntryKind},
};

/// What becomes of a file that stands where one of the archive goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

/// Takes an archive apart into a directory, which is made; nothing in it is replaced.
pub fn extract(archive: &Path, into: &Path, limits: &Limits) -> Result<Extracted, ArchiveError> {
    extract_over(archive, into, limits, Existing::Refuse)
}

/// Takes an archive apart into a directory that may hold something already.
pub fn extract_over(
    archive: &Path,
    into: &Path,
    limits: &Limits,
    existing: Existing,
) -> Result<Extracted, ArchiveError> {
    let file = File::open(archive).map_err(ArchiveError::io("open", archive))?;
    let packed = file
        .metadata()
        .map_err(ArchiveError::io("look at", archive))?
        .len();
    let mut zip = check::open(file, limits)?;
    let entries = check::entries(&mut zip)?;
    fs::create_dir_all(into).map_err(ArchiveError::io("make the directory", into))?;
    let budget = Budget {
        limits: *limits,
        packed,
        written: 0,
    };
    let mut target = Target {
        root: into,
        existing,
        budget,
        checked: PathBuf::new(),
    };
    let mut extracted = Extracted::default();
    for entry in &entries {
        match entry.kind {
            EntryKind::Directory { .. } => {
                target.directory(&entry.name)?;
            }
            EntryKind::File { mode } => {
                target.file(&mut zip, entry, mode)?;
                extracted.files += 1;
            }
            EntryKind::Link { .. } => {}
        }
    }
    // Links come last, so that nothing is ever written through one.
    for entry in &entries {
        if let EntryKind::Link { target: to } = &entry.kind {
            target.link(&entry.name, to)?;
            extracted.files += 1;
        }
    }
    for entry in entries.iter().rev() {
        if let EntryKind::Directory { mode } = entry.kind
            && mode != 0
        {
            let path = into.join(&entry.name);
            // The owner can always enter and empty what was extracted.
            fs::set_permissions(&path, Permissions::from_mode(mode | 0o700))
                .map_err(ArchiveError::io("set the mode of", &path))?;
        }
    }
    extracted.bytes = target.budget.written;
    Ok(extracted)
}

/// Counts what is written; what the headers claim counts for nothing.
struct Budget {
    limits: Limits,
    packed: u64,
    written: u64,
}

impl Budget {
    fn spend(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.written = self.written.saturating_add(bytes);
        if self.written > self.limits.bytes {
            return Err(ArchiveError::TooLarge {
                limit: self.limits.bytes,
            });
        }
        let bearable = self.packed.saturating_mul(self.limits.ratio);
        if self.written > RATIO_FREE_BYTES && self.written > bearable {
            return Err(ArchiveError::RatioTooHigh {
                limit: self.limits.ratio,
            });
        }
        Ok(())
    }
}

struct Target<'t> {
    root: &'t Path,
    existing: Existing,
    budget: Budget,
    /// The directory that was last found to be a real one, to spare asking again.
    checked: PathBuf,
}

impl Target<'_> {
    /// Makes a directory below the root and all above it; a link on the way is refused.
    fn directory(&mut self, name: &str) -> Result<PathBuf, ArchiveError> {
        let whole = self.root.join(name);
        if whole == self.checked {
            return Ok(whole);
        }
        let mut path = self.root.to_path_buf();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let found =
                        fs::symlink_metadata(&path).map_err(ArchiveError::io("look at", &path))?;
                    if !found.is_dir() {
                        return Err(ArchiveError::BelowFile {
                            name: name.to_owned(),
                        });
                    }
                }
                Err(e) => return Err(ArchiveError::io("make the directory", &path)(e)),
            }
        }
        self.checked.clone_from(&path);
        Ok(path)
    }

    /// The place of an entry, its directory made and, where that is wanted, what stood there gone.
    fn place(&mut self, name: &str) -> Result<PathBuf, ArchiveError> {
        let (above, last) = name.rsplit_once('/').unwrap_or(("", name));
        let path = self.directory(above)?.join(last);
        if self.existing == Existing::Replace {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {
                    return Err(ArchiveError::AlreadyThere {
                        path: path.display().to_string(),
                    });
                }
                Ok(_) => fs::remove_file(&path).map_err(ArchiveError::io("replace", &path))?,
                Err(_) => {}
            }
        }
        Ok(path)
    }

    fn file(
        &mut self,
        zip: &mut ZipArchive<File>,
        entry: &Entry,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let path = self.place(&entry.name)?;
        // A mode of nought means that the archive was made where there are no modes.
        let mode = if mode == 0 { 0o644 } else { mode | 0o600 };
        // `create_new` neither follows a link nor opens what is there.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| taken(e, &path))?;
        let mut content = zip
            .by_index(entry.index)
            .map_err(|e| check::unreadable(&e))?;
        let mut buffer = vec![0; COPY_BUFFER_BYTES];
        loop {
            let read = content
                .read(&mut buffer)
                .map_err(|e| check::unreadable(&e.into()))?;
            if read == 0 {
                break;
            }
            self.budget.spend(read as u64)?;
            file.write_all(&buffer[..read])
                .map_err(ArchiveError::io("write", &path))?;
        }
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(ArchiveError::io("set the mode of", &path))
    }

    fn link(&mut self, name: &str, to: &str) -> Result<(), ArchiveError> {
        let path = self.place(name)?;
        std::os::unix::fs::symlink(to, &path).map_err(|e| taken(e, &path))
    }
}

fn taken(error: io::Error, path: &Path) -> ArchiveError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return ArchiveError::AlreadyThere {
            path: path.display().to_string(),
        };
    }
    ArchiveError::io("write", path)(error)
}
