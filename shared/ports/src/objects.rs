//! Objects in buckets: artifacts, sources and what was deployed.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Versioned objects in buckets.
///
/// A put is atomic and durable when it returns: readers see the whole object or none of it, and a
/// crash leaves either. Each put of a key makes a new version; old versions stay readable.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Creates a bucket; nothing happens when it is there.
    async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError>;

    /// Stores the file's bytes as the newest version of the key.
    async fn put(&self, object: PutObject<'_>) -> Result<ObjectInfo, ObjectError>;

    /// What is known of the newest version, or of the one named.
    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError>;

    /// Writes the bytes to a file; they were compared with the digest that was stored with them.
    async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError>;

    /// The newest versions of the keys that begin with `prefix` and come after `after`, in order.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, ObjectError>;
}

pub struct PutObject<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub from: &'a Path,
    pub metadata: ObjectMetadata,
    /// Refuse when the key has a version already, unless that one has the same bytes.
    pub create_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canned_acl: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// `x-amz-meta-*`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    pub version_id: String,
    /// MD5 in hex, in quotes, as S3 prints it, or another digest for stores that have none.
    pub etag: String,
    pub sha256: String,
    pub size: u64,
    pub modified: Timestamp,
    pub metadata: ObjectMetadata,
}

#[derive(Debug, Error)]
pub enum ObjectError {
    #[error("no bucket has the name `{0}`")]
    NoSuchBucket(String),
    #[error("bucket `{bucket}` has no object `{key}`")]
    NoSuchKey { bucket: String, key: String },
    #[error("object `{key}` in bucket `{bucket}` has no version `{version}`")]
    NoSuchVersion {
        bucket: String,
        key: String,
        version: String,
    },
    #[error("bucket `{bucket}` has another object `{key}` already")]
    Exists { bucket: String, key: String },
    /// A name that S3 would not take either.
    #[error("{0}")]
    InvalidName(String),
    /// The stored bytes are not those that were put.
    #[error("object `{key}` in bucket `{bucket}` is damaged: its SHA-256 is not the recorded one")]
    Damaged { bucket: String, key: String },
    #[error("failed to {doing}")]
    System {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
