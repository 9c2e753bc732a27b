//! Opening a trail: where it goes on, and what a crash or somebody's hand left of its end.
//!
//! Only the end is looked at, so that opening takes no longer as the trail grows; the whole of it is
//! for [`verify`](super::verify).

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ports::{Account, audit::AuditRecord};
use serde_json::{Value, json};

use super::{
    FILE_BYTES_MAX, files,
    line::{self, GENESIS, LINE_BYTES_MAX, Link},
    seal::{self, Head, Signature},
};
use model::Timestamp;

/// The name of the record that says what was found.
pub(super) const EVENT: &str = "AuditTrailRecovered";

/// How much of the end of a file is read first; there is a whole line in it, unless it is damaged.
const TAIL_BYTES: u64 = 2 * LINE_BYTES_MAX as u64;

/// No file of ours is longer.
const READ_BYTES_MAX: u64 = 4 * FILE_BYTES_MAX;

/// What was not as it should be when a trail was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// So many bytes were no whole line; they were moved to that file.
    pub torn: Option<(u64, PathBuf)>,
    /// Records from and to these numbers were on disk once, and are not there.
    pub missing: Option<(u64, u64)>,
    /// Why the head is not to be believed.
    pub head: Option<&'static str>,
}

/// Where a trail goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The number of the last file.
    pub(super) number: u64,
    pub(super) length: u64,
    pub(super) link: Link,
}

impl Recovery {
    /// The record that says it.
    pub(super) fn record(&self, now: Timestamp, account: &Account) -> AuditRecord {
        let mut record = AuditRecord::of_service(now, &account.id, &account.region, EVENT);
        let torn = self.torn.as_ref();
        let kept_in = torn.and_then(|(_, path)| path.file_name());
        record.additional = json!({
            "tornBytes": torn.map_or(0, |(bytes, _)| *bytes),
            "keptIn": kept_in.map(|name| name.to_string_lossy()),
            "missingFrom": self.missing.map(|(from, _)| from),
            "missingTo": self.missing.map(|(_, to)| to),
            "head": self.head,
        });
        record
    }
}

/// What a record that says so tells of losses; `None` is any other record.
pub(super) fn told(record: &[u8]) -> Option<Vec<String>> {
    // Most records do not hold the word, and are not parsed.
    let is_candidate = record
        .windows(EVENT.len())
        .any(|part| part == EVENT.as_bytes());
    let record: Value = serde_json::from_slice(record)
        .ok()
        .filter(|_| is_candidate)?;
    if record["eventName"] != EVENT || record["eventType"] != "AwsServiceEvent" {
        return None;
    }
    let told = &record["additionalEventData"];
    let missing = told["missingFrom"].as_u64().zip(told["missingTo"].as_u64());
    let missing = missing.map(|(from, to)| {
        format!("records {from} to {to} were missing when the trail was opened here")
    });
    let head = told["head"].as_str();
    let head = head.map(|why| format!("the head was not to be believed here: {why}"));
    Some(missing.into_iter().chain(head).collect())
}

/// Finds the end of the trail, and moves aside what stands behind it. The folder is made when it is
/// not there.
pub(super) fn recover(directory: &Path, key: &[u8; 32]) -> io::Result<(End, Option<Recovery>)> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory)?;
    let head = seal::read_head(directory)?;
    let numbers = files::numbers(directory)?;
    let mut recovery = Recovery::default();
    let mut end = End {
        number: numbers.last().copied().unwrap_or(1),
        length: 0,
        link: GENESIS,
    };
    for number in numbers.iter().rev() {
        let last = last_line(&files::path(directory, *number))?;
        if *number == end.number {
            end.length = last.map_or(0, |(length, _)| length);
            recovery.torn = move_aside(directory, &end)?;
        }
        if let Some((_, link)) = last {
            end.link = link;
            break;
        }
    }
    match head {
        Head::Missing if numbers.is_empty() => {}
        Head::Missing => recovery.head = Some("it was missing"),
        Head::Unreadable => recovery.head = Some("it could not be read"),
        Head::Seal(seal) => {
            recovery.head = match seal.check(key) {
                Signature::Bad => Some("its signature was wrong"),
                Signature::OtherKey => Some("another key had signed it"),
                Signature::Good if seal.seq == end.link.seq && !seal.names(end.link) => {
                    Some("it named another record than the last one")
                }
                Signature::Good => None,
            };
            if seal.seq > end.link.seq && seal.check(key) != Signature::Bad {
                recovery.missing = Some((end.link.seq + 1, seal.seq));
            }
        }
    }
    let is_sound = recovery == Recovery::default();
    Ok((end, (!is_sound).then_some(recovery)))
}

/// Where the last whole line of a file ends, and its link.
pub(super) fn last_line(path: &Path) -> io::Result<Option<(u64, Link)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > READ_BYTES_MAX {
        let why = format!("{} is longer than any file of a trail", path.display());
        return Err(io::Error::other(why));
    }
    for from in [length.saturating_sub(TAIL_BYTES), 0] {
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&mut file).take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
        if let Some((at, link)) = last_line_of(&bytes) {
            return Ok(Some((from + at as u64, link)));
        }
    }
    Ok(None)
}

fn last_line_of(bytes: &[u8]) -> Option<(usize, Link)> {
    let mut rest = bytes;
    loop {
        let end = rest.iter().rposition(|byte| *byte == b'\n')?;
        rest = &rest[..end];
        let start = rest.iter().rposition(|byte| *byte == b'\n');
        let start = start.map_or(0, |at| at + 1);
        if let Some(line) = line::read(&rest[start..]) {
            return Some((end + 1, line.link));
        }
    }
}

/// Moves what stands behind the end of the last file to a file of its own.
fn move_aside(directory: &Path, end: &End) -> io::Result<Option<(u64, PathBuf)>> {
    let path = files::path(directory, end.number);
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let torn = file.metadata()?.len().saturating_sub(end.length);
    if torn == 0 {
        return Ok(None);
    }
    let kept_in = directory.join(format!("torn-{}-{}", end.number, end.length));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut kept = options.open(&kept_in)?;
    file.seek(SeekFrom::Start(end.length))?;
    io::copy(&mut file, &mut kept)?;
    kept.sync_all()?;
    File::open(directory)?.sync_all()?;
    file.set_len(end.length)?;
    file.sync_all()?;
    Ok(Some((torn, kept_in)))
}
