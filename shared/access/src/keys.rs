//! Access keys, as those who check requests see them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use model::Timestamp;
use thiserror::Error;

use crate::policy::Policy;

/// Finds the holder of a key.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Whoever the enabled key of that id was given to.
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError>;

    /// Takes note that a request was signed with the key just now; nobody depends on it.
    async fn used(&self, _access_key: &str) {}
}

/// The key cannot be looked up now; nobody is let in on a guess.
#[derive(Debug, Error)]
#[error("failed to look up an access key")]
pub struct KeysError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// An access key with whoever it was given to.
#[derive(Clone, Debug)]
pub struct Holder {
    pub access_key: String,
    pub secret: Secret,
    pub arn: String,
    /// What the key is allowed; nothing, when there is none.
    pub policies: Vec<Policy>,
    /// Of temporary credentials: without its token the key is worth nothing.
    pub session: Option<Session>,
}

impl Holder {
    /// The name of the user: the last part of the ARN.
    pub fn user(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// What makes credentials temporary.
#[derive(Clone, Debug)]
pub struct Session {
    pub token: Secret,
    pub expires: Timestamp,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}
