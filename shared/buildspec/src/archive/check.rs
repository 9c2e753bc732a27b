//! The names and links of an archive before anything of it is written.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use zip::{ZipArchive, result::ZipError};

use super::{ArchiveError, LINK_TARGET_MAX_BYTES, Limits};

/// The end record is 22 bytes and a comment of at most 64 KiB follows it; the 64-bit form's
/// locator of 20 bytes and record of 56 stand before it.
const END_SEARCH_BYTES: u64 = 22 + 65_535 + 20 + 56;
const LOCATOR_BYTES: usize = 20;
const RECORD_BYTES: u64 = 56;
/// As many links as Linux follows before it gives up.
const LINK_HOPS_MAX: usize = 40;

/// One entry, its name made of plain components joined by `/`.
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) kind: EntryKind,
}

pub(super) enum EntryKind {
    Directory { mode: u32 },
    File { mode: u32 },
    Link { target: String },
}

const MODE_KIND: u32 = 0o170_000;
const MODE_DIRECTORY: u32 = 0o040_000;
const MODE_FILE: u32 = 0o100_000;
const MODE_LINK: u32 = 0o120_000;

/// Opens an archive whose directory is of a bearable size.
pub(super) fn open(mut file: File, limits: &Limits) -> Result<ZipArchive<File>, ArchiveError> {
    let claimed = claimed_entries(&mut file).map_err(|e| unreadable(&e.into()))?;
    let nowhere = || ArchiveError::Inconsistent("the list of entries cannot be found".to_owned());
    let claimed = claimed.ok_or_else(nowhere)?;
    if claimed > limits.entries as u64 {
        return Err(ArchiveError::TooManyEntries {
            limit: limits.entries,
        });
    }
    let mut archive = ZipArchive::new(file).map_err(|e| unreadable(&e))?;
    if archive.len() > limits.entries {
        return Err(ArchiveError::TooManyEntries {
            limit: limits.entries,
        });
    }
    if archive.has_duplicate_names() {
        return Err(ArchiveError::DuplicateName {
            name: "(equal bytes)".to_owned(),
        });
    }
    archive
        .validate_header_consistency()
        .map_err(|e| ArchiveError::Inconsistent(e.to_string()))?;
    Ok(archive)
}

pub(super) fn unreadable(error: &ZipError) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

/// The largest number of entries that any end record of the file claims, so that a directory of
/// millions is refused before it is held in memory.
///
/// A number that does not fit the short form is in a record that the locator before it leads to;
/// where it leads to none, nobody knows how many there are.
fn claimed_entries(file: &mut File) -> std::io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(END_SEARCH_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(END_SEARCH_BYTES).read_to_end(&mut tail)?;
    let mut claimed = Some(0);
    for at in 0..tail.len() {
        let Some(short) = tail[at..]
            .strip_prefix(b"PK\x05\x06")
            .and_then(|e| e.get(6..8))
        else {
            continue;
        };
        let locator = at.checked_sub(LOCATOR_BYTES).map(|start| &tail[start..at]);
        let locator = locator.and_then(|locator| locator.strip_prefix(b"PK\x06\x07"));
        let count = match locator.and_then(|l| l[4..].first_chunk()) {
            None => Some(u64::from(u16::from_le_bytes([short[0], short[1]]))),
            Some(offset) => long_form(file, u64::from_le_bytes(*offset).min(length))?,
        };
        claimed = claimed.zip(count).map(|(most, count)| most.max(count));
    }
    Ok(claimed)
}

fn long_form(file: &mut File, offset: u64) -> std::io::Result<Option<u64>> {
    let mut record = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(RECORD_BYTES).read_to_end(&mut record)?;
    let count = record.strip_prefix(b"PK\x06\x06").and_then(|r| r.get(28..));
    let count = count.and_then(|rest| rest.first_chunk().copied());
    Ok(count.map(u64::from_le_bytes))
}

/// Reads all names, kinds and link targets, and refuses what could lead outside.
pub(super) fn entries(archive: &mut ZipArchive<File>) -> Result<Vec<Entry>, ArchiveError> {
    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        entries.push(entry(archive, index)?);
    }
    refuse_conflicts(&entries)?;
    Ok(entries)
}

