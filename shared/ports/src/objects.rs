//! Objects in buckets: artifacts, sources and what was deployed.

mod list;

use std::{collections::BTreeMap, fs::File, path::Path};

use async_trait::async_trait;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use list::{ListObjects, ListVersions, Page, VersionsPage, beyond, just_after};

/// Versioned objects in buckets.
///
/// A put is atomic and durable when it returns: readers see the whole object or none of it, and a
/// crash leaves either. Each put of a key makes a new version; old versions stay readable until
/// they are deleted by their id. To delete a key without naming a version puts a marker on top of
/// its versions, which hides them and removes nothing.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Creates a bucket; nothing happens when it is there.
    async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError>;

    /// What is known of a bucket.
    async fn bucket(&self, bucket: &str) -> Result<BucketInfo, ObjectError>;

    /// The buckets whose names come after `after`, in order.
    async fn buckets(&self, after: &str, limit: usize) -> Result<Vec<BucketInfo>, ObjectError>;

    /// Removes a bucket in which there is neither a version nor a marker.
    async fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError>;

    /// Stores the file's bytes as the newest version of the key.
    async fn put(&self, object: PutObject<'_>) -> Result<ObjectInfo, ObjectError> {
        self.put_on(object, PutTerms::default()).await
    }

    /// Stores as [`ObjectStore::put`] does, on terms that are looked at in the same transaction.
    async fn put_on(
        &self,
        object: PutObject<'_>,
        terms: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError>;

    /// What is known of the newest version, or of the one named.
    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError>;

    /// What stands under that name, be it an object or a marker.
    async fn version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Version, ObjectError>;

    /// Writes the bytes to a file; they were compared with the digest that was stored with them.
    async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError>;

    /// A file to read the bytes from; they were compared with the digest that was stored with them.
    /// The file may have no name any more, and must not be written to.
    async fn open(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, File), ObjectError>;

    /// The newest versions of the keys that begin with `prefix` and come after `after`, in order.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, ObjectError> {
        let from = if after.is_empty() {
            String::new()
        } else {
            just_after(after)
        };
        let request = ListObjects {
            bucket,
            prefix,
            delimiter: "",
            from: &from,
            limit,
        };
        Ok(self.list_page(request).await?.objects)
    }

    /// The newest versions of keys, in order, with the keys that share a beginning as one entry.
    async fn list_page(&self, request: ListObjects<'_>) -> Result<Page, ObjectError>;

    /// All versions and markers, in order of key, for each key the newest first.
    async fn list_versions(&self, request: ListVersions<'_>) -> Result<VersionsPage, ObjectError>;

    /// Puts a marker on a key, or removes one version or marker for good. What is not there is
    /// deleted already.
    async fn delete(&self, request: DeleteObject<'_>) -> Result<Deleted, ObjectError>;

    /// Replaces the tags of the newest version, or of the one named; says which version that is.
    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError>;
}

pub struct PutObject<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub from: &'a Path,
    pub metadata: ObjectMetadata,
    /// Refuse when the key has a version already, unless that one has the same bytes.
    pub create_only: bool,
}

/// What else a put is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutTerms<'a> {
    /// What must be true of the key, or it is left alone.
    pub only_if: Option<Precondition<'a>>,
    /// The tag of the new version in quotes, where it is not the digest of the bytes.
    pub etag: Option<&'a str>,
}

/// What must be true of a key before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// There is no such object.
    Absent,
    /// Its newest version has that tag, in quotes.
    Is(&'a str),
}

pub struct DeleteObject<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    /// Which version to remove for good; a marker is put on the key when none is named.
    pub version: Option<&'a str>,
    /// The tag, in quotes, that the newest version must have.
    pub only_if: Option<&'a str>,
}

/// What a deletion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The marker that was put, or the version that was named.
    pub version_id: String,
    /// Whether a marker was put, or it was a marker that was removed.
    pub is_marker: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    pub name: String,
    pub created: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canned_acl: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// `x-amz-meta-*`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The checksum that the bytes came with and were compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<ObjectChecksum>,
}

/// A checksum in the words of S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectChecksum {
    /// `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1` or `SHA256`.
    pub algorithm: String,
    /// In base64; with `-` and the number of parts where it is made of those of the parts.
    pub value: String,
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

/// A version of a key, or a marker that stands in the place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    Object(Box<ObjectInfo>),
    Marker(Marker),
}

/// What a deletion leaves: whoever asks for the key finds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub key: String,
    pub version_id: String,
    pub modified: Timestamp,
}

impl Version {
    pub fn key(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Marker(marker) => &marker.key,
        }
    }

    pub fn version_id(&self) -> &str {
        match self {
            Self::Object(object) => &object.version_id,
            Self::Marker(marker) => &marker.version_id,
        }
    }
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
    #[error("bucket `{0}` is not empty: versions or delete markers are in it")]
    NotEmpty(String),
    /// Of [`PutTerms`] or a deletion.
    #[error("object `{key}` in bucket `{bucket}` is not as the condition says")]
    Precondition { bucket: String, key: String },
    /// A name that S3 would not take either.
    #[error("{0}")]
    InvalidName(String),
    /// The stored bytes are not those that were put.
    #[error("object `{key}` in bucket `{bucket}` is damaged: its SHA-256 is not the recorded one")]
    Damaged { bucket: String, key: String },
    /// Whoever runs this has no right to it; it may be there or not.
    #[error("access is denied: failed to {doing}")]
    Denied {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("failed to {doing}")]
    System {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
