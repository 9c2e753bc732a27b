//! An archive is a ZIP of files, links and directories with their Unix modes: the form of every
//! artifact (spec 60 §0.3).
//!
//! [`pack`] writes one; equal content gives equal bytes, because entries are sorted and carry no
//! time. [`extract`] takes one apart that anybody may have made and writes nothing outside the
//! target directory, whatever the archive says. While it runs, the target directory belongs to
//! the caller alone: nothing here defends against another process that moves it meanwhile.

mod check;
mod extract;
mod pack;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use extract::{Existing, extract, extract_over};
pub(crate) use pack::climbs_no_higher;
pub use pack::{Item, Packed, pack, pack_directory};

/// The largest number of entries: CodePipeline's own limit for a source (spec 60 §1.1).
pub const ENTRIES_MAX: usize = 100_000;
/// The largest unpacked size: CodePipeline's own limit for a source (spec 60 §1.1).
pub const BYTES_MAX: u64 = 7 * 1024 * 1024 * 1024;
/// How many times its own size an archive may unpack to, past [`RATIO_FREE_BYTES`].
pub const RATIO_MAX: u64 = 200;
/// Below this size no ratio is too high: a small file of zeros is no attack.
pub const RATIO_FREE_BYTES: u64 = 10 * 1024 * 1024;
/// The longest target of a link, as on Linux.
const LINK_TARGET_MAX_BYTES: u64 = 4096;
/// The buffer through which contents are copied.
const COPY_BUFFER_BYTES: usize = 64 * 1024;

/// How much an archive may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub entries: usize,
    pub bytes: u64,
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: ENTRIES_MAX,
            bytes: BYTES_MAX,
            ratio: RATIO_MAX,
        }
    }
}

/// What was taken out of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Files and links.
    pub files: usize,
    pub bytes: u64,
}

#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("failed to {doing} {path}")]
    Io {
        doing: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("not a readable archive: {0}")]
    Unreadable(String),
    #[error("the archive holds more than {limit} entries")]
    TooManyEntries { limit: usize },
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the archive unpacks to more than {limit} times its own size")]
    RatioTooHigh { limit: u64 },
    #[error("the archive names {name:?} more than once")]
    DuplicateName { name: String },
    #[error("the archive's entry {name:?} leads outside of it")]
    OutsidePath { name: String },
    #[error("the archive's entry {name:?} has no usable name")]
    BadName { name: String },
    #[error("the archive's link {name:?} leads outside of it, to {target:?}")]
    OutsideLink { name: String, target: String },
    #[error("the archive's entry {name:?} lies below a file or a link")]
    BelowFile { name: String },
    #[error("the archive's entry {name:?} is neither a file, a directory nor a link")]
    UnsupportedKind { name: String },
    #[error("the archive's entry {name:?} is encrypted")]
    Encrypted { name: String },
    #[error("the archive is at odds with itself: {0}")]
    Inconsistent(String),
    #[error("{path} is already there")]
    AlreadyThere { path: String },
}

impl ArchiveError {
    /// Whether the archive is to blame, rather than this machine.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }

    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

/// Whether a file begins like a ZIP, an empty one included.
pub fn is_zip(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(4);
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == *b"PK\x03\x04" || magic == *b"PK\x05\x06")
}

#[cfg(test)]
mod tests;
