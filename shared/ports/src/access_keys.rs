//! Access keys, as they are stored: secrets sealed, everything else as it was given.

use async_trait::async_trait;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Keeps access keys. It sees no secret: they are sealed before they come here.
///
/// What holds after a crash: a write that returned `Ok` is there, whole; one that did not return is
/// there whole or not at all; nothing else changed. The contract suite checks it.
#[async_trait]
pub trait AccessKeys: Send + Sync {
    /// Writes a key whose stored version is `expected`; [`NEW`] creates one that is not there.
    ///
    /// Returns the version that it has now.
    async fn put(&self, key: &AccessKey, expected: u64) -> Result<u64, AccessKeysError>;

    /// The key of that id.
    async fn get(&self, id: &str) -> Result<Option<StoredKey>, AccessKeysError>;

    /// Up to `limit` keys with ids after `after`, in order of id; none is the end.
    async fn list(&self, after: &str, limit: usize) -> Result<Vec<StoredKey>, AccessKeysError>;

    /// Removes the key whose stored version is `expected`.
    async fn delete(&self, id: &str, expected: u64) -> Result<(), AccessKeysError>;
}

/// The version of a key that is not stored yet.
pub const NEW: u64 = 0;

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `PWKAEXAMPLE234567ABC`
    pub id: String,
    pub sealed_secret: Vec<u8>,
    /// The name of whoever it was given to.
    pub user: String,
    /// Policy documents, as they were given.
    pub policies: Vec<String>,
    pub status: KeyStatus,
    pub created: Timestamp,
    /// When it stopped to be good; in the future, when it will.
    pub disabled_at: Option<Timestamp>,
    /// About when a request was last signed with it.
    pub last_used: Option<Timestamp>,
    pub description: Option<String>,
    /// Of temporary credentials.
    pub session: Option<SealedSession>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    Enabled,
    Disabled,
}

/// What makes credentials temporary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSession {
    pub sealed_token: Vec<u8>,
    pub expires: Timestamp,
}

/// A key with the number of times that it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub key: AccessKey,
    pub version: u64,
}

#[derive(Debug, Error)]
pub enum AccessKeysError {
    /// Somebody else changed, created or deleted it: get it again and decide again.
    #[error("the access key was changed by somebody else")]
    Conflict,
    /// Whether the write happened is unknown: get it again and look.
    #[error("the store did not say whether the access key was written")]
    Ambiguous,
    /// The store cannot be used now; nothing was written.
    #[error("failed to {doing}")]
    Unavailable {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood; it is left alone.
    #[error("the stored {what} cannot be read: {why}")]
    Corrupt { what: String, why: String },
}
