//! Whether a trail is whole and as it was written.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    began,
    files::{self, Found, Lines},
    line::{self, GENESIS, Link},
    recover,
    seal::{self, Head, Seal, Signature},
};
use crate::data_dir;

/// How many things that are wrong are told.
const WRONG_MAX: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// How many records stand in an unbroken chain from the first one.
    pub records: u64,
    pub files: u64,
    /// Anchors that name a record of the chain, signed with the key if one was given.
    pub anchors: u64,
    /// Anchors that an earlier key signed: they agree with the chain, and that is all.
    pub anchors_of_other_keys: u64,
    /// Whether signatures were checked: there was a key.
    pub is_signature_checked: bool,
    /// Where a crash had cut a line, and the trail says so itself: nothing that was answered for was
    /// lost.
    pub torn: Vec<(String, u64)>,
    /// Bytes behind the last line: a server is writing, or was killed.
    pub unfinished_bytes: u64,
    /// The first place that is wrong, and others where the chain goes on behind it; empty is well.
    pub wrong: Vec<Wrong>,
}

/// A place that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}, line {line}: {what}")]
pub struct Wrong {
    pub file: String,
    /// From 1; 0 is the file as a whole.
    pub line: u64,
    pub what: String,
}

#[derive(Debug, Error)]
pub enum VerifyError {
    #[error("there is no audit trail in `{}`", .0.display())]
    NotFound(PathBuf),
    #[error("failed to read the audit trail in `{}`", directory.display())]
    Read {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Reads a whole trail and says what is wrong with it.
///
/// Without the key, whoever can write the folder could have written the chain anew. Nothing is
/// written, so a server may be at work meanwhile. No record at all is wrong beside access keys: a
/// server begins its trail before it makes them.
pub fn verify(directory: &Path, key: Option<&[u8; 32]>) -> Result<Verification, VerifyError> {
    if !directory.is_dir() {
        if began::was_in_use(directory) {
            let mut walk = Walk::new(key);
            walk.check_beginning(directory);
            return Ok(walk.found);
        }
        return Err(VerifyError::NotFound(directory.to_owned()));
    }
    let read = || -> io::Result<Verification> {
        // The head first: what is written after it was read is no concern of it.
        let head = seal::read_head(directory)?;
        let anchors = seal::read_anchors(directory)?;
        let mut walk = Walk::new(key);
        walk.take_seals(head, anchors);
        walk.all(directory)?;
        walk.check_beginning(directory);
        Ok(walk.found)
    };
    read().map_err(|source| VerifyError::Read {
        directory: directory.to_owned(),
        source,
    })
}

/// Reads the last file of a trail that has a record, and says what is wrong with it: what a server
/// has the time for when it starts. It is no more than [`FILE_BYTES_MAX`](super::FILE_BYTES_MAX).
///
/// What stands before that file is taken as it is, but for the record that the file goes on from.
pub fn verify_last_file(directory: &Path, key: &[u8; 32]) -> Result<Verification, VerifyError> {
    let read = || -> io::Result<Verification> {
        let mut walk = Walk::new(Some(key));
        let (head, anchors) = (seal::read_head(directory)?, seal::read_anchors(directory)?);
        for number in files::numbers(directory)?.into_iter().rev() {
            let Some((before, previous)) = first_of(directory, number)? else {
                continue;
            };
            walk.file = files::name(number);
            walk.found.files = 1;
            walk.link = before;
            // Those of records before the file are for the whole walk.
            walk.take_seals(head, anchors);
            walk.seals.retain(|seq, _| *seq >= before.seq);
            walk.check_seals();
            if previous.is_some_and(|previous| previous != before) {
                walk.wrong_here("it does not go on where the file before it ends");
            }
            if walk.one(directory, number, true)? {
                walk.check_end();
            }
            break;
        }
        Ok(walk.found)
    };
    read().map_err(|source| VerifyError::Read {
        directory: directory.to_owned(),
        source,
    })
}

/// What the first line of a file says that it goes on from, and where the file before it ends, if
/// that can be read; `None` where there is no line.
///
/// A line that is no record is one whose place is not known: the walk finds it wrong.
fn first_of(directory: &Path, number: u64) -> io::Result<Option<(Link, Option<Link>)>> {
    let mut lines = Lines::open(directory, number)?;
    let said = match lines.next()? {
        Found::End => return Ok(None),
        Found::Line(text) => line::read(text).map(|line| Link {
            seq: line.link.seq.saturating_sub(1),
            hash: line.previous,
        }),
        Found::Unfinished(_) | Found::TooLong => None,
    };
    if number <= 1 {
        return Ok(Some((GENESIS, None)));
    }
    let previous = match recover::last_line(&files::path(directory, number - 1)) {
        Ok(last) => last.map(|(_, link)| link),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Some((said.or(previous).unwrap_or(GENESIS), previous)))
}

/// Where a walk along the chain is.
struct Walk<'k> {
    key: Option<&'k [u8; 32]>,
    found: Verification,
    link: Link,
    /// What says which record is the one of a number: the file and the line of the seal, if the
    /// seal is an anchor.
    seals: BTreeMap<u64, Vec<(Seal, Option<u64>)>>,
    has_head: bool,
    /// Where the next line is expected.
    file: String,
    line: u64,
}

impl<'k> Walk<'k> {
    fn new(key: Option<&'k [u8; 32]>) -> Self {
        Self {
            key,
            found: Verification {
                is_signature_checked: key.is_some(),
                ..Verification::default()
            },
            link: GENESIS,
            seals: BTreeMap::new(),
            has_head: false,
            file: files::name(1),
            line: 1,
        }
    }

