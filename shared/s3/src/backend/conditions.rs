//! Conditional requests: what must be true of an object before it is read or written.

use http::{HeaderMap, HeaderValue, header};
use ports::objects::{ObjectInfo, Precondition};
use s3s::{S3Error, S3Result, dto, s3_error};

use crate::{failure, metadata};

/// What a reader asks of an object.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    pub(super) matching: Option<&'a dto::ETagCondition>,
    pub(super) not_matching: Option<&'a dto::ETagCondition>,
    pub(super) modified_since: Option<&'a dto::Timestamp>,
    pub(super) unmodified_since: Option<&'a dto::Timestamp>,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Met,
    /// The reader has it already.
    NotModified,
    Failed,
}

impl Conditions<'_> {
    /// In the order of RFC 9110, section 13.2.2: a tag is preferred to a date.
    pub(super) fn check(&self, object: &ObjectInfo) -> Outcome {
        let modified = metadata::whole_seconds(object.modified);
        let is_wanted = match (self.matching, self.unmodified_since) {
            (Some(wanted), _) => is_match(wanted, object),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !is_wanted {
            return Outcome::Failed;
        }
        let is_new = match (self.not_matching, self.modified_since) {
            (Some(known), _) => !is_match(known, object),
            (None, Some(since)) => modified > *since,
            (None, None) => true,
        };
        if is_new {
            Outcome::Met
        } else {
            Outcome::NotModified
        }
    }

    /// For one who reads.
    pub(super) fn check_read(&self, object: &ObjectInfo) -> S3Result<()> {
        match self.check(object) {
            Outcome::Met => Ok(()),
            Outcome::Failed => Err(failed()),
            Outcome::NotModified => {
                let mut error = s3_error!(NotModified, "The object was not modified.");
                let mut headers = HeaderMap::new();
                if let Ok(tag) = HeaderValue::from_str(&object.etag) {
                    headers.insert(header::ETAG, tag);
                }
                error.set_headers(headers);
                Err(error)
            }
        }
    }

    /// For one who copies: there is no answer but that it was not done.
    pub(super) fn check_copy(&self, object: &ObjectInfo) -> S3Result<()> {
        match self.check(object) {
            Outcome::Met => Ok(()),
            Outcome::Failed | Outcome::NotModified => Err(failed()),
        }
    }
}

fn failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold."
    )
}

fn is_match(condition: &dto::ETagCondition, object: &ObjectInfo) -> bool {
    match condition {
        dto::ETagCondition::Any => true,
        dto::ETagCondition::ETag(tag) => tag.value() == object.etag.trim_matches('"'),
    }
}

/// The tag of a condition, in quotes.
pub(super) fn quoted(condition: &dto::ETagCondition) -> S3Result<String> {
    match condition {
        dto::ETagCondition::ETag(tag) => Ok(format!("\"{}\"", tag.value())),
        dto::ETagCondition::Any => Err(failure::not_here("`If-Match: *`")),
    }
}

/// What a writer asks of a key; the tag is given beside, because the answer borrows it.
pub(super) fn precondition<'a>(
    tag: Option<&'a str>,
    none_match: Option<&dto::ETagCondition>,
) -> S3Result<Option<Precondition<'a>>> {
    match (tag, none_match) {
        (None, None) => Ok(None),
        (Some(tag), None) => Ok(Some(Precondition::Is(tag))),
        (None, Some(dto::ETagCondition::Any)) => Ok(Some(Precondition::Absent)),
        (None, Some(dto::ETagCondition::ETag(_))) => {
            Err(failure::not_here("`If-None-Match` with a tag on a write"))
        }
        (Some(_), Some(_)) => Err(failure::not_here("`If-Match` beside `If-None-Match`")),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use ports::objects::ObjectMetadata;

    use super::*;

    fn object() -> ObjectInfo {
        ObjectInfo {
            key: "k".to_owned(),
            version_id: "v".to_owned(),
            etag: "\"tag\"".to_owned(),
            sha256: String::new(),
            size: 1,
            modified: Timestamp(5_500),
            metadata: ObjectMetadata::default(),
        }
    }

    fn tag(text: &str) -> dto::ETagCondition {
        dto::ETagCondition::ETag(dto::ETag::Strong(text.to_owned()))
    }

    #[test]
    fn a_tag_is_preferred_to_a_date() {
        let (right, wrong, any) = (tag("tag"), tag("other"), dto::ETagCondition::Any);
        let at = |seconds: i64| metadata::time(Timestamp(seconds * 1_000));
        let (before, same) = (at(4), at(5));
        let check = |matching, unmodified_since, not_matching, modified_since| {
            let conditions = Conditions {
                matching,
                not_matching,
                modified_since,
                unmodified_since,
            };
            conditions.check(&object())
        };
        assert_eq!(check(None, None, None, None), Outcome::Met);
        assert_eq!(check(Some(&right), Some(&before), None, None), Outcome::Met);
        assert_eq!(check(Some(&any), None, None, None), Outcome::Met);
        assert_eq!(check(Some(&wrong), None, None, None), Outcome::Failed);
        assert_eq!(check(None, Some(&before), None, None), Outcome::Failed);
        assert_eq!(check(None, Some(&same), None, None), Outcome::Met);
        let not_modified = Outcome::NotModified;
        assert_eq!(check(None, None, Some(&right), Some(&before)), not_modified);
        assert_eq!(check(None, None, Some(&wrong), Some(&same)), Outcome::Met);
        assert_eq!(check(None, None, None, Some(&same)), not_modified);
        assert_eq!(check(None, None, None, Some(&before)), Outcome::Met);
    }

    #[test]
    fn a_writer_may_ask_for_a_tag_or_for_none() {
        let any = dto::ETagCondition::Any;
        assert_eq!(precondition(None, None).unwrap(), None);
        assert_eq!(
            precondition(None, Some(&any)).unwrap(),
            Some(Precondition::Absent)
        );
        let is = precondition(Some("\"t\""), None).unwrap();
        assert_eq!(is, Some(Precondition::Is("\"t\"")));
        assert!(precondition(None, Some(&tag("t"))).is_err());
        assert!(precondition(Some("\"t\""), Some(&any)).is_err());
        assert_eq!(quoted(&tag("t")).unwrap(), "\"t\"");
        assert!(quoted(&any).is_err());
    }
}
