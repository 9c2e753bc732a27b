//! The data directory: everything that outlives this process, held by one process at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

/// The database of pipelines.
pub(crate) const DATABASE: &str = "pipewright.db";

/// The access keys, with their secrets sealed.
pub(crate) const ACCESS_KEYS: &str = "access.db";

/// What seals them, and signs the audit trail.
pub(crate) const MASTER_KEY: &str = "master.key";

/// The audit trail, in numbered files.
pub(crate) const AUDIT: &str = "audit";

/// The objects in buckets.
const OBJECTS: &str = "objects";

/// One directory a build.
const BUILDS: &str = "builds";

/// One file a log stream.
const LOGS: &str = "logs";

/// Held by the process that uses the directory; contains its id.
const LOCK: &str = "lock";

/// The longest process id that is read from a lock file.
const PID_BYTES_MAX: u64 = 20;

/// A data directory that this process holds. Clones hold it together; the last one lets go.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: Arc<File>,
}

#[derive(Debug, Error)]
pub enum DataDirError {
    #[error("failed to create the data directory `{}`", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to lock the data directory `{}`", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Two processes with one directory would each undo what the other did.
    #[error("the data directory `{}` is in use by {holder}", path.display())]
    InUse { path: PathBuf, holder: String },
}

impl DataDir {
    /// Takes hold of a directory, which is created for this user alone when it is not there.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let create = |source| DataDirError::Create {
            path: path.to_owned(),
            source,
        };
        make_folder(path).map_err(create)?;
        let path = fs::canonicalize(path).map_err(create)?;
        let lock = take_lock(&path)?;
        Ok(Self {
            path,
            _lock: Arc::new(lock),
        })
    }

    /// The absolute path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub fn access_keys(&self) -> PathBuf {
        self.path.join(ACCESS_KEYS)
    }

    pub fn master_key(&self) -> PathBuf {
        self.path.join(MASTER_KEY)
    }

    pub fn audit(&self) -> PathBuf {
        self.path.join(AUDIT)
    }

    pub fn objects(&self) -> PathBuf {
        self.path.join(OBJECTS)
    }

    pub fn builds(&self) -> PathBuf {
        self.path.join(BUILDS)
    }

    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS)
    }
}

/// Makes a folder, and those above it, for this user alone; nothing happens when it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file for this user alone; nothing happens when it is there. SQLite gives the files
/// beside a database the permissions of it.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

/// The operating system lets go of the lock when the process ends, however it ends.
fn take_lock(path: &Path) -> Result<File, DataDirError> {
    let failed = |source| DataDirError::Lock {
        path: path.to_owned(),
        source,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join(LOCK))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(DataDirError::InUse {
                path: path.to_owned(),
                holder: holder(&file),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

/// Who holds the lock, as far as the file tells: its holder may not have written its id yet.
fn holder(file: &File) -> String {
    let mut pid = String::new();
    let read = file.take(PID_BYTES_MAX).read_to_string(&mut pid);
    match read.ok().and_then(|_| pid.trim().parse::<u32>().ok()) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_directory_is_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("a/b")).unwrap();
        let mode = fs::metadata(data.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(data.path().is_absolute());
        assert_eq!(data.objects(), data.path().join("objects"));
    }

    #[test]
    fn one_holder_at_a_time_and_the_other_one_learns_who() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let clone = first.clone();
        drop(first);
        let second = DataDir::open(folder.path()).unwrap_err();
        let expected = format!(
            "the data directory `{}` is in use by process {}",
            clone.path().display(),
            std::process::id()
        );
        assert_eq!(second.to_string(), expected);
        drop(clone);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn what_is_made_is_for_this_user_alone_and_what_is_there_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = folder.path().join("file");
        make_file(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        fs::write(&file, "kept").unwrap();
        make_file(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        let inner = folder.path().join("a/b");
        make_folder(&inner).unwrap();
        make_folder(&inner).unwrap();
        assert_eq!([mode(&folder.path().join("a")), mode(&inner)], [0o700; 2]);
        assert!(make_file(&inner).is_err());
        assert!(make_folder(&file).is_err());
    }

    #[test]
    fn a_holder_that_left_no_id_is_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let held = File::create(folder.path().join(LOCK)).unwrap();
        held.try_lock().unwrap();
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("in use by another process"));
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = DataDir::open(&file).unwrap_err();
        assert!(matches!(&error, DataDirError::Create { path, .. } if *path == file));
    }

    #[test]
    fn a_lock_that_cannot_be_a_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(LOCK)).unwrap();
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Lock { .. }));
    }
}
