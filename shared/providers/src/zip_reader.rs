//! An artifact's ZIP, read file by file without unpacking it anywhere.
//!
//! An artifact may come from anybody's build, so nothing in it is believed: names are checked
//! before the first byte is used, links are resolved inside the archive only, and sizes are counted
//! while reading, whatever the archive says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use model::job::ErrorDetails;
use zip::{ZipArchive, result::ZipError};

use crate::failure;

/// How many entries an artifact may have (spec 60 §1.1).
pub(crate) const ENTRIES_MAX: usize = 100_000;

/// How many bytes all files together may have.
pub(crate) const BYTES_MAX: u64 = 7 * 1024 * 1024 * 1024;

/// How many times its own size an archive may unpack to, past the bytes that are free.
const RATIO_MAX: u64 = 200;
const RATIO_FREE_BYTES: u64 = 10 * 1024 * 1024;

/// How far from its end an archive says how many entries it has.
const END_BYTES_MAX: u64 = 22 + 65_535 + 20 + 56;

/// The longest name of an entry; an object's key takes no more either.
const NAME_BYTES_MAX: usize = 1_024;

/// The longest target of a link.
const LINK_BYTES_MAX: u64 = 4_096;

/// How many links may lead to each other.
const LINKS_MAX: usize = 8;

/// One file with its bytes; a link stands for the file that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    at: usize,
}

#[derive(Debug)]
pub(crate) struct ZipReader {
    archive: ZipArchive<BufReader<File>>,
    files: Vec<Entry>,
    /// How many bytes may still be read.
    left: u64,
}

enum Kind {
    File,
    Link(String),
}

impl ZipReader {
    /// Opens an archive and checks everything that can be checked before reading.
    pub(crate) fn open(path: &Path, artifact: &str) -> Result<Self, ErrorDetails> {
        Self::open_within(path, artifact, BYTES_MAX)
    }

    fn open_within(path: &Path, artifact: &str, bytes_max: u64) -> Result<Self, ErrorDetails> {
        let refuse = |why: String| {
            ErrorDetails::job_failed(format!("input artifact `{artifact}` is refused: {why}"))
        };
        let file = File::open(path).map_err(|error| failure::of_io("open an artifact", &error))?;
        let mut file = BufReader::new(file);
        let described = describe(&mut file);
        let (packed, claimed) =
            described.map_err(|error| failure::of_io("read an artifact", &error))?;
        let claimed =
            claimed.ok_or_else(|| refuse("the list of its entries cannot be found".to_owned()))?;
        // The list of all entries is held in memory: a list of millions is refused before it is read.
        if claimed > ENTRIES_MAX as u64 {
            return Err(refuse(format!(
                "it has {claimed} entries, more than {ENTRIES_MAX}"
            )));
        }
        let bearable = packed.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
        let archive = ZipArchive::new(file);
        let mut archive = archive.map_err(|error| refuse(format!("it is not a ZIP ({error})")))?;
        let count = archive.len();
        if count > ENTRIES_MAX {
            return Err(refuse(format!(
                "it has {count} entries, more than {ENTRIES_MAX}"
            )));
        }
        let entries = entries(&mut archive, bytes_max).map_err(refuse)?;
        let files = resolve(&entries).map_err(refuse)?;
        Ok(Self {
            archive,
            files,
            left: bytes_max.min(bearable),
        })
    }

    /// The files in the order of their names.
    pub(crate) fn files(&self) -> &[Entry] {
        &self.files
    }

    /// Writes the bytes of one file to `to`.
    pub(crate) fn extract(&mut self, entry: &Entry, to: &Path) -> Result<(), ErrorDetails> {
        let refuse = |why: String| {
            ErrorDetails::job_failed(format!("entry `{}` is refused: {why}", entry.name))
        };
        let file = self.archive.by_index(entry.at);
        let mut file = file.map_err(|error| refuse(error.to_string()))?;
        let out = File::create(to).map_err(|error| failure::of_io("unpack a file", &error))?;
        let mut out = BufWriter::new(out);
        let mut content = (&mut file).take(self.left + 1);
        let copied = copy(&mut content, &mut out).map_err(|failed| match failed {
            Failed::Read(error) => refuse(format!("it cannot be unpacked: {error}")),
            Failed::Write(error) => failure::of_io("unpack a file", &error),
        })?;
        self.left = self.left.checked_sub(copied).ok_or_else(|| {
            refuse(format!(
                "the files have more bytes together than an artifact may have, {BYTES_MAX} or \
                 {RATIO_MAX} times its own"
            ))
        })?;
        Ok(())
    }
}

