//! What is stored beside an object: headers to metadata and back, tags, dates.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use model::Timestamp;
use ports::objects::ObjectMetadata;
use s3s::{S3Result, dto, s3_error};

use crate::failure;

/// How much a client may store as `x-amz-meta-*`, names and values together.
const USER_BYTES_MAX: usize = 2 * 1024;

/// How many tags an object may have, and how long they may be in characters.
const TAGS_MAX: usize = 10;
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

/// The form in which requests hold the fields of metadata; three operations have the same ones.
pub(crate) struct Fields {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) expires: Option<dto::Timestamp>,
    pub(crate) user: Option<dto::Metadata>,
    pub(crate) tagging: Option<String>,
}

/// Takes the fields out of a request, whose type has them by these names.
macro_rules! fields {
    ($input:expr) => {
        $crate::metadata::Fields {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            user: $input.metadata.take(),
            tagging: $input.tagging.take(),
        }
    };
}
pub(crate) use fields;

/// Refuses by name what a request asks for and nobody would do.
macro_rules! refuse_unsupported {
    ($input:expr) => {
        $crate::metadata::refuse(
            $input.acl.as_ref().map(|acl| acl.as_str()),
            $input.storage_class.as_ref().map(|class| class.as_str()),
            &[
                (
                    "x-amz-grant-*",
                    $input.grant_full_control.is_some()
                        || $input.grant_read.is_some()
                        || $input.grant_read_acp.is_some()
                        || $input.grant_write_acp.is_some(),
                ),
                (
                    "x-amz-object-lock-*",
                    $input.object_lock_mode.is_some()
                        || $input.object_lock_legal_hold_status.is_some()
                        || $input.object_lock_retain_until_date.is_some(),
                ),
                (
                    "x-amz-server-side-encryption",
                    $input.server_side_encryption.is_some()
                        || $input.ssekms_key_id.is_some()
                        || $input.ssekms_encryption_context.is_some()
                        || $input.bucket_key_enabled.is_some(),
                ),
                (
                    "x-amz-server-side-encryption-customer-*",
                    $input.sse_customer_algorithm.is_some()
                        || $input.sse_customer_key.is_some()
                        || $input.sse_customer_key_md5.is_some(),
                ),
                (
                    "x-amz-website-redirect-location",
                    $input.website_redirect_location.is_some(),
                ),
            ],
        )
    };
}
pub(crate) use refuse_unsupported;

pub(crate) fn refuse(
    acl: Option<&str>,
    class: Option<&str>,
    others: &[(&str, bool)],
) -> S3Result<()> {
    // What these two say is so in any case.
    if !matches!(acl, None | Some("private" | "bucket-owner-full-control")) {
        return Err(s3_error!(
            AccessControlListNotSupported,
            "The bucket does not allow ACLs; leave x-amz-acl out."
        ));
    }
    if !matches!(class, None | Some("STANDARD")) {
        return Err(s3_error!(
            InvalidStorageClass,
            "The only storage class is STANDARD."
        ));
    }
    match others.iter().find(|(_, is_there)| *is_there) {
        Some((name, _)) => Err(failure::not_here(&format!("The header {name}"))),
        None => Ok(()),
    }
}

impl Fields {
    pub(crate) fn read(self) -> S3Result<ObjectMetadata> {
        let user: BTreeMap<String, String> = self.user.into_iter().flatten().collect();
        let size: usize = user
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if size > USER_BYTES_MAX {
            return Err(s3_error!(
                MetadataTooLarge,
                "Your metadata headers have {size} bytes; at most {USER_BYTES_MAX} are allowed."
            ));
        }
        let tags = match &self.tagging {
            Some(tagging) => read_tagging(tagging)?,
            None => BTreeMap::new(),
        };
        Ok(ObjectMetadata {
            content_type: self.content_type,
            content_encoding: self.content_encoding.and_then(|text| encoding(&text)),
            content_disposition: self.content_disposition,
            content_language: self.content_language,
            cache_control: self.cache_control,
            expires: self.expires.as_ref().map(millis),
            user,
            tags,
            ..ObjectMetadata::default()
        })
    }
}