fn entry(archive: &mut ZipArchive<File>, index: usize) -> Result<Entry, ArchiveError> {
    let raw = archive.by_index_raw(index).map_err(|e| unreadable(&e))?;
    let shown = String::from_utf8_lossy(raw.name_raw()).into_owned();
    if raw.encrypted() {
        return Err(ArchiveError::Encrypted { name: shown });
    }
    let written = raw.name().map_err(|e| unreadable(&e))?.into_owned();
    let is_directory = written.ends_with('/');
    let mode = raw.unix_mode().unwrap_or(0);
    let (size, name) = (raw.size(), plain_name(&written)?);
    drop(raw);
    let kind = match mode & MODE_KIND {
        MODE_LINK => {
            if size > LINK_TARGET_MAX_BYTES {
                return Err(ArchiveError::UnsupportedKind { name });
            }
            EntryKind::Link {
                target: link_target(archive, index, &name)?,
            }
        }
        MODE_DIRECTORY | 0 if is_directory => EntryKind::Directory { mode: mode & 0o777 },
        MODE_FILE | 0 if !is_directory => EntryKind::File { mode: mode & 0o777 },
        _ => return Err(ArchiveError::UnsupportedKind { name }),
    };
    Ok(Entry { index, name, kind })
}

fn link_target(
    archive: &mut ZipArchive<File>,
    index: usize,
    name: &str,
) -> Result<String, ArchiveError> {
    let content = archive.by_index(index).map_err(|e| unreadable(&e))?;
    let mut target = Vec::new();
    // The size in the header is a claim: the read is bounded by itself.
    content
        .take(LINK_TARGET_MAX_BYTES + 1)
        .read_to_end(&mut target)
        .map_err(|e| unreadable(&e.into()))?;
    String::from_utf8(target)
        .ok()
        .filter(|text| {
            let is_short = text.len() as u64 <= LINK_TARGET_MAX_BYTES;
            is_short && !text.is_empty() && !text.contains('\0')
        })
        .ok_or_else(|| ArchiveError::BadName {
            name: name.to_owned(),
        })
}

/// The plain components of an entry's name. A backslash separates nothing here, but a name that
/// would climb or be absolute where it does is refused as well.
pub(super) fn plain_name(written: &str) -> Result<String, ArchiveError> {
    let outside = || ArchiveError::OutsidePath {
        name: written.to_owned(),
    };
    if written.starts_with(['/', '\\']) || written.split(['/', '\\']).any(|part| part == "..") {
        return Err(outside());
    }
    let mut letters = written.chars();
    if letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), Some('/' | '\\'))
    {
        return Err(outside());
    }
    let parts: Vec<&str> = written
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty() || written.contains('\0') {
        return Err(ArchiveError::BadName {
            name: written.to_owned(),
        });
    }
    Ok(parts.join("/"))
}

/// Equal names, entries below a file or a link, and links that lead outside.
fn refuse_conflicts(entries: &[Entry]) -> Result<(), ArchiveError> {
    let mut kinds: BTreeMap<&str, &EntryKind> = BTreeMap::new();
    for entry in entries {
        let before = kinds.insert(&entry.name, &entry.kind);
        if before.is_some() {
            return Err(ArchiveError::DuplicateName {
                name: entry.name.clone(),
            });
        }
    }
    for name in kinds.keys() {
        let mut parent = *name;
        while let Some((above, _)) = parent.rsplit_once('/') {
            if matches!(
                kinds.get(above),
                Some(EntryKind::File { .. } | EntryKind::Link { .. })
            ) {
                return Err(ArchiveError::BelowFile {
                    name: (*name).to_owned(),
                });
            }
            parent = above;
        }
    }
    for (name, kind) in &kinds {
        if let EntryKind::Link { target } = kind
            && !stays_inside(name, target, &kinds)
        {
            return Err(ArchiveError::OutsideLink {
                name: (*name).to_owned(),
                target: target.clone(),
            });
        }
    }
    Ok(())
}

/// Follows a link as the file system would, over the links of the archive.
fn stays_inside(name: &str, target: &str, kinds: &BTreeMap<&str, &EntryKind>) -> bool {
    let mut place: Vec<&str> = name.split('/').collect();
    place.pop();
    // The parts still to walk, the next one last.
    let mut ahead: Vec<&str> = target.split('/').rev().collect();
    let mut hops = 0;
    if target.starts_with(['/', '\\']) {
        return false;
    }
    while let Some(part) = ahead.pop() {
        match part {
            "" | "." => {}
            ".." => {
                if place.pop().is_none() {
                    return false;
                }
            }
            part => {
                place.push(part);
                if let Some(EntryKind::Link { target }) = kinds.get(place.join("/").as_str()) {
                    hops += 1;
                    if hops > LINK_HOPS_MAX || target.starts_with('/') {
                        return false;
                    }
                    place.pop();
                    ahead.extend(target.split('/').rev());
                }
            }
        }
    }
    true
}
