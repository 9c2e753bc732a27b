//! The audit trail: who asked for what, when, from where, and what became of it.
//!
//! One record a request, reads and refusals included, in `CloudTrail`'s form (spec 40 §4). Whoever
//! makes a record leaves out bodies and masks secrets; nothing is taken out later.

mod record;
mod refusals;

use async_trait::async_trait;
use thiserror::Error;

pub use record::{AuditRecord, UserIdentity};
pub use refusals::{LeftOut, REFUSALS_PER_MINUTE_MAX, RefusalLimit, Refused};

/// Takes records and never gives one up.
///
/// What holds after a crash: a record whose `record_durably` returned `Ok` is there, and so is every
/// one that was taken before a `flush` that returned `Ok`. Records stand in the order in which they
/// were taken. Where writing fails, callers are told and nothing that was taken is dropped.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Takes a record, which is on disk shortly after; waits while too many are on their way.
    async fn record(&self, record: AuditRecord) -> Result<(), AuditError>;

    /// Takes a record; it is on disk when this returns `Ok`.
    async fn record_durably(&self, record: AuditRecord) -> Result<(), AuditError>;

    /// Returns `Ok` when everything that was taken before is on disk.
    async fn flush(&self) -> Result<(), AuditError>;

    /// Why records cannot be written now; whoever is about to change something asks before.
    fn trouble(&self) -> Option<String>;
}

#[derive(Debug, Error)]
pub enum AuditError {
    /// The trail cannot be written now: the text says why and what to do.
    #[error("failed to write the audit trail: {0}")]
    Unavailable(String),
    /// What is left of a record without its parameters is still too long.
    #[error("an audit record takes {bytes} bytes, and the most is {limit}")]
    TooLarge { bytes: usize, limit: usize },
    /// The trail was closed.
    #[error("the audit trail is closed: the server is stopping")]
    Closed,
}
