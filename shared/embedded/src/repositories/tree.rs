//! The files of a commit, and the blobs that they are made of.

use std::{
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout},
};

use ports::repositories::RepositoryError;

use super::{ARCHIVE_BYTES_MAX, ARCHIVE_FILES_MAX, git::Git};

/// The longest line that `cat-file` answers with.
const HEADER_BYTES_MAX: u64 = 1024;

/// How the record of a submodule begins.
const SUBMODULE: &[u8] = b"160000 ";

/// One file of a tree.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) id: String,
    pub(super) size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Executable,
    Link,
}

/// The files of a commit below `prefix`, in git's order. Submodules are left out (spec 60 §1.2).
pub(super) fn entries(
    git: &Git<'_>,
    commit: &str,
    prefix: &str,
) -> Result<Vec<Entry>, RepositoryError> {
    let doing = "list the files of a commit";
    let mut args = vec!["ls-tree", "-r", "-z", "-l", "--full-tree", commit];
    if !prefix.is_empty() {
        args.extend(["--", prefix]);
    }
    let listed = git.bytes(doing, &args)?;
    let mut entries = Vec::new();
    let mut total: u64 = 0;
    let records = listed.split(|byte| *byte == 0).filter(|r| !r.is_empty());
    for record in records.filter(|record| !record.starts_with(SUBMODULE)) {
        let mut entry = parse(record).ok_or_else(|| {
            let said = format!("`{}`", String::from_utf8_lossy(record).escape_debug());
            git.failed(doing, &said)
        })?;
        if entry.path.starts_with(prefix) {
            entry.path.drain(..prefix.len());
        }
        total = total.saturating_add(entry.size);
        entries.push(entry);
        if entries.len() > ARCHIVE_FILES_MAX || total > ARCHIVE_BYTES_MAX {
            let said = format!(
                "the source has more than {ARCHIVE_FILES_MAX} files or {ARCHIVE_BYTES_MAX} bytes"
            );
            return Err(git.failed("archive a commit", &said));
        }
    }
    Ok(entries)
}

/// `<mode> <type> <id> <size>\t<path>`.
fn parse(record: &[u8]) -> Option<Entry> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let about = std::str::from_utf8(&record[..tab]).ok()?;
    let mut fields = about.split_ascii_whitespace();
    let (mode, kind, id) = (fields.next()?, fields.next()?, fields.next()?);
    let kind = match (mode, kind) {
        ("120000", "blob") => EntryKind::Link,
        ("100755", "blob") => EntryKind::Executable,
        (_, "blob") => EntryKind::File,
        (_, _) => return None,
    };
    Some(Entry {
        // The names of an artifact are UTF-8 (spec 60 §0.3).
        path: String::from_utf8(record[tab + 1..].to_vec()).ok()?,
        kind,
        id: id.to_owned(),
        size: fields.next()?.parse().ok()?,
    })
}

/// Stores files as they are, and gives the ids of their contents in the same order.
pub(super) fn write_blobs(
    git: &Git<'_>,
    top: &Path,
    paths: &[&[u8]],
) -> Result<Vec<String>, RepositoryError> {
    use std::os::unix::ffi::OsStrExt;
    let doing = "record the uncommitted files";
    let (mut plain, mut ids) = (Vec::new(), vec![String::new(); paths.len()]);
    let mut asked = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let file = top.join(Path::new(std::ffi::OsStr::from_bytes(path)));
        let is_link = file.is_symlink();
        // A list by lines has no room for a link's own text or for a line break in a name.
        if is_link || path.contains(&b'\n') {
            ids[at] = write_alone(git, &file, is_link)?;
        } else {
            plain.extend_from_slice(path);
            plain.push(b'\n');
            asked.push(at);
        }
    }
    if asked.is_empty() {
        return Ok(ids);
    }
    let args = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
    let answer = git.bytes_from(doing, &args, plain)?;
    let answer = String::from_utf8_lossy(&answer);
    let answered: Vec<_> = answer.lines().collect();
    if answered.len() != asked.len() {
        return Err(git.failed(doing, "a different number of files than it was given"));
    }
    for (at, id) in asked.into_iter().zip(answered) {
        id.clone_into(&mut ids[at]);
    }
    Ok(ids)
}

fn write_alone(git: &Git<'_>, file: &Path, is_link: bool) -> Result<String, RepositoryError> {
    use std::os::unix::ffi::OsStrExt;
    let doing = "record the uncommitted files";
    let content = if is_link {
        std::fs::read_link(file).map(|target| target.as_os_str().as_bytes().to_vec())
    } else {
        std::fs::read(file)
    };
    let content = content.map_err(|source| RepositoryError::Io {
        doing: format!("read {}", file.display()),
        source,
    })?;
    let args = ["hash-object", "-w", "--no-filters", "--stdin"];
    let id = git.bytes_from(doing, &args, content)?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

/// Reads blobs one after the other from one process.
pub(super) struct Blobs<'a> {
    git: &'a Git<'a>,
    child: Child,
    ask: BufWriter<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl<'a> Blobs<'a> {
    pub(super) fn open(git: &'a Git<'a>) -> Result<Self, RepositoryError> {
        let mut child = git.spawn(DOING, &["cat-file", "--batch"])?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(ask), Some(answer)) => Ok(Self {
                git,
                child,
                ask: BufWriter::new(ask),
                answer: BufReader::new(answer),
            }),
            (_, _) => Err(git.failed(DOING, "")),
        }
    }

    /// Copies the content of a file to a writer.
    pub(super) fn copy(
        &mut self,
        entry: &Entry,
        to: &mut impl Write,
    ) -> Result<(), RepositoryError> {
        let io = |source| RepositoryError::Io {
            doing: format!("{DOING}: {}", entry.path),
            source,
        };
        writeln!(self.ask, "{}", entry.id).map_err(io)?;
        self.ask.flush().map_err(io)?;
        let mut header = String::new();
        let mut limited = self.answer.by_ref().take(HEADER_BYTES_MAX);
        limited.read_line(&mut header).map_err(io)?;
        let expected = format!("{} blob {}", entry.id, entry.size);
        if header.trim_end() != expected {
            return Err(self.git.failed(DOING, &header));
        }
        let content = &mut self.answer.by_ref().take(entry.size);
        let copied = std::io::copy(content, to).map_err(io)?;
        let mut end = [0; 1];
        self.answer.read_exact(&mut end).map_err(io)?;
        if copied == entry.size {
            Ok(())
        } else {
            Err(self.git.failed(DOING, "less than the file has"))
        }
    }
}

const DOING: &str = "read a file of a commit";

impl Drop for Blobs<'_> {
    fn drop(&mut self) {
        // It ends by itself when nobody asks any more; killing it also covers one that hangs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
