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
//! never a row without its bytes.

mod blobs;
mod export;
mod index;
mod names;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use ports::{
    Clock, ObjectStore,
    objects::{ObjectError, ObjectInfo, ObjectMetadata, PutObject},
};
use tempfile::TempDir;

use blobs::Blobs;
pub use export::Exported;
use index::{Index, NewVersion};
pub use names::check_bucket;

/// The largest object that is taken; S3 takes no more in one put either.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// How many objects one answer lists at most.
const LIST_MAX: usize = 1_000;

/// Versioned objects in a folder of this machine.
#[derive(Clone)]
pub struct Objects {
    inner: Arc<Inner>,
}

struct Inner {
    blobs: Blobs,
    index: Mutex<Index>,
    clock: Arc<dyn Clock>,
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
            clock,
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
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| system("finish work in the object store", error))?
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let bucket = bucket.to_owned();
        self.blocking(move |inner| {
            check_bucket(&bucket)?;
            inner.index().create_bucket(&bucket, inner.clock.now())
        })
        .await
    }

    async fn put(&self, object: PutObject<'_>) -> Result<ObjectInfo, ObjectError> {
        let put = OwnedPut {
            bucket: object.bucket.to_owned(),
            key: object.key.to_owned(),
            from: object.from.to_owned(),
            metadata: object.metadata,
            create_only: object.create_only,
        };
        self.blocking(move |inner| inner.put(put)).await
    }

    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.index().head(&bucket, &key, version.as_deref()))
            .await
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        let (bucket, key, to) = (bucket.to_owned(), key.to_owned(), to.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.get(&bucket, &key, version.as_deref(), &to))
            .await
    }

    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, ObjectError> {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        let after = after.to_owned();
        let limit = limit.min(LIST_MAX);
        self.blocking(move |inner| inner.index().list(&bucket, &prefix, &after, limit))
            .await
    }
}

struct OwnedPut {
    bucket: String,
    key: String,
    from: PathBuf,
    metadata: ObjectMetadata,
    create_only: bool,
}

impl Inner {
    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        // SQLite rolls back what a panic interrupted, so the index is whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, put: OwnedPut) -> Result<ObjectInfo, ObjectError> {
        names::check_key(&put.key)?;
        self.index().check_bucket(&put.bucket)?;
        let blob = self.blobs.take_in(&put.from, &put.bucket, &put.key)?;
        let version = NewVersion {
            bucket: put.bucket,
            key: put.key,
            blob,
            modified: self.clock.now(),
            metadata: put.metadata,
        };
        self.index().add(version, put.create_only)
    }

    fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        let info = self.index().head(bucket, key, version)?;
        self.blobs.give_out(&info, bucket, to)?;
        Ok(info)
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
