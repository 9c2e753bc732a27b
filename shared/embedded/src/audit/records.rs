//! Reading a trail, for those who want to know what happened.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    files::{self, Found, Lines},
    line,
    verify::Wrong,
};

/// A record, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub seq: u64,
    /// The name of the file, and the number of the line in it, from 1.
    pub file: String,
    pub line: u64,
    /// In `CloudTrail`'s form (spec 40 §4).
    pub record: Value,
}

/// The records of a trail in order, one after the other, so that a long one takes no memory.
///
/// A line that is none is told in its place, and the others follow; whether the chain holds is for
/// [`verify`](super::verify). Nothing is written, so a server may be at work.
pub struct Records {
    directory: PathBuf,
    numbers: VecDeque<u64>,
    lines: Option<(u64, Lines)>,
}

impl Records {
    pub fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            directory: directory.to_owned(),
            numbers: files::numbers(directory)?.into(),
            lines: None,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Entry, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((number, lines)) = &mut self.lines else {
                let number = self.numbers.pop_front()?;
                match Lines::open(&self.directory, number) {
                    Ok(lines) => self.lines = Some((number, lines)),
                    Err(error) => return Some(Err(unreadable(number, 0, &error))),
                }
                continue;
            };
            let (number, at) = (*number, lines.count + 1);
            let wrong = |what: &str| Wrong {
                file: files::name(number),
                line: at,
                what: what.to_owned(),
            };
            let item = match lines.next() {
                Ok(Found::End | Found::Unfinished(_)) => None,
                Ok(Found::TooLong) => {
                    self.lines = None;
                    return Some(Err(wrong("the line is longer than any that was written")));
                }
                Ok(Found::Line(text)) => {
                    let line = line::read(text);
                    let record = line
                        .and_then(|line| Some((line, serde_json::from_slice(line.record).ok()?)));
                    Some(record.map_or_else(
                        || Err(wrong("it is no record, or it was changed")),
                        |(line, record)| {
                            Ok(Entry {
                                seq: line.link.seq,
                                file: files::name(number),
                                line: at,
                                record,
                            })
                        },
                    ))
                }
                Err(error) => {
                    self.lines = None;
                    return Some(Err(unreadable(number, at, &error)));
                }
            };
            match item {
                Some(item) => return Some(item),
                None => self.lines = None,
            }
        }
    }
}

fn unreadable(number: u64, line: u64, error: &io::Error) -> Wrong {
    Wrong {
        file: files::name(number),
        line,
        what: format!("it cannot be read: {error}"),
    }
}
