//! The audit trail in files: one line a record, each line bound to all before it.
//!
//! ```text
//! audit/00000001.jsonl   {"seq":1,"previousHash":"00…","record":{…},"hash":"6b…"}
//! audit/00000002.jsonl   goes on where the first one was full
//! audit/head             the last record that is surely on disk, signed
//! audit/anchors.jsonl    the same, kept from each hour, each full file and each shutdown
//! audit/torn-2-1830      what a crash left of a line
//! ```
//!
//! The hash of a record covers the hash before it, so whoever changes, removes or moves a record
//! must write everything after it anew; the head and the anchors are signed with a key that is not
//! in the folder, so that shows, and so does a trail that ends too early. What nobody can see from
//! here is a folder that was put back whole, head and anchors included, as it was at an earlier
//! time: for that the anchors can be copied to another machine and compared.
//!
//! One thread writes. Records come to it through a queue with room for so many bytes; when it is
//! full, whoever has another one waits, and nothing is dropped.

mod began;
mod files;
mod line;
mod records;
mod recover;
mod seal;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use ports::{
    Account, AuditTrail, Clock,
    audit::{AuditError, AuditRecord},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::data_dir::{self, DataDir};
pub use records::{Entry, Records};
pub use recover::Recovery;
pub use seal::sign_again;
pub use verify::{Verification, VerifyError, Wrong, verify, verify_last_file};
use writer::{State, Writer};

/// The longest record, in bytes of its JSON; `CloudTrail`'s are no longer.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;

/// How long a file gets before the next one is begun.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many bytes of records may be on their way to the disk.
const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many records may be on their way to the disk.
const QUEUE_MAX: usize = 4 * 1024;

/// How long a record that nobody waits for may be on its way to the disk.
const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// How long it takes from one anchor to the next.
const ANCHOR_INTERVAL: Duration = Duration::from_hours(1);

/// What the trail is written with.
#[derive(Clone)]
pub struct AuditOptions {
    /// Signs head and anchors: [`MasterKey::for_audit`](crate::MasterKey::for_audit).
    pub key: [u8; 32],
    pub clock: Arc<dyn Clock>,
    /// Of the records that the trail makes of itself.
    pub account: Arc<Account>,
    /// [`FILE_BYTES_MAX`], unless a test wants less.
    pub file_bytes_max: u64,
}

/// The audit trail of one data directory. Clones write the same one; the last of them to go waits
/// until everything is on disk.
#[derive(Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

struct Inner {
    orders: Option<mpsc::Sender<Order>>,
    room: Arc<Semaphore>,
    state: Arc<State>,
    recovery: Option<Recovery>,
    began_anew: bool,
    thread: Option<JoinHandle<()>>,
}

/// What the writer is told.
enum Order {
    Record {
        json: Vec<u8>,
        /// Told when the record is on disk.
        waiter: Option<Waiter>,
        room: OwnedSemaphorePermit,
    },
    Flush(Waiter),
    /// As a flush, with an anchor; nothing is taken after it.
    Close(Waiter),
}

type Waiter = oneshot::Sender<Result<(), AuditError>>;

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

impl AuditLog {
    /// Opens the trail of a data directory, or begins it; goes on behind its last whole record.
    ///
    /// A new trail begins with a record that says whether access keys were there before it, so the
    /// trail is to be opened before [`AccessKeyStore`](crate::AccessKeyStore) makes their file.
    pub fn open(data: &DataDir, options: AuditOptions) -> Result<Self, AuditError> {
        let (writer, recovery) = Writer::open(data.clone(), options)?;
        let began_anew = writer.began_anew();
        let state = writer.state();
        let (orders, received) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(received))
            .map_err(|error| AuditError::Unavailable(format!("no thread for it: {error}")))?;
        let inner = Inner {
            orders: Some(orders),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            state,
            recovery,
            began_anew,
            thread: Some(thread),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What was not as it should be when the trail was opened; a record says it, too.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.inner.recovery.as_ref()
    }

    /// Whether the trail began when it was opened, although the data directory had been in use:
    /// what was before is gone. A record says it, too.
    pub fn began_anew(&self) -> bool {
        self.inner.began_anew
    }

    /// Its trouble, to be waited for: it moves when writing begins to fail, when it fails for another
    /// reason, and when it works again. It ends with the trail.
    pub fn watch_trouble(&self) -> watch::Receiver<Option<String>> {
        self.inner.state.watch()
    }

    /// Writes everything that was taken, with an anchor, and takes nothing more.
    pub async fn close(&self) -> Result<(), AuditError> {
        self.ask(Order::Close).await
    }

    async fn take(&self, record: &AuditRecord, waiter: Option<Waiter>) -> Result<(), AuditError> {
        let json = encoded(record)?;
        self.inner.state.check()?;
        // No record is longer than the queue, so it always fits in the end.
        let bytes = u32::try_from(json.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.inner.room).acquire_many_owned(bytes);
        let room = room.await.map_err(|_| AuditError::Closed)?;
        let order = Order::Record { json, waiter, room };
        self.send(order).await
    }

    async fn send(&self, order: Order) -> Result<(), AuditError> {
        let orders = self.inner.orders.as_ref().ok_or(AuditError::Closed)?;
        orders.send(order).await.map_err(|_| AuditError::Closed)
    }

    async fn ask(&self, order: impl FnOnce(Waiter) -> Order) -> Result<(), AuditError> {
        let (waiter, answer) = oneshot::channel();
        self.send(order(waiter)).await?;
        answer.await.map_err(|_| AuditError::Closed)?
    }
}

#[async_trait]
impl AuditTrail for AuditLog {
    async fn record(&self, record: AuditRecord) -> Result<(), AuditError> {
        self.take(&record, None).await
    }

    async fn record_durably(&self, record: AuditRecord) -> Result<(), AuditError> {
        let (waiter, answer) = oneshot::channel();
        self.take(&record, Some(waiter)).await?;
        answer.await.map_err(|_| AuditError::Closed)?
    }

    async fn flush(&self) -> Result<(), AuditError> {
        self.ask(Order::Flush).await
    }

    fn trouble(&self) -> Option<String> {
        self.inner.state.trouble()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer ends when nobody can send to it any more.
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was told when it happened.
            let _ = thread.join();
        }
    }
}

/// The folder of the trail in a data directory, or in a copy of one.
pub fn directory(data: &Path) -> PathBuf {
    data.join(data_dir::AUDIT)
}

/// The record as JSON in one line; without its parameters, if it is too long with them.
fn encoded(record: &AuditRecord) -> Result<Vec<u8>, AuditError> {
    record.json(RECORD_BYTES_MAX).map(String::into_bytes)
}
