//! A log is what one build printed: a file of lines, capped, that grows while the build runs.
//!
//! Secrets are masked before a line gets here (spec 70 §4.3), so nothing here ever holds one.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use ports::{BuildLogs, LogPiece, StoreError};

/// What one log holds unless its owner says less.
pub const LOG_BYTES: u64 = 64 << 20;

/// How far back [`Logs::tail`] looks.
const TAIL_BYTES: u64 = 256 << 10;

/// How much of a log one page has.
const PAGE_BYTES: u64 = 1 << 20;

/// The longest name of a log stream.
const STREAM_NAME_BYTES: usize = 128;

/// Called with the stream's name and each line as it is written; it holds the build up meanwhile.
pub type OnLine = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The logs of one data directory.
#[derive(Clone)]
pub struct Logs {
    directory: PathBuf,
    on_line: OnLine,
}

impl Logs {
    /// The logs in `directory`, which is created when it is not there.
    pub fn open(directory: &Path, on_line: OnLine) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            on_line,
        })
    }

    /// Where the log of a stream is, whether or not it is there yet.
    pub fn path(&self, stream: &str) -> io::Result<PathBuf> {
        if !is_stream_name(stream) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a log stream is named by letters, digits, `-`, `_` and `.`",
            ));
        }
        Ok(self.directory.join(format!("{stream}.log")))
    }

    /// Opens a log to write at its end; no more than `cap` bytes in all will be in it, and a mark
    /// where the rest is missing.
    pub fn writer(&self, stream: &str, cap: u64) -> io::Result<LogWriter> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.path(stream)?)?;
        let written = file.metadata()?.len();
        Ok(LogWriter {
            stream: stream.to_owned(),
            file,
            left: cap.saturating_sub(written),
            is_new: written == 0,
            is_full: false,
            on_line: Arc::clone(&self.on_line),
        })
    }

    /// The last lines of a log, at most `lines`; none when there is no such log.
    pub fn tail(&self, stream: &str, lines: usize) -> io::Result<Vec<String>> {
        let Some(mut file) = existing(&self.path(stream)?)? else {
            return Ok(Vec::new());
        };
        let from = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut all: Vec<&str> = text.lines().collect();
        if from > 0 && !all.is_empty() {
            // The first one is most likely the end of a line that began before.
            all.remove(0);
        }
        let first = all.len().saturating_sub(lines);
        Ok(all
            .split_off(first)
            .into_iter()
            .map(str::to_owned)
            .collect())
    }

    /// Reads a stream's file where it holds up nobody.
    async fn read<T: Send + 'static>(
        &self,
        stream: &str,
        read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |error: io::Error| StoreError::Unavailable {
            doing: format!("read the log `{stream}`"),
            source: error.into(),
        };
        let path = self.path(stream).map_err(failed)?;
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        read.map_err(io::Error::other)
            .and_then(|read| read)
            .map_err(failed)
    }
}

#[async_trait]
impl BuildLogs for Logs {
    async fn lines(
        &self,
        stream: &str,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64), StoreError> {
        let read = move |path: &Path| whole_lines(path, offset, limit);
        self.read(stream, read).await
    }

    async fn lines_before(
        &self,
        stream: &str,
        until: u64,
        limit: usize,
    ) -> Result<LogPiece, StoreError> {
        let read = move |path: &Path| whole_lines_before(path, until, limit);
        self.read(stream, read).await
    }
}

/// The whole lines from there on, and where the next ones begin.
fn whole_lines(path: &Path, offset: u64, limit: usize) -> io::Result<(Vec<String>, u64)> {
    let Some(mut file) = existing(path)? else {
        return Ok((Vec::new(), offset));
    };
    // Whoever asks may name any place, and a file system knows only so many.
    if offset >= file.metadata()?.len() {
        return Ok((Vec::new(), offset));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(PAGE_BYTES).read_to_end(&mut bytes)?;
    let (mut lines, mut next) = (Vec::new(), offset);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_whole = line.ends_with(b"\n") || line.len() as u64 == PAGE_BYTES;
        if lines.len() == limit || !is_whole {
            break;
        }
        next += line.len() as u64;
        lines.push(text(line));
    }
    Ok((lines, next))
}

