//! Which names are asked for at all.
//!
//! S3 checks names itself. These are the ones that must not become part of an address: an empty one
//! asks for something else than it seems to, and the name of a bucket becomes that of a host.

use ports::objects::ObjectError;

use super::Place;

/// S3 takes 3 to 63 characters now, and has buckets of longer names from long ago.
const BUCKET_LENGTH: std::ops::RangeInclusive<usize> = 3..=255;
const NEW_BUCKET_LENGTH_MAX: usize = 63;
const KEY_BYTES_MAX: usize = 1_024;

pub(super) fn check(place: Place<'_>) -> Result<(), ObjectError> {
    check_bucket(place.bucket)?;
    check_key(place.key)
}

pub(super) fn check_bucket(name: &str) -> Result<(), ObjectError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !BUCKET_LENGTH.contains(&name.len()) || !name.chars().all(plain) {
        let text = format!(
            "`{}` cannot be the name of a bucket: it must have {} to {} letters, digits, `-` and `.`",
            name.escape_debug(),
            BUCKET_LENGTH.start(),
            NEW_BUCKET_LENGTH_MAX,
        );
        return Err(ObjectError::InvalidName(text));
    }
    Ok(())
}

/// What S3 refuses of a new bucket's name; whether it is taken or reserved, S3 says.
pub(super) fn check_new_bucket(name: &str) -> Result<(), ObjectError> {
    check_bucket(name)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_plain = name.chars().all(|c| plain(c) || c == '-' || c == '.');
    let is_whole = name.starts_with(plain) && name.ends_with(plain);
    if is_plain && is_whole && name.len() <= NEW_BUCKET_LENGTH_MAX {
        return Ok(());
    }
    let text = format!(
        "`{name}` cannot be the name of a new bucket: it must have at most \
         {NEW_BUCKET_LENGTH_MAX} lower-case letters, digits, `-` and `.`, and begin and end with a \
         letter or a digit"
    );
    Err(ObjectError::InvalidName(text))
}

fn check_key(key: &str) -> Result<(), ObjectError> {
    if key.is_empty() {
        return Err(ObjectError::InvalidName("the key is empty".to_owned()));
    }
    if key.len() > KEY_BYTES_MAX {
        let text = format!("a key has at most {KEY_BYTES_MAX} bytes, not {}", key.len());
        return Err(ObjectError::InvalidName(text));
    }
    if key.contains('\0') {
        let text = format!("key `{}` contains a zero byte", key.escape_debug());
        return Err(ObjectError::InvalidName(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_name_gets_into_an_address() {
        for name in ["abc", "my-bucket.1", "Old_Bucket"] {
            check_bucket(name).expect("S3 has such buckets");
        }
        let long = "a".repeat(256);
        for name in [
            "",
            "ab",
            "a/b",
            "evil.example#",
            "arn:aws:s3:::b",
            "ä-b",
            &long,
        ] {
            let refused = check_bucket(name);
            assert!(
                matches!(refused, Err(ObjectError::InvalidName(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_new_bucket_has_a_name_that_s3_still_gives() {
        check_new_bucket("my-bucket.1").expect("it is a good name");
        for name in ["Old_Bucket", "-begins", "ends.", &"a".repeat(64), "a"] {
            let refused = check_new_bucket(name);
            assert!(
                matches!(refused, Err(ObjectError::InvalidName(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_key_is_not_empty_not_long_and_has_no_zero_byte() {
        check_key("ärger/ 日本.zip").expect("it is a key");
        for key in ["", "a\0b", &"k".repeat(1_025)] {
            assert!(matches!(check_key(key), Err(ObjectError::InvalidName(_))));
        }
    }
}
