//! The parts of multipart uploads, in a folder.
//!
//! ```text
//! uploads/
//! ├── incoming/              bodies that are being received; emptied on open
//! └── open/3f…/              one upload that is neither completed nor aborted
//!     ├── upload.json        bucket, key, metadata
//!     ├── 00001.json         a part: its digests, and the file that has its bytes
//!     └── 00001-….bytes
//! ```
//!
//! A part is there when its `.json` is, which is renamed into place after the bytes are durable. So
//! it survives a restart, and one that is sent anew replaces the earlier one in one step.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use model::Timestamp;
use ports::{Clock, objects::ObjectMetadata};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::{
    OBJECT_BYTES_MAX,
    checksum::{Algorithm, Sum},
    failure,
    receive::Received,
};

/// How many parts an upload may have.
pub(crate) const PARTS_MAX: i32 = 10_000;

/// The least that each part but the last must have, in bytes.
pub(crate) const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// How many uploads may be open at a time.
const UPLOADS_MAX: usize = 1_000;

/// How long an upload may stay open, in milliseconds: a week. Then it is as if it had been aborted.
const AGE_MILLIS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How long to wait before old uploads are looked for again, in milliseconds.
const SWEEP_MILLIS: i64 = 60 * 60 * 1_000;

/// How many completed uploads are remembered, for clients that did not get the answer and ask again.
const COMPLETED_MAX: usize = 1_000;

pub(crate) struct Uploads {
    incoming: PathBuf,
    open: PathBuf,
    clock: Arc<dyn Clock>,
    swept: AtomicI64,
    completed: Mutex<VecDeque<(String, Completed)>>,
    /// Which uploads are being completed.
    completing: Mutex<Vec<String>>,
}

/// What an upload will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) metadata: ObjectMetadata,
    pub(crate) initiated: Timestamp,
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether the checksum will be that of the whole object, and not of those of the parts.
    pub(crate) is_of_whole: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    file: String,
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) md5: String,
    pub(crate) sum: Sum,
    pub(crate) modified: Timestamp,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) etag: String,
}

/// Holds an upload for whoever completes it.
pub(crate) struct Completing {
    uploads: Arc<Uploads>,
    id: String,
}

