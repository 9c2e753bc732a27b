//! Objects in a folder: their bytes under their digest, their names in a small database beside.
//!
//! ```text
//! objects/
//! ├── objects.db                 one row a version: bucket, key, digest, metadata
//! ├── incoming/                  bytes that are still being written; emptied on open
//! └── sha256/ab/cdef…            the bytes, under the SHA-256 of themselves
//! ```
//!
//! A put writes the bytes to `incoming`, makes them durable, moves them to their place, makes the
//! folder durable, and only then writes the row. A crash on the way leaves bytes that no row names,
//! never a row without its bytes. A deletion goes the other way: the row first, then the bytes, if
//! no other row names them.

mod blobs;
mod export;
mod index;
mod names;
mod port;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use ports::{
    Clock,
    objects::{DeleteObject, Deleted, ObjectError, ObjectInfo, ObjectMetadata},
};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use blobs::Blobs;
pub use export::Exported;
use index::{Condition, Index, NewVersion};
pub use names::check_bucket;

/// The largest object that is taken; S3 takes no more in one put either.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// How many objects one answer lists at most.
const LIST_MAX: usize = 1_000;

/// How many pieces of work are done at once, each on a thread of its own; the others wait.
const AT_ONCE_MAX: usize = 16;

/// Versioned objects in a folder of this machine.
#[derive(Clone)]
pub struct Objects {
    inner: Arc<Inner>,
}

struct Inner {
    blobs: Blobs,
    index: Mutex<Index>,
    /// Held by whoever moves bytes to their place until their row is written, and alone by whoever
    /// removes bytes that no row names: else bytes might go that a row is about to name.
    settling: RwLock<()>,
    clock: Arc<dyn Clock>,
    /// One for each piece of work that may be at hand.
    turns: Arc<Semaphore>,
    /// The folder of a store that nobody wants to keep; it goes away with the store.
    _temporary: Option<TempDir>,
}

impl Objects {
    /// Opens the store in that folder, or makes one there.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, ObjectError> {
        Self::open_in(folder, clock, None)
    }

    /// A store that lasts as long as the value.
    pub fn temporary(clock: Arc<dyn Clock>) -> Result<Self, ObjectError> {
        let folder = TempDir::with_prefix("pipewright-objects-")
            .map_err(|error| io_failed("make a temporary folder for objects", error))?;
        let path = folder.path().to_owned();
        Self::open_in(&path, clock, Some(folder))
    }

    fn open_in(
        folder: &Path,
        clock: Arc<dyn Clock>,
        temporary: Option<TempDir>,
    ) -> Result<Self, ObjectError> {
        let blobs = Blobs::open(folder)?;
        let index = Mutex::new(Index::open(&folder.join("objects.db"))?);
        let inner = Inner {
            blobs,
            index,
            settling: RwLock::new(()),
            clock,
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            _temporary: temporary,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Files and the database block, so they are kept off the threads that run everything else.
    async fn blocking<T, F>(&self, work: F) -> Result<T, ObjectError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, ObjectError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        // Nobody closes it.
        let turn = Arc::clone(&inner.turns).acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&inner)
        })
        .await
        .map_err(|error| system("finish work in the object store", error))?
    }
}

struct OwnedPut {
    bucket: String,
    key: String,
    from: PathBuf,
    metadata: ObjectMetadata,
    etag: Option<String>,
    condition: Condition,
}

impl Inner {
    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        // SQLite rolls back what a panic interrupted, so the index is whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, put: OwnedPut) -> Result<ObjectInfo, ObjectError> {
        names::check_key(&put.key)?;
        self.index().check_bucket(&put.bucket)?;
        let received = self.blobs.receive(&put.from, &put.bucket, &put.key)?;
        let settling = self.settling.read().unwrap_or_else(PoisonError::into_inner);
        let version = NewVersion {
            blob: self.blobs.settle(received, &put.bucket, &put.key)?,
            bucket: put.bucket,
            key: put.key,
            etag: put.etag,
            modified: self.clock.now(),
            metadata: put.metadata,
        };
        let added = self.index().add(version, &put.condition);
        drop(settling);
        added
    }

    fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        let info = self.index().head(bucket, key, version)?;
        let given = self.blobs.give_out(&info, bucket, to);
        self.unless_deleted(given, bucket, &info)?;
        Ok(info)
    }

    fn open(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, std::fs::File), ObjectError> {
        let info = self.index().head(bucket, key, version)?;
        let opened = self.blobs.open_checked(&info, bucket);
        let file = self.unless_deleted(opened, bucket, &info)?;
        Ok((info, file))
    }

    /// Bytes that are missing because their version was deleted meanwhile are no damage.
    fn unless_deleted<T>(
        &self,
        read: Result<T, ObjectError>,
        bucket: &str,
        info: &ObjectInfo,
    ) -> Result<T, ObjectError> {
        if let Err(ObjectError::Damaged { .. }) = &read {
            self.index()
                .head(bucket, &info.key, Some(&info.version_id))?;
        }
        read
    }

    fn delete(&self, request: &DeleteObject<'_>) -> Result<Deleted, ObjectError> {
        names::check_key(request.key)?;
        let settling = self.settling.write();
        let settling = settling.unwrap_or_else(PoisonError::into_inner);
        let removed = self.index().delete(request, self.clock.now())?;
        if let Some(sha256) = removed.unused {
            self.blobs.remove(&sha256);
        }
        drop(settling);
        Ok(removed.deleted)
    }
}

fn system(
    doing: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ObjectError {
    ObjectError::System {
        doing: doing.into(),
        source: source.into(),
    }
}

/// A full disk is the one failure that the reader can do something about, so it is named.
fn io_failed(doing: impl Into<String>, error: io::Error) -> ObjectError {
    let mut doing = doing.into();
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        doing.push_str(": the disk is full");
    }
    system(doing, error)
}

#[cfg(test)]
mod tests;
