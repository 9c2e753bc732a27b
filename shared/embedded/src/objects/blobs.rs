//! Bytes in files that are named by the SHA-256 of what is in them.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use md5::Md5;
use ports::objects::{ObjectError, ObjectInfo};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{OBJECT_BYTES_MAX, io_failed, system};
use crate::data_dir;

/// How many bytes are copied at a time.
const CHUNK: usize = 128 * 1024;

/// How many hexadecimal digits of the digest name the folder.
const FOLDER_DIGITS: usize = 2;

/// Of how many files it is remembered that their bytes were compared with their digest.
const CHECKED_MAX: usize = 4_096;

pub(super) struct Blobs {
    incoming: PathBuf,
    places: PathBuf,
    /// By digest: the file as it was when its bytes were compared. Who reads a large object in many
    /// ranges would have all of it read anew for each otherwise.
    checked: Mutex<HashMap<String, Checked>>,
}

/// What tells a file from one that was written since.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Checked {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

/// Bytes that were received and are not in their place yet.
pub(super) struct Received {
    file: NamedTempFile,
    pub(super) blob: Blob,
}

/// What is known of bytes once they are in their place.
pub(super) struct Blob {
    pub(super) sha256: String,
    pub(super) md5: String,
    pub(super) size: u64,
}

impl Blobs {
    pub(super) fn open(folder: &Path) -> Result<Self, ObjectError> {
        let incoming = folder.join("incoming");
        let blobs = folder.join("sha256");
        let make = || -> io::Result<()> {
            // What lies there was being written when the last process ended; no row names it.
            if incoming.exists() {
                fs::remove_dir_all(&incoming)?;
            }
            data_dir::make_folder(&incoming)?;
            data_dir::make_folder(&blobs)?;
            File::open(folder)?.sync_all()
        };
        make().map_err(|error| {
            io_failed(
                format!("open the object store in {}", folder.display()),
                error,
            )
        })?;
        Ok(Self {
            incoming,
            places: blobs,
            checked: Mutex::default(),
        })
    }

    /// Copies a file in.
    pub(super) fn receive(
        &self,
        from: &Path,
        bucket: &str,
        key: &str,
    ) -> Result<Received, ObjectError> {
        let doing = || doing(bucket, key);
        let mut source =
            File::open(from).map_err(|error| io_failed(format!("{}: read it", doing()), error))?;
        let mut file =
            NamedTempFile::new_in(&self.incoming).map_err(|error| io_failed(doing(), error))?;
        let blob = copy(&mut source, file.as_file_mut(), OBJECT_BYTES_MAX)
            .and_then(|blob| file.as_file().sync_all().map(|()| blob))
            .map_err(|error| io_failed(doing(), error))?;
        Ok(Received { file, blob })
    }

    /// Puts received bytes in their place, durably. Bytes that are there already are written again,
    /// which mends them if the disk had damaged them.
    pub(super) fn settle(
        &self,
        received: Received,
        bucket: &str,
        key: &str,
    ) -> Result<Blob, ObjectError> {
        let Received { file, blob } = received;
        self.persist(file, &blob.sha256)
            .map_err(|error| io_failed(doing(bucket, key), error))?;
        Ok(blob)
    }

    /// Removes bytes that no version has any more. What cannot be removed only takes up room.
    pub(super) fn remove(&self, sha256: &str) {
        drop(fs::remove_file(self.place(sha256)));
    }

    /// A file to read an object from, whose bytes have proved to be the right ones.
    pub(super) fn open_checked(
        &self,
        info: &ObjectInfo,
        bucket: &str,
    ) -> Result<File, ObjectError> {
        let key = &info.key;
        let failed = |error| io_failed(format!("read object `{key}` of bucket `{bucket}`"), error);
        let mut file = self.find(info, bucket)?;
        let now = file
            .metadata()
            .map(|found| Checked::of(&found))
            .map_err(failed)?;
        if self.checked().get(&info.sha256) == Some(&now) {
            return Ok(file);
        }
        let copied = copy(&mut file, &mut io::sink(), OBJECT_BYTES_MAX).map_err(failed)?;
        if copied.sha256 != info.sha256 {
            return Err(damaged(bucket, key));
        }
        file.rewind().map_err(failed)?;
        let mut checked = self.checked();
        if checked.len() >= CHECKED_MAX {
            checked.clear();
        }
        checked.insert(info.sha256.clone(), now);
        drop(checked);
        Ok(file)
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Checked>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, info: &ObjectInfo, bucket: &str) -> Result<File, ObjectError> {
        let key = &info.key;
        match File::open(self.place(&info.sha256)) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged(bucket, key)),
            Err(error) => {
                let doing = format!("read object `{key}` of bucket `{bucket}`");
                Err(io_failed(doing, error))
            }
        }
    }

    fn persist(&self, temporary: NamedTempFile, sha256: &str) -> io::Result<()> {
        let place = self.place(sha256);
        let folder = place.parent().unwrap_or(&self.places);
        if !folder.exists() {
            data_dir::make_folder(folder)?;
            File::open(&self.places)?.sync_all()?;
        }
        temporary.persist(&place).map_err(|failed| failed.error)?;
        File::open(folder)?.sync_all()
    }

    /// Writes an object to a file; the file appears when its bytes have proved to be the right ones.
    pub(super) fn give_out(
        &self,
        info: &ObjectInfo,
        bucket: &str,
        to: &Path,
    ) -> Result<(), ObjectError> {
        let key = &info.key;
        let doing = || format!("read object `{key}` of bucket `{bucket}`");
        let mut source = self.find(info, bucket)?;
        let folder = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let mut temporary =
            NamedTempFile::new_in(folder).map_err(|error| io_failed(doing(), error))?;
        let copied = copy(&mut source, temporary.as_file_mut(), OBJECT_BYTES_MAX)
            .map_err(|error| io_failed(doing(), error))?;
        if copied.sha256 != info.sha256 {
            return Err(damaged(bucket, key));
        }
        temporary
            .persist(to)
            .map_err(|failed| system(doing(), failed.error))?;
        Ok(())
    }

    fn place(&self, sha256: &str) -> PathBuf {
        let (folder, name) = sha256.split_at(FOLDER_DIGITS.min(sha256.len()));
        self.places.join(folder).join(name)
    }
}

impl Checked {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.len(),
            modified: found.modified().ok(),
        }
    }
}

fn doing(bucket: &str, key: &str) -> String {
    format!("store object `{key}` in bucket `{bucket}`")
}

fn damaged(bucket: &str, key: &str) -> ObjectError {
    ObjectError::Damaged {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

/// Copies and digests; more than `limit` bytes are an error.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write, limit: u64) -> io::Result<Blob> {
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0_u64);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        size += read as u64;
        if size > limit {
            let message = format!("it takes more than {limit} bytes, which is the most");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        sha256.update(&chunk[..read]);
        md5.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
    to.flush()?;
    Ok(Blob {
        sha256: hex::encode(sha256.finalize()),
        md5: hex::encode(md5.finalize()),
        size,
    })
}
