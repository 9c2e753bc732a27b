//! Bytes in files that are named by the SHA-256 of what is in them.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use md5::Md5;
use ports::objects::{ObjectError, ObjectInfo};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{OBJECT_BYTES_MAX, io_failed, system};

/// How many bytes are copied at a time.
const CHUNK: usize = 128 * 1024;

/// How many hexadecimal digits of the digest name the folder.
const FOLDER_DIGITS: usize = 2;

pub(super) struct Blobs {
    incoming: PathBuf,
    blobs: PathBuf,
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
            fs::create_dir_all(&incoming)?;
            fs::create_dir_all(&blobs)?;
            File::open(folder)?.sync_all()
        };
        make().map_err(|error| {
            io_failed(
                format!("open the object store in {}", folder.display()),
                error,
            )
        })?;
        Ok(Self { incoming, blobs })
    }

    /// Copies a file in, durably. Bytes that are there already are written again, which mends them
    /// if the disk had damaged them.
    pub(super) fn take_in(
        &self,
        from: &Path,
        bucket: &str,
        key: &str,
    ) -> Result<Blob, ObjectError> {
        let doing = || format!("store object `{key}` in bucket `{bucket}`");
        let mut source =
            File::open(from).map_err(|error| io_failed(format!("{}: read it", doing()), error))?;
        let mut temporary =
            NamedTempFile::new_in(&self.incoming).map_err(|error| io_failed(doing(), error))?;
        let blob = copy(&mut source, temporary.as_file_mut(), OBJECT_BYTES_MAX)
            .map_err(|error| io_failed(doing(), error))?;
        self.settle(temporary, &blob.sha256)
            .map_err(|error| io_failed(doing(), error))?;
        Ok(blob)
    }

    fn settle(&self, temporary: NamedTempFile, sha256: &str) -> io::Result<()> {
        temporary.as_file().sync_all()?;
        let place = self.place(sha256);
        let folder = place.parent().unwrap_or(&self.blobs);
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            File::open(&self.blobs)?.sync_all()?;
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
        let damaged = || ObjectError::Damaged {
            bucket: bucket.to_owned(),
            key: key.clone(),
        };
        let mut source = match File::open(self.place(&info.sha256)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged()),
            Err(error) => return Err(io_failed(doing(), error)),
        };
        let folder = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let mut temporary =
            NamedTempFile::new_in(folder).map_err(|error| io_failed(doing(), error))?;
        let copied = copy(&mut source, temporary.as_file_mut(), OBJECT_BYTES_MAX)
            .map_err(|error| io_failed(doing(), error))?;
        if copied.sha256 != info.sha256 {
            return Err(damaged());
        }
        temporary
            .persist(to)
            .map_err(|failed| system(doing(), failed.error))?;
        Ok(())
    }

    fn place(&self, sha256: &str) -> PathBuf {
        let (folder, name) = sha256.split_at(FOLDER_DIGITS.min(sha256.len()));
        self.blobs.join(folder).join(name)
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
