//! What the port keeps with an object and S3 has no place for, and the texts that headers take.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::Timestamp;
use ports::objects::ObjectChecksum;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The entry of the user metadata that the record is in.
pub(super) const ENTRY: &str = "pipewright";

/// How far the clock of whoever puts an object may be from S3's, which takes no request from
/// farther away. A recorded time that is farther from S3's own is that of another object, whose
/// metadata a copy took along.
const CLOCKS_APART_MAX_MILLIS: u64 = 15 * 60 * 1_000;

const MILLIS: i64 = 1_000;

/// JSON in the user metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Which put wrote the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) put: Option<Uuid>,
    /// When it did, in milliseconds: S3 does not say when it answers a put, and in whole seconds
    /// later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<Timestamp>,
    /// In hex, of all bytes of an object that came in parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    /// The tag that the port was told to give the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    /// S3 keeps what the name of a list of rights stands for, and not the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acl: Option<String>,
    /// S3 tells the id of a key, whichever of its names was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms: Option<String>,
    /// The checksum that the bytes had come with, wherever that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<ObjectChecksum>,
    /// Where it is not whole seconds, as the header is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    /// Nobody said which type the bytes have; S3 says one all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) untyped: bool,
}

impl Record {
    /// What the entry says; what is none of ours says nothing.
    pub(super) fn of(entry: &str) -> Option<Self> {
        serde_json::from_str(entry).ok()
    }

    pub(super) fn entry(&self) -> String {
        // Plain texts and numbers: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// When the object was written, by S3's clock or, more exactly, by ours.
    pub(super) fn modified(&self, by_s3: Timestamp) -> Timestamp {
        self.modified
            .filter(|ours| ours.0.abs_diff(by_s3.0) <= CLOCKS_APART_MAX_MILLIS)
            .unwrap_or(by_s3)
    }

    /// The end of the object's freshness, which the header says in whole seconds.
    pub(super) fn expires(&self, header: Option<Timestamp>) -> Option<Timestamp> {
        let same_second = |ours: &Timestamp| {
            header.is_some_and(|header| ours.0.div_euclid(MILLIS) == header.0.div_euclid(MILLIS))
        };
        self.expires.filter(same_second).or(header)
    }
}

/// The second that a time is in, as a header says it.
pub(super) fn whole_seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(MILLIS)
}

pub(super) fn is_whole(time: Timestamp) -> bool {
    time.0.rem_euclid(MILLIS) == 0
}

/// A text as a header can carry it: S3 itself writes other texts than plain ones by RFC 2047.
pub(super) fn encoded(text: &str) -> String {
    let is_plain = text.chars().all(|c| matches!(c, ' '..='~'));
    let is_kept = !text.starts_with(' ') && !text.ends_with(' ') && !text.starts_with("=?");
    if is_plain && is_kept {
        return text.to_owned();
    }
    format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(text))
}

/// The text that [`encoded`], or S3, wrote so.
pub(super) fn decoded(text: &str) -> String {
    let inner = || {
        let rest = text.strip_prefix("=?")?.strip_suffix("?=")?;
        let (charset, rest) = rest.split_once('?')?;
        let (form, inner) = rest.split_once('?')?;
        if !charset.eq_ignore_ascii_case("UTF-8") {
            return None;
        }
        let bytes = match form {
            "B" | "b" => BASE64_STANDARD.decode(inner).ok()?,
            "Q" | "q" => quoted(inner)?,
            _ => return None,
        };
        String::from_utf8(bytes).ok()
    };
    inner().unwrap_or_else(|| text.to_owned())
}

/// The bytes of the form Q: `=` and two hexadecimal digits for a byte, `_` for a space.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_what_is_none_says_nothing() {
        let record = Record {
            put: Some(Uuid::from_u128(7)),
            modified: Some(Timestamp(1)),
            sha256: Some("ab".to_owned()),
            untyped: true,
            ..Record::default()
        };
        assert_eq!(Record::of(&record.entry()), Some(record));
        assert_eq!(Record::of("{}"), Some(Record::default()));
        assert_eq!(Record::of("of another program"), None);
    }

    #[test]
    fn a_time_that_a_copy_took_along_is_not_believed() {
        let record = Record {
            modified: Some(Timestamp(1_500)),
            ..Record::default()
        };
        assert_eq!(record.modified(Timestamp(1_000)), Timestamp(1_500));
        let later = Timestamp(1_500 + 15 * 60 * 1_000 + 1);
        assert_eq!(record.modified(later), later);
        assert_eq!(Record::default().modified(later), later);
    }

    #[test]
    fn an_end_of_freshness_is_that_of_the_header_to_the_second() {
        let record = Record {
            expires: Some(Timestamp(-1)),
            ..Record::default()
        };
        assert_eq!(record.expires(Some(Timestamp(-1_000))), Some(Timestamp(-1)));
        assert_eq!(record.expires(Some(Timestamp(0))), Some(Timestamp(0)));
        assert_eq!(record.expires(None), None);
        assert_eq!(whole_seconds(Timestamp(-1)), -1);
        assert!(is_whole(Timestamp(-2_000)) && !is_whole(Timestamp(-1)));
    }

    #[test]
    fn every_text_survives_a_header() {
        for text in [
            "",
            "plain text",
            " spaces ",
            "Grüße, 日本",
            "a\nb",
            "=?UTF-8?B?eA==?=",
        ] {
            let sent = encoded(text);
            assert!(sent.chars().all(|c| matches!(c, ' '..='~')), "{sent}");
            assert_eq!(decoded(&sent), text);
        }
        assert_eq!(decoded("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?="), "Grüße an");
        for odd in [
            "=?UTF-8?B?*?=",
            "=?UTF-8?Q?=C3?=",
            "=?latin1?B?eA==?=",
            "=?x?=",
        ] {
            assert_eq!(decoded(odd), odd);
        }
    }
}