/// The encoding of an object without `aws-chunked`, which is that of the request only.
fn encoding(text: &str) -> Option<String> {
    let parts = text.split(',').map(str::trim);
    let parts: Vec<&str> = parts
        .filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Reads the header `x-amz-tagging`: `team=web&stage=beta`.
fn read_tagging(text: &str) -> S3Result<BTreeMap<String, String>> {
    tags(form_urlencoded::parse(text.as_bytes()).into_owned())
}

/// Reads tags, within the limits that S3 has.
pub(crate) fn tags(
    pairs: impl Iterator<Item = (String, String)>,
) -> S3Result<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if !(1..=TAG_KEY_MAX).contains(&key.chars().count()) {
            return Err(s3_error!(
                InvalidTag,
                "A tag's key has 1 to {TAG_KEY_MAX} characters."
            ));
        }
        if value.chars().count() > TAG_VALUE_MAX {
            return Err(s3_error!(
                InvalidTag,
                "A tag's value has at most {TAG_VALUE_MAX} characters."
            ));
        }
        if let Some((key, _)) = tags.get_key_value(&key) {
            return Err(s3_error!(
                InvalidTag,
                "There are two tags with the key `{key}`."
            ));
        }
        tags.insert(key, value);
        if tags.len() > TAGS_MAX {
            return Err(failure::custom(
                "BadRequest",
                format!("Object tags cannot be greater than {TAGS_MAX}"),
            ));
        }
    }
    Ok(tags)
}

pub(crate) fn time(at: Timestamp) -> dto::Timestamp {
    let millis = Duration::from_millis(at.0.unsigned_abs());
    let time = if at.0 < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(millis)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(millis)
    };
    dto::Timestamp::from(time.unwrap_or(SystemTime::UNIX_EPOCH))
}

/// A time without its fraction, as headers have it.
pub(crate) fn whole_seconds(at: Timestamp) -> dto::Timestamp {
    time(Timestamp(at.0.div_euclid(1_000) * 1_000))
}

pub(crate) fn millis(at: &dto::Timestamp) -> Timestamp {
    let mut text = Vec::new();
    let seconds = at
        .format(dto::TimestampFormat::EpochSeconds, &mut text)
        .ok()
        .and_then(|()| String::from_utf8(text).ok())
        .and_then(|text| text.split('.').next()?.parse::<i64>().ok());
    Timestamp(seconds.unwrap_or(0).saturating_mul(1_000))
}

pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            content_type: Some("text/html".to_owned()),
            content_encoding: Some("gzip, aws-chunked".to_owned()),
            content_disposition: None,
            content_language: None,
            cache_control: None,
            expires: Some(time(Timestamp(1_700_000_000_000))),
            user: Some([("a".to_owned(), "b".to_owned())].into()),
            tagging: Some("team=web&x=a%20b".to_owned()),
        }
    }

    #[test]
    fn headers_become_metadata() {
        let read = fields().read().unwrap();
        assert_eq!(read.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(read.expires, Some(Timestamp(1_700_000_000_000)));
        assert_eq!(read.user["a"], "b");
        assert_eq!(read.tags["x"], "a b");
        assert_eq!(encoding("aws-chunked"), None);
    }

    #[test]
    fn limits_are_kept() {
        let mut large = fields();
        large.user = Some([("a".to_owned(), "b".repeat(USER_BYTES_MAX))].into());
        assert_eq!(
            large.read().unwrap_err().code().as_str(),
            "MetadataTooLarge"
        );
        let many: Vec<String> = (0..=TAGS_MAX).map(|at| format!("k{at}=v")).collect();
        let many = many.join("&");
        for (text, code) in [
            ("a=1&a=2", "InvalidTag"),
            ("=1", "InvalidTag"),
            (
                &format!("a={}", "v".repeat(TAG_VALUE_MAX + 1)),
                "InvalidTag",
            ),
            (&many, "BadRequest"),
        ] {
            assert_eq!(read_tagging(text).unwrap_err().code().as_str(), code);
        }
    }

    #[test]
    fn what_has_no_effect_is_refused_by_name() {
        assert!(refuse(Some("private"), Some("STANDARD"), &[("x", false)]).is_ok());
        let acl = refuse(Some("public-read"), None, &[]).unwrap_err();
        assert_eq!(acl.code().as_str(), "AccessControlListNotSupported");
        let class = refuse(None, Some("GLACIER"), &[]).unwrap_err();
        assert_eq!(class.code().as_str(), "InvalidStorageClass");
        let other = refuse(None, None, &[("x-odd", true)]).unwrap_err();
        assert!(other.message().unwrap().contains("x-odd"));
    }

    #[test]
    fn times_go_there_and_back() {
        for at in [0, 1_700_000_000_000, -5_000] {
            assert_eq!(millis(&time(Timestamp(at))), Timestamp(at));
        }
        assert_eq!(whole_seconds(Timestamp(1_999)), time(Timestamp(1_000)));
    }
}
