//! What a transaction writes in: the database, and what is kept in memory beside it.

use ports::StoreError;
use rusqlite::Connection;

use super::memory::{Fresh, Shared};

pub(super) struct Ledger {
    pub(super) connection: Connection,
    pub(super) memory: Shared,
    /// What the transaction under way changes in memory when it is committed.
    pub(super) fresh: Fresh,
    /// The latest commit and the newest pipeline, those of the transaction under way included.
    pub(super) numbers: Numbers,
}

#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) commit: u64,
    pub(super) pipeline: u32,
}

/// Why something is not written.
pub(super) enum Refusal {
    /// It cannot be: nothing of it was written.
    Refused(StoreError),
    /// The database failed.
    Failed(rusqlite::Error),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}