    fn wrong(&mut self, file: &str, line: u64, what: impl Into<String>) {
        if self.found.wrong.len() < WRONG_MAX {
            self.found.wrong.push(Wrong {
                file: file.to_owned(),
                line,
                what: what.into(),
            });
        }
    }

    fn wrong_here(&mut self, what: impl Into<String>) {
        let (file, line) = (self.file.clone(), self.line);
        self.wrong(&file, line, what);
    }

    fn signature(&self, seal: &Seal) -> Signature {
        self.key.map_or(Signature::Good, |key| seal.check(key))
    }

    fn take_seals(&mut self, head: Head, anchors: Vec<Option<Seal>>) {
        match head {
            Head::Seal(head) => {
                match self.signature(&head) {
                    Signature::Good => {}
                    Signature::OtherKey => self.wrong(
                        seal::HEAD,
                        1,
                        "another key signed it: this is not the master key of this trail",
                    ),
                    Signature::Bad => self.wrong(seal::HEAD, 1, "its signature is wrong"),
                }
                self.has_head = true;
                self.seals.entry(head.seq).or_default().push((head, None));
            }
            Head::Missing => {}
            Head::Unreadable => {
                self.has_head = true;
                self.wrong(seal::HEAD, 1, "it cannot be read");
            }
        }
        for (at, anchor) in anchors.into_iter().enumerate() {
            let line = at as u64 + 1;
            let Some(anchor) = anchor else {
                self.wrong(seal::ANCHORS, line, "it is no anchor");
                continue;
            };
            match self.signature(&anchor) {
                Signature::Good => self.found.anchors += 1,
                Signature::OtherKey => self.found.anchors_of_other_keys += 1,
                Signature::Bad => {
                    self.wrong(seal::ANCHORS, line, "its signature is wrong");
                    continue;
                }
            }
            let of_record = self.seals.entry(anchor.seq).or_default();
            of_record.push((anchor, Some(line)));
        }
    }

    fn all(&mut self, directory: &Path) -> io::Result<()> {
        let numbers = files::numbers(directory)?;
        self.found.files = numbers.len() as u64;
        if !numbers.is_empty() && !self.has_head {
            self.wrong(
                seal::HEAD,
                0,
                "it is missing: nothing says where the trail ends",
            );
        }
        self.check_seals();
        for (at, number) in numbers.iter().enumerate() {
            let expected = at as u64 + 1;
            self.file = files::name(expected);
            self.line = 1;
            if *number != expected {
                self.line = 0;
                self.wrong_here("the file is missing");
                return Ok(());
            }
            if !self.one(directory, *number, *number == numbers.len() as u64)? {
                return Ok(());
            }
        }
        self.check_end();
        Ok(())
    }

    /// Compares the end with what head and anchors say of it.
    fn check_end(&mut self) {
        if let Some(latest) = self.seals.keys().next_back().copied()
            && latest > self.link.seq
        {
            let from = self.link.seq + 1;
            self.wrong_here(format!(
                "records {from} to {latest} are missing: a seal says that the trail had them"
            ));
        }
    }

    /// A trail without a record, where one must have been.
    fn check_beginning(&mut self, directory: &Path) {
        let is_told = !self.found.wrong.is_empty();
        if self.found.records == 0 && !is_told && began::was_in_use(directory) {
            let (name, keys) = (data_dir::AUDIT, data_dir::ACCESS_KEYS);
            let what = format!(
                "there is no record, and {keys} beside {name}/ says that a server was in use: the \
                 trail is gone"
            );
            self.wrong(&files::name(1), 0, what);
        }
    }

    /// Walks along one file; whether the chain goes on behind it.
    fn one(&mut self, directory: &Path, number: u64, is_last: bool) -> io::Result<bool> {
        let mut lines = Lines::open(directory, number)?;
        loop {
            match lines.next()? {
                Found::End => return Ok(true),
                Found::Unfinished(bytes) if is_last => {
                    self.found.unfinished_bytes = bytes as u64;
                    return Ok(true);
                }
                Found::Unfinished(_) => self.wrong_here("the line has no end"),
                Found::TooLong => self.wrong_here("the line is longer than any that was written"),
                Found::Line(text) => {
                    if self.next(text) {
                        continue;
                    }
                }
            }
            return Ok(false);
        }
    }

    /// Takes the next line; whether it is the next link of the chain.
    fn next(&mut self, text: &[u8]) -> bool {
        let Some(line) = line::read(text) else {
            self.wrong_here("it is no record, or it was changed");
            return false;
        };
        let expected = self.link.seq + 1;
        if line.link.seq != expected {
            let seq = line.link.seq;
            self.wrong_here(format!(
                "record {seq} stands where record {expected} should: one was removed, added or moved"
            ));
            return false;
        }
        if line.previous != self.link.hash {
            self.wrong_here("the record before it was changed, or this one was put in its place");
            return false;
        }
        self.link = line.link;
        self.found.records += 1;
        self.check_seals();
        if self.link.seq == 1
            && let Some(loss) = began::told(line.record)
        {
            self.wrong_here(loss);
        }
        if let Some(losses) = recover::told(line.record) {
            if losses.is_empty() {
                self.found.torn.push((self.file.clone(), self.line));
            }
            for loss in losses {
                self.wrong_here(loss);
            }
        }
        self.line += 1;
        true
    }

    /// Compares the record with what head and anchors say of it.
    fn check_seals(&mut self) {
        for (seal, anchor) in self.seals.get(&self.link.seq).cloned().unwrap_or_default() {
            if seal.names(self.link) {
                continue;
            }
            let name = match anchor {
                Some(line) => format!("line {line} of {}", seal::ANCHORS),
                None => "the head".to_owned(),
            };
            self.wrong_here(format!(
                "this is not the record that {name} names: the trail was written anew"
            ));
        }
    }
}
