//! URLs that let somebody without credentials of their own read one object, or write one.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    error::{DisplayErrorContext, SdkError},
    presigning::{PresignedRequest, PresigningConfig},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ports::{
    Random,
    objects::{ObjectError, ObjectMetadata},
};
use serde::{Deserialize, Serialize};

use super::{
    Objects, Place,
    failed::system,
    info::{Headers, with_headers},
    names,
    put::length,
    record::Record,
};
use crate::SystemRandom;

/// How long such a URL is good at most (RELIABILITY S12, S35); it ends earlier with the credentials
/// that signed it.
pub const PRESIGNED_WITHIN_MAX: Duration = Duration::from_hours(1);

/// The largest object that S3 takes in one request.
const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// A request that anybody may send who has it, until it ends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presigned {
    pub url: String,
    /// The headers that must be sent, just so: they are signed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// The URL is a secret.
impl std::fmt::Debug for Presigned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        formatter
            .debug_struct("Presigned")
            .field("url", &url)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// A `GET` of an object's newest version, or of the one named, good for `within` or
    /// [`PRESIGNED_WITHIN_MAX`], whichever is shorter. A browser that follows it stores the bytes
    /// and shows nothing of them.
    ///
    /// Whether there is such an object is not looked at.
    pub async fn presigned_get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        within: Duration,
    ) -> Result<Presigned, ObjectError> {
        let place = Place {
            bucket,
            key,
            version,
        };
        names::check(place)?;
        let request = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .response_content_disposition("attachment");
        let signed = request.presigned(config(place, within)?).await;
        told(place, signed)
    }

    /// A `PUT` of an object that must not be there yet, with exactly these bytes: their SHA-256, in
    /// hex, and their number are signed, and so is `metadata`. Good for `within` or
    /// [`PRESIGNED_WITHIN_MAX`], whichever is shorter.
    ///
    /// S3 refuses a second put with 412, other bytes with 400 and another number of them with 403.
    /// More than 5 GiB are refused here: S3 takes no more in one request.
    pub async fn presigned_put(
        &self,
        bucket: &str,
        key: &str,
        sha256: &str,
        size: u64,
        metadata: ObjectMetadata,
        within: Duration,
    ) -> Result<Presigned, ObjectError> {
        let bytes = Bytes { sha256, size };
        let place = Place {
            bucket,
            key,
            version: None,
        };
        self.signed_put(place, bytes, metadata, Some("*"), within)
            .await
    }

    /// The same of an object that may be there already: these bytes come on top of it.
    pub async fn presigned_overwrite(
        &self,
        bucket: &str,
        key: &str,
        sha256: &str,
        size: u64,
        metadata: ObjectMetadata,
        within: Duration,
    ) -> Result<Presigned, ObjectError> {
        let bytes = Bytes { sha256, size };
        let place = Place {
            bucket,
            key,
            version: None,
        };
        self.signed_put(place, bytes, metadata, None, within).await
    }

    async fn signed_put(
        &self,
        place: Place<'_>,
        Bytes { sha256, size }: Bytes<'_>,
        metadata: ObjectMetadata,
        only_if_none_match: Option<&str>,
        within: Duration,
    ) -> Result<Presigned, ObjectError> {
        names::check(place)?;
        if size > PUT_BYTES_MAX {
            let text = format!("it has {size} bytes, and one request takes {PUT_BYTES_MAX}");
            return Err(system(signing(place), text));
        }
        let digest = hex::decode(sha256).ok().filter(|digest| digest.len() == 32);
        let digest =
            digest.ok_or_else(|| system(signing(place), "its digest is no SHA-256 in hex"))?;
        // When it is put, S3 says: nobody knows now.
        let record = Record {
            put: Some(SystemRandom.uuid()),
            ..Record::default()
        };
        let request = self
            .client
            .put_object()
            .bucket(place.bucket)
            .key(place.key)
            .content_length(length(size))
            .checksum_sha256(BASE64_STANDARD.encode(digest))
            .set_if_none_match(only_if_none_match.map(str::to_owned));
        let request = with_headers!(request, &Headers::of(metadata, record));
        let signed = request.presigned(config(place, within)?).await;
        told(place, signed)
    }
}

/// What is to be put.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    sha256: &'a str,
    size: u64,
}

fn signing(place: Place<'_>) -> String {
    format!(
        "sign a URL of object `{}` in bucket `{}`",
        place.key, place.bucket
    )
}

fn config(place: Place<'_>, within: Duration) -> Result<PresigningConfig, ObjectError> {
    let config = PresigningConfig::expires_in(within.min(PRESIGNED_WITHIN_MAX));
    config.map_err(|error| system(signing(place), error))
}

fn told<E, R>(
    place: Place<'_>,
    signed: Result<PresignedRequest, SdkError<E, R>>,
) -> Result<Presigned, ObjectError>
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let signed =
        signed.map_err(|error| system(signing(place), DisplayErrorContext(error).to_string()))?;
    let headers = signed.headers();
    Ok(Presigned {
        url: signed.uri().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}
