//! What all listings share: how much is asked for, and names that are encoded for XML.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Result, dto, s3_error};

/// How many entries one answer has at most.
pub(super) const ENTRIES_MAX: i32 = 1_000;

/// What is encoded in names when a client asks for it: all that is not plain.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'*');

/// How many entries to give, as told and as counted.
pub(super) fn limit(asked: Option<i32>, name: &str) -> S3Result<(i32, usize)> {
    let most = asked.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX);
    match usize::try_from(most) {
        Ok(count) => Ok((most, count)),
        Err(_) => Err(s3_error!(InvalidArgument, "{name} must not be negative.")),
    }
}

/// Whether and how names are encoded.
#[derive(Clone, Copy)]
pub(super) struct Names {
    is_encoded: bool,
}

impl Names {
    pub(super) fn of(asked: Option<&dto::EncodingType>) -> S3Result<Self> {
        match asked.map(dto::EncodingType::as_str) {
            None => Ok(Self { is_encoded: false }),
            Some("url") => Ok(Self { is_encoded: true }),
            Some(other) => Err(s3_error!(
                InvalidArgument,
                "`{other}` is no encoding type; there is `url`."
            )),
        }
    }

    pub(super) fn tell(self, name: &str) -> String {
        if self.is_encoded {
            utf8_percent_encode(name, ENCODED).to_string()
        } else {
            name.to_owned()
        }
    }

    pub(super) fn tell_if(self, name: Option<&String>) -> Option<String> {
        name.map(|name| self.tell(name))
    }

    pub(super) fn prefixes(self, prefixes: &[String]) -> Vec<dto::CommonPrefix> {
        let prefixes = prefixes.iter();
        prefixes
            .map(|prefix| dto::CommonPrefix {
                prefix: Some(self.tell(prefix)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_when_a_client_asks_for_it() {
        let url = dto::EncodingType::from_static("url");
        let names = Names::of(Some(&url)).unwrap();
        assert_eq!(names.tell("a/ü +&.txt"), "a/%C3%BC%20%2B%26.txt");
        assert_eq!(Names::of(None).unwrap().tell("ü +"), "ü +");
        let other = dto::EncodingType::from("base64".to_owned());
        assert!(Names::of(Some(&other)).is_err());
    }

    #[test]
    fn no_more_is_given_than_may_be() {
        assert_eq!(limit(None, "max-keys").unwrap(), (1_000, 1_000));
        assert_eq!(limit(Some(5_000), "max-keys").unwrap(), (1_000, 1_000));
        assert_eq!(limit(Some(0), "max-keys").unwrap(), (0, 0));
        assert!(limit(Some(-1), "max-keys").is_err());
    }
}