/// The size of an archive, and the largest number of entries that any end record of it claims.
///
/// A number that does not fit the short form is 0xffff there, and in a record that the locator
/// before the short form leads to; where it leads to none, nobody knows how many there are.
fn describe(file: &mut (impl Read + Seek)) -> io::Result<(u64, Option<u64>)> {
    const LOCATOR: usize = 20;
    const RECORD: u64 = 56;
    let packed = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(packed.saturating_sub(END_BYTES_MAX)))?;
    let mut end = Vec::new();
    file.by_ref().take(END_BYTES_MAX).read_to_end(&mut end)?;
    let mut claimed = Some(0);
    for at in 0..end.len() {
        let Some(short) = end[at..]
            .strip_prefix(b"PK\x05\x06")
            .and_then(|e| e.get(6..8))
        else {
            continue;
        };
        let locator = at.checked_sub(LOCATOR).map(|start| &end[start..at]);
        let locator = locator.and_then(|locator| locator.strip_prefix(b"PK\x06\x07"));
        let count = u64::from(u16::from_le_bytes([short[0], short[1]]));
        let Some(offset) = locator.and_then(|l| l[4..].first_chunk()) else {
            claimed = claimed.map(|claimed: u64| claimed.max(count));
            continue;
        };
        let mut record = Vec::new();
        file.seek(SeekFrom::Start(u64::from_le_bytes(*offset).min(packed)))?;
        file.by_ref().take(RECORD).read_to_end(&mut record)?;
        let long = record.strip_prefix(b"PK\x06\x06").and_then(|r| r.get(28..));
        let long = long.and_then(|rest| rest.first_chunk().copied());
        let long = long.map(u64::from_le_bytes);
        claimed = claimed.zip(long).map(|(claimed, long)| claimed.max(long));
    }
    file.rewind()?;
    Ok((packed, claimed))
}

enum Failed {
    Read(io::Error),
    Write(io::Error),
}

/// Copies, and tells a bad archive from a full disk.
fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<u64, Failed> {
    let (mut chunk, mut copied) = (vec![0; 64 * 1024], 0);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                to.write_all(&chunk[..read]).map_err(Failed::Write)?;
                copied += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failed::Read(error)),
        }
    }
    to.flush().map_err(Failed::Write)?;
    Ok(copied)
}

type Entries = BTreeMap<String, (usize, Kind)>;

fn entries(archive: &mut ZipArchive<BufReader<File>>, bytes_max: u64) -> Result<Entries, String> {
    let mut entries = Entries::new();
    let mut bytes: u64 = 0;
    for at in 0..archive.len() {
        let file = archive.by_index_raw(at);
        let file = file.map_err(|error| unreadable(&error))?;
        let name = std::str::from_utf8(file.name_raw());
        let name = name
            .map_err(|_| format!("the name of entry {at} is not UTF-8"))?
            .to_owned();
        check_name(&name)?;
        bytes = bytes.saturating_add(file.size());
        if bytes > bytes_max {
            return Err(format!(
                "its files have more than {bytes_max} bytes together"
            ));
        }
        if file.encrypted() {
            return Err(format!("entry `{name}` is encrypted"));
        }
        if file.is_dir() {
            continue;
        }
        let is_link = file.is_symlink();
        let is_special = !is_link && file.unix_mode().is_some_and(is_special);
        if is_special {
            return Err(format!("entry `{name}` is neither a file nor a link"));
        }
        drop(file);
        let kind = if is_link {
            let mut target = String::new();
            let link = archive.by_index(at);
            let link = link.map_err(|error| unreadable(&error))?;
            let read = link.take(LINK_BYTES_MAX).read_to_string(&mut target);
            read.map_err(|error| format!("link `{name}` cannot be read: {error}"))?;
            Kind::Link(target)
        } else {
            Kind::File
        };
        if entries.insert(name.clone(), (at, kind)).is_some() {
            return Err(format!("it has two entries with the name `{name}`"));
        }
    }
    Ok(entries)
}

fn unreadable(error: &ZipError) -> String {
    format!("it cannot be read: {error}")
}

/// Whether a Unix mode says that the entry is a device, a pipe or a socket.
fn is_special(mode: u32) -> bool {
    const KIND: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    const FOLDER: u32 = 0o040_000;
    ![0, REGULAR, FOLDER].contains(&(mode & KIND))
}

fn check_name(name: &str) -> Result<(), String> {
    let shown = name.escape_debug();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("an entry's name has {} bytes", name.len()));
    }
    if name.contains(|c: char| c.is_control() || c == '\\') {
        return Err(format!(
            "entry `{shown}` has a character that no name may have"
        ));
    }
    let is_drive =
        name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with('/') || is_drive {
        return Err(format!("entry `{shown}` has an absolute name"));
    }
    let body = name.strip_suffix('/').unwrap_or(name);
    if body.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(format!("entry `{shown}` has a name that leads elsewhere"));
    }
    Ok(())
}

/// The files by name, links replaced by where they lead.
fn resolve(entries: &Entries) -> Result<Vec<Entry>, String> {
    let mut files = Vec::with_capacity(entries.len());
    for name in entries.keys() {
        let at = follow(entries, name)?;
        files.push(Entry {
            name: name.clone(),
            at,
        });
    }
    Ok(files)
}

fn follow(entries: &Entries, from: &str) -> Result<usize, String> {
    let mut name = from.to_owned();
    let mut seen = BTreeSet::new();
    for _ in 0..=LINKS_MAX {
        match entries.get(&name) {
            Some((at, Kind::File)) => return Ok(*at),
            Some((_, Kind::Link(target))) if seen.insert(name.clone()) => {
                name = joined(&name, target)
                    .ok_or_else(|| format!("link `{from}` leads out of the archive"))?;
            }
            Some((_, Kind::Link(_))) => break,
            None => return Err(format!("link `{from}` leads to no file of the archive")),
        }
    }
    Err(format!("link `{from}` leads through too many other links"))
}

/// Where a link leads, seen from the folder that it is in.
fn joined(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