/// The last whole lines that end there; no more than a page is read.
fn whole_lines_before(path: &Path, until: u64, limit: usize) -> io::Result<LogPiece> {
    let Some(mut file) = existing(path)? else {
        return Ok(LogPiece::default());
    };
    let end = until.min(file.metadata()?.len());
    let begin = end.saturating_sub(PAGE_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(end - begin).read_to_end(&mut bytes)?;
    let mut all: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut to = begin + bytes.len() as u64;
    // What ends without an end is still being written, or it is a piece of a very long line.
    let unfinished = all
        .pop_if(|line| end != until && !line.ends_with(b"\n") && (line.len() as u64) < PAGE_BYTES);
    to -= unfinished.map_or(0, <[u8]>::len) as u64;
    if begin > 0 && all.len() > 1 {
        // The first one is most likely the end of a line that began before.
        all.remove(0);
    }
    let lines = all.split_off(all.len().saturating_sub(limit));
    let length: usize = lines.iter().map(|line| line.len()).sum();
    Ok(LogPiece {
        from: to - length as u64,
        to,
        lines: lines.into_iter().map(text).collect(),
    })
}

/// The file, if it is there.
fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A line without its end.
fn text(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end_matches('\n').to_owned()
}

/// Whether a stream may have this name: it becomes a file's name.
pub(crate) fn is_stream_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= STREAM_NAME_BYTES
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Writes one log.
pub struct LogWriter {
    stream: String,
    file: File,
    left: u64,
    is_new: bool,
    is_full: bool,
    on_line: OnLine,
}

impl LogWriter {
    /// Whether nothing was in the log when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Writes a line, or the mark that says that the log is full, or nothing any more.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        if self.is_full {
            return Ok(());
        }
        let bytes = line.len() as u64 + 1;
        if bytes > self.left {
            self.is_full = true;
            return self.put("[Pipewright] The log is full: the rest of it was not kept.");
        }
        self.left -= bytes;
        self.put(line)
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        // One write a line: whoever follows the file sees whole lines.
        self.file.write_all(format!("{line}\n").as_bytes())?;
        (self.on_line)(&self.stream, line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn logs(directory: &Path) -> (Logs, Arc<Mutex<Vec<String>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&seen);
        let on_line: OnLine = Arc::new(move |stream, line| {
            to.lock().unwrap().push(format!("{stream}: {line}"));
        });
        (Logs::open(directory, on_line).unwrap(), seen)
    }

    #[test]
    fn a_line_is_in_the_file_and_with_the_listener() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, seen) = logs(directory.path());
        let mut writer = logs.writer("b1", LOG_BYTES).unwrap();
        assert!(writer.is_new());
        writer.line("one").unwrap();
        writer.line("two").unwrap();
        assert_eq!(*seen.lock().unwrap(), ["b1: one", "b1: two"]);
        assert_eq!(logs.tail("b1", 1).unwrap(), ["two"]);
        assert!(!logs.writer("b1", LOG_BYTES).unwrap().is_new());
        assert!(logs.tail("b2", 1).unwrap().is_empty());
    }

    #[test]
    fn a_full_log_says_so_once_and_grows_no_more_even_when_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        for _ in 0..2 {
            let mut writer = logs.writer("b1", 30).unwrap();
            for _ in 0..100 {
                writer.line("0123456789").unwrap();
            }
        }
        let lines = logs.tail("b1", 100).unwrap();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[2].contains("The log is full"));
    }

    #[test]
    fn the_tail_of_a_long_log_begins_with_a_whole_line() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        let mut writer = logs.writer("b1", LOG_BYTES).unwrap();
        for n in 0..40_000 {
            writer.line(&format!("line {n:08}")).unwrap();
        }
        let lines = logs.tail("b1", usize::MAX).unwrap();
        assert!(lines.len() < 40_000);
        assert!(lines.iter().all(|line| line.len() == 13), "{:?}", lines[0]);
    }

    #[tokio::test]
    async fn a_log_is_read_page_by_page_while_it_grows() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        let read = |offset, limit| logs.lines("b1", offset, limit);
        assert_eq!(read(0, 9).await.unwrap(), (vec![], 0));
        let mut writer = logs.writer("b1", LOG_BYTES).unwrap();
        for line in ["one", "two", "three"] {
            writer.line(line).unwrap();
        }
        let (lines, next) = read(0, 2).await.unwrap();
        assert_eq!((lines, next), (vec!["one".to_owned(), "two".to_owned()], 8));
        let (lines, next) = read(next, 2).await.unwrap();
        assert_eq!((lines, next), (vec!["three".to_owned()], 14));
        assert_eq!(read(next, 2).await.unwrap(), (vec![], 14));
        writer.line(&"x".repeat(3 << 20)).unwrap();
        let (lines, next) = read(next, 9).await.unwrap();
        assert_eq!(
            (lines.len(), next),
            (1, 14 + PAGE_BYTES),
            "a long line comes in pieces"
        );
        assert!(logs.lines("../b1", 0, 1).await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_beyond_the_end_of_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        logs.writer("b1", LOG_BYTES).unwrap().line("one").unwrap();
        for offset in [4, 5, i64::MAX.unsigned_abs(), u64::MAX] {
            let read = logs.lines("b1", offset, 9).await.unwrap();
            assert_eq!(read, (vec![], offset));
        }
    }

    /// What is told of a piece: its first line, how many there are, where they begin and end.
    fn told(piece: &LogPiece) -> (&str, usize, u64, u64) {
        let first = piece.lines.first().map_or("", String::as_str);
        (first, piece.lines.len(), piece.from, piece.to)
    }

    #[tokio::test]
    async fn a_log_is_read_backwards_from_its_end_or_from_a_place() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        let read = |until, limit| logs.lines_before("b1", until, limit);
        assert_eq!(read(u64::MAX, 9).await.unwrap(), LogPiece::default());
        let mut writer = logs.writer("b1", LOG_BYTES).unwrap();
        for line in ["one", "two", "three"] {
            writer.line(line).unwrap();
        }
        for until in [14, 15, i64::MAX.unsigned_abs(), u64::MAX] {
            let piece = read(until, 2).await.unwrap();
            assert_eq!(told(&piece), ("two", 2, 4, 14), "{until}");
        }
        assert_eq!(told(&read(4, 2).await.unwrap()), ("one", 1, 0, 4));
        assert_eq!(told(&read(0, 2).await.unwrap()), ("", 0, 0, 0));
        // A line that is still being written is not told of yet.
        let path = logs.path("b1").unwrap();
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"fo\xff").unwrap();
        let piece = read(u64::MAX, 1).await.unwrap();
        assert_eq!(told(&piece), ("three", 1, 8, 14));
        file.write_all(b"\n").unwrap();
        let piece = read(u64::MAX, 1).await.unwrap();
        assert_eq!(told(&piece), ("fo\u{fffd}", 1, 14, 18), "bytes are counted");
        assert!(logs.lines_before("../b1", 0, 1).await.is_err());
    }

    #[tokio::test]
    async fn backwards_no_more_than_a_page_is_read_and_nothing_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        let mut writer = logs.writer("b1", LOG_BYTES).unwrap();
        for n in 0..100_000 {
            writer.line(&format!("line {n:08}")).unwrap();
        }
        writer.line(&"x".repeat(3 << 20)).unwrap();
        writer.line("last").unwrap();
        let (mut until, mut text, mut pages) = (u64::MAX, String::new(), 0);
        while until > 0 {
            let piece = logs.lines_before("b1", until, usize::MAX).await.unwrap();
            assert!(piece.to - piece.from <= PAGE_BYTES && piece.from < until);
            text.insert_str(0, &piece.lines.concat());
            (until, pages) = (piece.from, pages + 1);
        }
        assert!((5..9).contains(&pages), "{pages}");
        let written = std::fs::read_to_string(logs.path("b1").unwrap()).unwrap();
        assert!(text == written.replace('\n', ""), "{}", text.len());
    }

    #[test]
    fn a_stream_cannot_be_named_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, _) = logs(directory.path());
        for name in ["", "..", "../x", "a/b", "a\0", ".hidden", &"x".repeat(200)] {
            assert!(logs.writer(name, 1).is_err(), "{name:?}");
        }
    }
}
