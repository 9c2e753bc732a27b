//! A build's directory: what it is made from, what it makes, and what is left when it is over.
//!
//! ```text
//! <data>/builds/<id>/
//!   envelope.json   what the agent is told
//!   process.json    who runs it, so that a later process can end it
//!   room/           what the build sees and writes: in/ out/ output/ cache/
//!   tmp/            its /tmp
//!   pending.json    the report while outputs are on their way into the object store
//!   report.json     the report; the build is over
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The largest file of JSON that is read back.
const JSON_BYTES: u64 = 64 << 20;

/// How deep a tree is that can be removed although directories in it may not be entered.
const TREE_DEPTH: usize = 256;

/// Who runs a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningProcess {
    pub(crate) pid: u32,
    /// In ticks since the machine started: with the number it is unmistakable.
    pub(crate) started: u64,
    /// The name of the isolation.
    pub(crate) isolation: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(crate) fn new(builds: &Path, id: &str) -> Self {
        Self {
            root: builds.join(id),
        }
    }

    pub(crate) fn room(&self) -> PathBuf {
        self.root.join("room")
    }

    pub(crate) fn inputs(&self) -> PathBuf {
        self.room().join("in")
    }

    pub(crate) fn outputs(&self) -> PathBuf {
        self.room().join("out")
    }

    /// Where the build works.
    pub(crate) fn work(&self) -> PathBuf {
        self.room().join("output")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn envelope(&self) -> PathBuf {
        self.root.join("envelope.json")
    }

    pub(crate) fn process(&self) -> PathBuf {
        self.root.join("process.json")
    }

    pub(crate) fn pending(&self) -> PathBuf {
        self.root.join("pending.json")
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// Makes everything anew.
    pub(crate) fn create(&self) -> io::Result<()> {
        remove_tree(&self.root)?;
        for path in [self.inputs(), self.outputs(), self.work(), self.tmp()] {
            create_private(&path)?;
        }
        Ok(())
    }

    /// Makes place for another attempt with the same inputs.
    pub(crate) fn create_again(&self) -> io::Result<()> {
        for path in [self.outputs(), self.work(), self.tmp()] {
            remove_tree(&path)?;
            create_private(&path)?;
        }
        Ok(())
    }

    /// Removes what a build that is over leaves; the report stays.
    pub(crate) fn remove_work(&self) -> io::Result<()> {
        for path in [self.room(), self.tmp(), self.envelope(), self.process()] {
            remove_tree(&path)?;
        }
        remove_tree(&self.pending())
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        remove_tree(&self.root)
    }
}

pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that is whole and on disk when it is there.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a file that [`write_json`] wrote; none when it is not there.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(JSON_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// Removes a file or a directory with everything in it; nothing happens when it is not there.
///
/// Builds leave directories that not even their owner may write (Go's module cache), so when the
/// first try is refused they are opened up for a second.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let remove = || match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    let absent_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match absent_is_fine(remove()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path, TREE_DEPTH)?;
            absent_is_fine(remove())
        }
        other => other,
    }
}

fn open_up(path: &Path, depth: usize) -> io::Result<()> {
    if depth == 0 || !fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path(), depth - 1)?;
        }
    }
    Ok(())
}

/// Whether this is a file in its own right, reached through directories in their own right: what
/// a build left may be a symlink to what it could not read itself.
pub(crate) fn is_plain_file(room: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(room) else {
        return false;
    };
    let mut at = room.to_owned();
    for part in below.parent().into_iter().flat_map(Path::components) {
        at.push(part);
        if !fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_dir()) {
            return false;
        }
    }
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_is_removed_although_nobody_may_write_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::new(parent.path(), "b1");
        directory.create().unwrap();
        let locked = directory.work().join("mod/cache");
        fs::create_dir_all(&locked).unwrap();
        fs::write(locked.join("file"), "x").unwrap();
        for path in [locked.as_path(), locked.parent().unwrap()] {
            fs::set_permissions(path, Permissions::from_mode(0o500)).unwrap();
        }
        symlink("/etc", directory.work().join("link")).unwrap();
        directory.remove_work().unwrap();
        assert!(!directory.room().exists());
        directory.remove().unwrap();
        directory.remove().unwrap();
        assert!(Path::new("/etc/passwd").exists());
    }

    #[test]
    fn what_was_written_is_read_back_and_what_is_broken_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("process.json");
        let process = RunningProcess {
            pid: 1,
            started: 2,
            isolation: "process".to_owned(),
        };
        assert!(read_json::<RunningProcess>(&path).unwrap().is_none());
        write_json(&path, &process).unwrap();
        assert_eq!(read_json(&path).unwrap(), Some(process));
        fs::write(&path, "{").unwrap();
        assert!(read_json::<RunningProcess>(&path).is_err());
    }

    #[test]
    fn a_result_that_is_or_lies_behind_a_symlink_is_not_taken() {
        let parent = tempfile::tempdir().unwrap();
        let room = parent.path().join("room");
        fs::create_dir_all(room.join("out")).unwrap();
        fs::write(parent.path().join("secret"), "x").unwrap();
        fs::write(room.join("out/a"), "x").unwrap();
        assert!(is_plain_file(&room, &room.join("out/a")));
        symlink(parent.path().join("secret"), room.join("out/b")).unwrap();
        assert!(!is_plain_file(&room, &room.join("out/b")));
        symlink(parent.path(), room.join("other")).unwrap();
        assert!(!is_plain_file(&room, &room.join("other/secret")));
        assert!(!is_plain_file(&room, &room.join("out/absent")));
        assert!(!is_plain_file(&room, &parent.path().join("secret")));
    }
}
