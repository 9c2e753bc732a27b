//! The files of a trail, by number.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use super::line::LINE_BYTES_MAX;

const SUFFIX: &str = ".jsonl";

/// How many digits the name of a file has.
const DIGITS: usize = 8;

/// `00000001.jsonl`
pub(super) fn name(number: u64) -> String {
    format!("{number:0DIGITS$}{SUFFIX}")
}

/// The numbers of the files that are there, in order.
pub(super) fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.file_name();
        let digits = file.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        let number = digits.and_then(|digits| digits.parse().ok());
        numbers.extend(number.filter(|number| file.to_str() == Some(&name(*number))));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The lines of one file.
pub(super) struct Lines {
    reader: BufReader<File>,
    buffer: Vec<u8>,
    /// How many lines were read.
    pub(super) count: u64,
}

/// What was found where a line could be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// So many bytes, and then the file ends without an end of the line.
    Unfinished(usize),
    /// More bytes than a line may have.
    TooLong,
    End,
}

impl Lines {
    pub(super) fn open(directory: &Path, number: u64) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(LINE_BYTES_MAX, File::open(path(directory, number))?),
            buffer: Vec::new(),
            count: 0,
        })
    }

    pub(super) fn next(&mut self) -> io::Result<Found<'_>> {
        self.buffer.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Found::End);
        }
        self.count += 1;
        Ok(match self.buffer.strip_suffix(b"\n") {
            Some(line) => Found::Line(line),
            None if read as u64 == most => Found::TooLong,
            None => Found::Unfinished(read),
        })
    }
}

pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(name(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_the_name_of_their_number_count() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "00000002.jsonl",
            "00000001.jsonl",
            "123456789.jsonl",
            "1.jsonl",
            "anchors.jsonl",
            "head",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(numbers(folder.path()).unwrap(), [1, 2, 123_456_789]);
    }

    #[test]
    fn a_file_is_read_line_by_line_and_no_line_is_endless() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        fs::write(path(folder.path(), 1), "a\n\nbc").unwrap();
        fs::write(path(folder.path(), 2), long).unwrap();
        let mut lines = Lines::open(folder.path(), 1).unwrap();
        assert_eq!(lines.next().unwrap(), Found::Line(b"a"));
        assert_eq!(lines.next().unwrap(), Found::Line(b""));
        assert_eq!(lines.next().unwrap(), Found::Unfinished(2));
        assert_eq!(lines.next().unwrap(), Found::End);
        let mut lines = Lines::open(folder.path(), 2).unwrap();
        assert_eq!(lines.next().unwrap(), Found::TooLong);
    }
}
