//! Faults: what goes wrong with a commit on purpose, in simulations.

use ports::store::{Commit, StoreError};

use super::database::unavailable;

/// Decides what goes wrong with each commit.
pub trait Faults: Send + Sync {
    fn of_commit(&self, commit: &Commit) -> Option<Fault>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Somebody else was first; nothing is written.
    Conflict,
    /// The store is away; nothing is written.
    Unavailable,
    /// The answer is lost; the commit is written.
    AmbiguousWritten,
    /// The answer is lost; nothing is written.
    AmbiguousNotWritten,
}

impl Fault {
    /// The error that comes instead of the write.
    pub(super) fn instead(self) -> Option<StoreError> {
        match self {
            Self::Conflict => Some(StoreError::Conflict),
            Self::Unavailable => Some(unavailable("write to the database", "a fault on purpose")),
            Self::AmbiguousNotWritten => Some(StoreError::Ambiguous),
            Self::AmbiguousWritten => None,
        }
    }

    /// The error that comes after the write.
    pub(super) fn afterwards(self) -> Option<StoreError> {
        match self {
            Self::AmbiguousWritten => Some(StoreError::Ambiguous),
            Self::Conflict | Self::Unavailable | Self::AmbiguousNotWritten => None,
        }
    }
}
