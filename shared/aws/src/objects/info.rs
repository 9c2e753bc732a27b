//! The metadata of an object, as S3's headers say it and as they are to say it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption};
use aws_smithy_types::{DateTime, date_time::Format};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::Timestamp;
use ports::objects::{ObjectInfo, ObjectMetadata};
use uuid::Uuid;

use super::record::{ENTRY, Record, decoded, encoded, is_whole, whole_seconds};

/// The version of a key in a bucket that keeps none.
pub(super) const NO_VERSIONS: &str = "null";

/// What an answer says of an object, whichever operation's it is.
#[derive(Default)]
pub(super) struct Described<'a> {
    pub(super) version_id: Option<&'a str>,
    pub(super) etag: Option<&'a str>,
    pub(super) size: Option<i64>,
    pub(super) modified: Option<&'a DateTime>,
    pub(super) content_type: Option<&'a str>,
    pub(super) content_encoding: Option<&'a str>,
    pub(super) content_disposition: Option<&'a str>,
    pub(super) content_language: Option<&'a str>,
    pub(super) cache_control: Option<&'a str>,
    pub(super) expires: Option<&'a str>,
    pub(super) kms_key: Option<&'a str>,
    pub(super) user: Option<&'a HashMap<String, String>>,
    /// In base64; of parts, with a dash and their number.
    pub(super) sha256: Option<&'a str>,
    pub(super) tag_count: Option<i32>,
}

/// What the outputs of `HeadObject` and `GetObject` both say.
macro_rules! described {
    ($output:expr) => {{
        let output = &$output;
        $crate::objects::info::Described {
            version_id: output.version_id(),
            etag: output.e_tag(),
            size: output.content_length(),
            modified: output.last_modified(),
            content_type: output.content_type(),
            content_encoding: output.content_encoding(),
            content_disposition: output.content_disposition(),
            content_language: output.content_language(),
            cache_control: output.cache_control(),
            expires: output.expires_string(),
            kms_key: output.ssekms_key_id(),
            user: output.metadata(),
            sha256: output.checksum_sha256(),
            tag_count: output.tag_count(),
        }
    }};
}
pub(super) use described;

/// An object that was found, its tags not yet among its metadata.
pub(super) struct Found {
    pub(super) info: ObjectInfo,
    /// The tag that S3 itself compares with.
    pub(super) etag: String,
    /// Which put of ours wrote it.
    pub(super) put: Option<Uuid>,
    /// How many tags it has, where the service says so.
    pub(super) tag_count: Option<i32>,
}

impl Described<'_> {
    pub(super) fn found(&self, key: &str) -> Found {
        let mut user: HashMap<String, String> = self.user.cloned().unwrap_or_default();
        let record = user
            .get(ENTRY)
            .and_then(|entry| Record::of(&decoded(entry)));
        if record.is_some() {
            user.remove(ENTRY);
        }
        let record = record.unwrap_or_default();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let etag = self.etag.unwrap_or_default().to_owned();
        let metadata = ObjectMetadata {
            content_type: owned(self.content_type).filter(|_| !record.untyped),
            content_encoding: owned(self.content_encoding),
            content_disposition: owned(self.content_disposition),
            content_language: owned(self.content_language),
            cache_control: owned(self.cache_control),
            expires: record.expires(self.expires.and_then(of_header)),
            canned_acl: record.acl.clone(),
            kms_key: record.kms.clone().or_else(|| owned(self.kms_key)),
            user: user
                .into_iter()
                .map(|(name, text)| (name, decoded(&text)))
                .collect(),
            tags: BTreeMap::new(),
            checksum: record.checksum.clone(),
        };
        let info = ObjectInfo {
            key: key.to_owned(),
            version_id: self.version_id.unwrap_or(NO_VERSIONS).to_owned(),
            etag: record.etag.clone().unwrap_or_else(|| etag.clone()),
            sha256: self
                .sha256
                .and_then(of_base64)
                .or_else(|| record.sha256.clone())
                .unwrap_or_default(),
            size: self
                .size
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            modified: record.modified(self.modified.map(millis).unwrap_or_default()),
            metadata,
        };
        Found {
            info,
            etag,
            put: record.put,
            tag_count: self.tag_count,
        }
    }
}

/// What a put says of the object, apart from its bytes.
#[derive(Clone)]
pub(super) struct Headers {
    pub(super) metadata: ObjectMetadata,
    pub(super) record: Record,
}

impl Headers {
    pub(super) fn of(mut metadata: ObjectMetadata, record: Record) -> Self {
        // S3 makes the names of headers lower-case; the record's own is not to be taken.
        metadata.user = std::mem::take(&mut metadata.user)
            .into_iter()
            .map(|(name, text)| (name.to_ascii_lowercase(), text))
            .filter(|(name, _)| name != ENTRY)
            .collect();
        let record = Record {
            acl: metadata.canned_acl.clone(),
            kms: metadata.kms_key.clone(),
            checksum: metadata.checksum.clone(),
            expires: metadata.expires.filter(|time| !is_whole(*time)),
            untyped: metadata.content_type.is_none(),
            ..record
        };
        Self { metadata, record }
    }

    /// The user metadata, with the record.
    pub(super) fn user(&self) -> HashMap<String, String> {
        let texts = self.metadata.user.iter();
        texts
            .map(|(name, text)| (name.clone(), encoded(text)))
            .chain([(ENTRY.to_owned(), encoded(&self.record.entry()))])
            .collect()
    }

    pub(super) fn acl(&self) -> Option<ObjectCannedAcl> {
        self.metadata.canned_acl.as_deref().map(Into::into)
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        let key = self.metadata.kms_key.as_ref();
        key.map(|_| ServerSideEncryption::AwsKms)
    }

    pub(super) fn expires(&self) -> Option<DateTime> {
        let expires = self.metadata.expires?;
        Some(DateTime::from_secs(whole_seconds(expires)))
    }

    /// The tags as the query of a URL writes them.
    pub(super) fn tags(&self) -> Option<String> {
        if self.metadata.tags.is_empty() {
            return None;
        }
        let tags = self.metadata.tags.iter();
        let pairs = tags.map(|(name, value)| format!("{}={}", query(name), query(value)));
        Some(pairs.collect::<Vec<_>>().join("&"))
    }
}

/// Says of an object what the headers say, in any operation that begins one.
macro_rules! with_headers {
    ($request:expr, $headers:expr) => {{
        let headers: &$crate::objects::info::Headers = $headers;
        let metadata = &headers.metadata;
        $request
            .set_content_type(metadata.content_type.clone())
            .set_content_encoding(metadata.content_encoding.clone())
            .set_content_disposition(metadata.content_disposition.clone())
            .set_content_language(metadata.content_language.clone())
            .set_cache_control(metadata.cache_control.clone())
            .set_expires(headers.expires())
            .set_acl(headers.acl())
            .set_server_side_encryption(headers.encryption())
            .set_ssekms_key_id(metadata.kms_key.clone())
            .set_tagging(headers.tags())
            .set_metadata(Some(headers.user()))
    }};
}
pub(super) use with_headers;

/// A text in the query of a URL.
fn query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A text takes everything.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A time of S3's in ours.
pub(super) fn millis(time: &DateTime) -> Timestamp {
    Timestamp(time.to_millis().unwrap_or_default())
}

/// A time as HTTP writes it; another text is no time.
pub(super) fn of_header(text: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(text, Format::HttpDate).ok()?;
    Some(millis(&time))
}

/// A digest in hex; that of parts is not one of the bytes.
fn of_base64(text: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    (bytes.len() == 32).then(|| hex::encode(bytes))
}