impl Drop for Completing {
    fn drop(&mut self) {
        locked(&self.uploads.completing).retain(|id| *id != self.id);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uploads {
    /// Opens the folder, or makes one there.
    pub(crate) fn open(folder: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let uploads = Self {
            incoming: folder.join("incoming"),
            open: folder.join("open"),
            clock,
            swept: AtomicI64::new(i64::MIN),
            completed: Mutex::default(),
            completing: Mutex::default(),
        };
        // What lies there was being received when the last process ended.
        if uploads.incoming.exists() {
            fs::remove_dir_all(&uploads.incoming)?;
        }
        let mut folders = DirBuilder::new();
        folders.recursive(true).mode(0o700);
        folders.create(&uploads.incoming)?;
        folders.create(&uploads.open)?;
        File::open(folder)?.sync_all()?;
        uploads.sweep()?;
        Ok(uploads)
    }

    /// Where bodies are received.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.incoming.clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins an upload and gives its id.
    pub(crate) fn begin(&self, upload: &Upload) -> S3Result<String> {
        let failed = |error| failure::io("begin a multipart upload", error);
        if self
            .now()
            .0
            .saturating_sub(self.swept.load(Ordering::Relaxed))
            > SWEEP_MILLIS
        {
            self.sweep().map_err(failed)?;
        }
        if self.ids().map_err(failed)?.len() >= UPLOADS_MAX {
            return Err(s3_error!(
                SlowDown,
                "{UPLOADS_MAX} multipart uploads are open, which is the most; complete or abort some."
            ));
        }
        let id = Uuid::new_v4().simple().to_string();
        let write = || -> io::Result<()> {
            let mut builder = tempfile::Builder::new();
            let staged = builder
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&self.incoming)?;
            write_json(&staged.path().join("upload.json"), upload)?;
            File::open(staged.path())?.sync_all()?;
            fs::rename(staged.keep(), self.open.join(&id))?;
            File::open(&self.open)?.sync_all()
        };
        write().map_err(failed)?;
        Ok(id)
    }

    /// What an upload will be, if it is one of that key.
    pub(crate) fn find(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        let found = match self.folder(id) {
            Some(folder) => read_json::<Upload>(&folder.join("upload.json"))
                .map_err(|error| failure::io("read a multipart upload", error))?,
            None => None,
        };
        found
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(no_such_upload)
    }

    /// Ids are made here; another text, a path even, names no folder.
    fn folder(&self, id: &str) -> Option<PathBuf> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| self.open.join(id))
    }

    /// Keeps a part, in the place of an earlier one of that number.
    pub(crate) fn keep(&self, id: &str, number: i32, received: Received) -> S3Result<Part> {
        let folder = self.folder(id).ok_or_else(no_such_upload)?;
        let failed = |error: io::Error| match error.kind() {
            // It was completed or aborted meanwhile.
            io::ErrorKind::NotFound => no_such_upload(),
            _ => failure::io("keep a part of a multipart upload", error),
        };
        let others = self.parts(id)?;
        let taken: u64 = others
            .iter()
            .filter(|part| part.number != number)
            .map(|part| part.size)
            .sum();
        if taken + received.size > OBJECT_BYTES_MAX {
            return Err(s3_error!(
                EntityTooLarge,
                "The parts have more than {OBJECT_BYTES_MAX} bytes, which is the most."
            ));
        }
        let part = Part {
            file: format!("{number:05}-{}.bytes", Uuid::new_v4().simple()),
            number,
            size: received.size,
            md5: hex::encode(received.md5),
            sum: received.sum,
            modified: self.now(),
        };
        let write = || -> io::Result<()> {
            received.file.as_file().sync_all()?;
            let bytes = folder.join(&part.file);
            received
                .file
                .persist(&bytes)
                .map_err(|failed| failed.error)?;
            let mut staged = NamedTempFile::new_in(&self.incoming)?;
            staged.write_all(&serde_json::to_vec(&part)?)?;
            staged.as_file().sync_all()?;
            let place = folder.join(format!("{number:05}.json"));
            if let Err(failed) = staged.persist(place) {
                drop(fs::remove_file(bytes));
                return Err(failed.error);
            }
            File::open(&folder)?.sync_all()
        };
        write().map_err(failed)?;
        for earlier in others.iter().filter(|earlier| earlier.number == number) {
            drop(fs::remove_file(folder.join(&earlier.file)));
        }
        Ok(part)
    }

    /// The parts of an upload in order of their numbers.
    pub(crate) fn parts(&self, id: &str) -> S3Result<Vec<Part>> {
        let folder = self.folder(id).ok_or_else(no_such_upload)?;
        let failed = |error| failure::io("read the parts of a multipart upload", error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_such_upload()),
            Err(error) => return Err(failed(error)),
        };
        let mut parts = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let is_part = path.extension().is_some_and(|kind| kind == "json")
                && path.file_name().is_some_and(|name| name != "upload.json");
            if is_part {
                parts.extend(read_json::<Part>(&path).map_err(failed)?);
            }
        }
        parts.sort_by_key(|part: &Part| part.number);
        Ok(parts)
    }

    /// The file with the bytes of a part.
    pub(crate) fn bytes(&self, id: &str, part: &Part) -> S3Result<File> {
        let folder = self.folder(id).ok_or_else(no_such_upload)?;
        match File::open(folder.join(&part.file)) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(s3_error!(
                InvalidPart,
                "Part {} was sent anew meanwhile.",
                part.number
            )),
            Err(error) => Err(failure::io("read a part of a multipart upload", error)),
        }
    }

    /// The open uploads into a bucket, in order of key and time.
    pub(crate) fn list(&self, bucket: &str) -> S3Result<Vec<(String, Upload)>> {
        let failed = |error| failure::io("list the multipart uploads", error);
        let mut all = Vec::new();
        for id in self.ids().map_err(failed)? {
            let path = self.open.join(&id).join("upload.json");
            let upload = read_json::<Upload>(&path).map_err(failed)?;
            all.extend(
                upload
                    .filter(|upload| upload.bucket == bucket)
                    .map(|u| (id, u)),
            );
        }
        let order = |(id, upload): &(String, Upload)| (upload.key.clone(), id.clone());
        all.sort_by_key(order);
        Ok(all)
    }

    /// Forgets an upload with all of its parts.
    pub(crate) fn remove(&self, id: &str) -> S3Result<()> {
        let folder = self.folder(id).ok_or_else(no_such_upload)?;
        // Out of sight first: what a crash leaves of it is removed with the bodies.
        let gone = self.incoming.join(format!("removed-{id}"));
        let removed = fs::rename(folder, &gone).and_then(|()| fs::remove_dir_all(&gone));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_such_upload()),
            removed => removed.map_err(|error| failure::io("remove a multipart upload", error)),
        }
    }

    /// Holds an upload while it is completed; two at a time would make two versions.
    pub(crate) fn hold(self: &Arc<Self>, id: &str) -> S3Result<Completing> {
        let mut completing = locked(&self.completing);
        if completing.iter().any(|other| other == id) {
            return Err(s3_error!(
                OperationAborted,
                "The upload is being completed by another request; ask again."
            ));
        }
        completing.push(id.to_owned());
        Ok(Completing {
            uploads: Arc::clone(self),
            id: id.to_owned(),
        })
    }

    pub(crate) fn remember(&self, id: &str, completed: Completed) {
        let mut all = locked(&self.completed);
        if all.len() >= COMPLETED_MAX {
            all.pop_front();
        }
        all.push_back((id.to_owned(), completed));
    }

    /// What became of an upload that was completed not long ago.
    pub(crate) fn completed(&self, bucket: &str, key: &str, id: &str) -> Option<Completed> {
        let all = locked(&self.completed);
        let found = all.iter().find(|(known, _)| known == id);
        let found = found.map(|(_, completed)| completed);
        found
            .filter(|completed| completed.bucket == bucket && completed.key == key)
            .cloned()
    }

    fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.open)? {
            ids.extend(entry?.file_name().into_string());
        }
        Ok(ids)
    }

    /// Removes uploads that nobody completed in time.
    fn sweep(&self) -> io::Result<()> {
        let now = self.now();
        self.swept.store(now.0, Ordering::Relaxed);
        for id in self.ids()? {
            let upload = read_json::<Upload>(&self.open.join(&id).join("upload.json"));
            let is_old = match upload {
                Ok(Some(upload)) => now.0.saturating_sub(upload.initiated.0) > AGE_MILLIS_MAX,
                // Removed meanwhile, or not to be read now.
                Ok(None) | Err(_) => false,
            };
            if is_old {
                fs::remove_dir_all(self.open.join(&id))?;
            }
        }
        Ok(())
    }
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist. The upload ID may be invalid, or the \
         upload may have been aborted or completed."
    )
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
