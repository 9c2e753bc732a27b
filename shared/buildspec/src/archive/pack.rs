//! Making an archive.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{ArchiveError, COPY_BUFFER_BYTES, ENTRIES_MAX};

/// Above this size an entry needs the 64-bit form; a file that grows meanwhile stays below 4 GiB.
const LARGE_FILE_BYTES: u64 = 4_000_000_000;

/// Something to pack under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The content and the mode of this file.
    File(PathBuf),
    /// A symbolic link with this target.
    Link(String),
    /// An empty directory.
    Directory,
}

/// An archive that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Packed {
    /// Files and links.
    pub files: usize,
    /// The size of the archive.
    pub bytes: u64,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub sha256: String,
    /// What was left out: links that lead outside, sockets and the like, names that are no text.
    pub left_out: Vec<String>,
}

/// Writes an archive of the items, which stand under the names that they will have. The archive
/// appears under its path when it is whole.
pub fn pack(items: &BTreeMap<String, Item>, to: &Path) -> Result<Packed, ArchiveError> {
    if items.len() > ENTRIES_MAX {
        return Err(ArchiveError::TooManyEntries { limit: ENTRIES_MAX });
    }
    let partial = partial_path(to);
    let written = write(items, &partial).and_then(|()| seal(&partial, to));
    if written.is_err() {
        // The error that is reported is the first one; a leftover is only untidy.
        let _ = fs::remove_file(&partial);
    }
    let (bytes, sha256) = written?;
    let files = items
        .values()
        .filter(|item| !matches!(item, Item::Directory))
        .count();
    Ok(Packed {
        files,
        bytes,
        sha256,
        left_out: Vec::new(),
    })
}

fn partial_path(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn write(items: &BTreeMap<String, Item>, partial: &Path) -> Result<(), ArchiveError> {
    let file = File::create(partial).map_err(ArchiveError::io("write", partial))?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    for (name, item) in items {
        add(&mut zip, name, item, partial)?;
    }
    let mut buffered = zip.finish().map_err(|e| failed(e, partial))?;
    buffered.flush().map_err(ArchiveError::io("write", partial))
}

fn add<W: Write + io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    item: &Item,
    partial: &Path,
) -> Result<(), ArchiveError> {
    // The time is the earliest that the format knows: equal content gives equal bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    match item {
        Item::Link(target) => zip
            .add_symlink(name, target, options.unix_permissions(0o777))
            .map_err(|e| failed(e, partial)),
        Item::Directory => zip
            .add_directory(name, options.unix_permissions(0o755))
            .map_err(|e| failed(e, partial)),
        Item::File(path) => {
            let file = File::open(path).map_err(ArchiveError::io("open", path))?;
            let found = file.metadata().map_err(ArchiveError::io("look at", path))?;
            let options = options
                .unix_permissions(found.permissions().mode() & 0o777)
                .large_file(found.len() >= LARGE_FILE_BYTES);
            zip.start_file(name, options)
                .map_err(|e| failed(e, partial))?;
            copy(&mut BufReader::new(file), path, zip, partial)
        }
    }
}

fn copy(
    from: &mut impl Read,
    path: &Path,
    to: &mut impl Write,
    partial: &Path,
) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    loop {
        let read = from
            .read(&mut buffer)
            .map_err(ArchiveError::io("read", path))?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])
            .map_err(ArchiveError::io("write", partial))?;
    }
}

fn failed(error: zip::result::ZipError, partial: &Path) -> ArchiveError {
    ArchiveError::io("write", partial)(error.into())
}

/// Digests the archive, makes it durable and gives it its name.
fn seal(partial: &Path, to: &Path) -> Result<(u64, String), ArchiveError> {
    let mut file = File::open(partial).map_err(ArchiveError::io("read", partial))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        let read = file
            .read(&mut buffer)
            .map_err(ArchiveError::io("read", partial))?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
    file.sync_all().map_err(ArchiveError::io("sync", partial))?;
    fs::rename(partial, to).map_err(ArchiveError::io("write", to))?;
    Ok((bytes, hex::encode(digest.finalize())))
}

/// Writes an archive of a whole directory: dot files, empty directories, and links as links.
/// Links that lead outside are left out and named in the answer, because nobody could take them
/// out again.
pub fn pack_directory(directory: &Path, to: &Path) -> Result<Packed, ArchiveError> {
    let mut walk = Walk {
        items: BTreeMap::new(),
        left_out: Vec::new(),
    };
    walk.directory(directory, "")?;
    let mut packed = pack(&walk.items, to)?;
    packed.left_out = walk.left_out;
    Ok(packed)
}

struct Walk {
    items: BTreeMap<String, Item>,
    left_out: Vec<String>,
}

impl Walk {
    fn directory(&mut self, path: &Path, prefix: &str) -> Result<(), ArchiveError> {
        let mut is_empty = true;
        for found in fs::read_dir(path).map_err(ArchiveError::io("list", path))? {
            let found = found.map_err(ArchiveError::io("list", path))?;
            is_empty = false;
            let Ok(last) = found.file_name().into_string() else {
                self.left_out.push(found.path().display().to_string());
                continue;
            };
            let name = if prefix.is_empty() {
                last
            } else {
                format!("{prefix}/{last}")
            };
            let kind = found
                .file_type()
                .map_err(ArchiveError::io("look at", &found.path()))?;
            if kind.is_dir() {
                self.directory(&found.path(), &name)?;
            } else if kind.is_symlink() {
                self.link(&found.path(), name)?;
            } else if kind.is_file() {
                self.items.insert(name, Item::File(found.path()));
            } else {
                self.left_out.push(name);
            }
            if self.items.len() > ENTRIES_MAX {
                return Err(ArchiveError::TooManyEntries { limit: ENTRIES_MAX });
            }
        }
        if is_empty && !prefix.is_empty() {
            self.items.insert(prefix.to_owned(), Item::Directory);
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, name: String) -> Result<(), ArchiveError> {
        let target = fs::read_link(path).map_err(ArchiveError::io("read the link", path))?;
        match target.to_str() {
            Some(target) if climbs_no_higher(&name, target) => {
                self.items.insert(name, Item::Link(target.to_owned()));
            }
            _ => self.left_out.push(name),
        }
        Ok(())
    }
}

/// Whether a link's target, read as plain text, stays below the root of the archive.
pub(crate) fn climbs_no_higher(name: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with(['/', '\\']) {
        return false;
    }
    let mut depth = name.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}
