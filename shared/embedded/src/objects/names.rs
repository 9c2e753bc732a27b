//! Which names buckets and keys may have: those that S3 takes.

use ports::objects::ObjectError;

const BUCKET_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;
const KEY_BYTES_MAX: usize = 1_024;

/// The beginnings and ends that S3 keeps for itself.
const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 4] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3"];

/// Whether a bucket may have that name.
pub fn check_bucket(name: &str) -> Result<(), ObjectError> {
    let refuse = |why: String| {
        let text = format!("`{name}` cannot be the name of a bucket: {why}");
        Err(ObjectError::InvalidName(text))
    };
    if !BUCKET_LENGTH.contains(&name.len()) {
        let (least, most) = (BUCKET_LENGTH.start(), BUCKET_LENGTH.end());
        return refuse(format!("it must have {least} to {most} characters"));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !name.chars().all(|c| plain(c) || c == '-' || c == '.') {
        return refuse("only lower-case letters, digits, `-` and `.` may be in it".to_owned());
    }
    if !(name.starts_with(plain) && name.ends_with(plain)) {
        return refuse("it must begin and end with a letter or a digit".to_owned());
    }
    if name.contains("..") {
        return refuse("two dots may not stand side by side".to_owned());
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return refuse("it must not look like an IP address".to_owned());
    }
    if let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return refuse(format!("names that begin with `{prefix}` are reserved"));
    }
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        return refuse(format!("names that end with `{suffix}` are reserved"));
    }
    Ok(())
}

pub(super) fn check_key(key: &str) -> Result<(), ObjectError> {
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
    fn a_bucket_has_a_name_that_s3_takes() {
        for name in ["abc", "my-bucket.1", "0-0", &"a".repeat(63)] {
            assert!(check_bucket(name).is_ok(), "{name}");
        }
        for name in [
            "ab",
            &"a".repeat(64),
            "Upper",
            "under_score",
            "-begins",
            "ends-",
            "a..b",
            "192.168.1.1",
            "xn--abc",
            "abc-s3alias",
            "../../etc",
        ] {
            let error = check_bucket(name).unwrap_err();
            assert!(matches!(error, ObjectError::InvalidName(_)), "{name}");
        }
    }

    #[test]
    fn a_key_is_not_empty_not_long_and_has_no_zero_byte() {
        assert!(check_key(&"k".repeat(1024)).is_ok());
        assert!(check_key("ärger/ 日本.zip").is_ok());
        for key in ["", "a\0b", &"k".repeat(1025)] {
            assert!(matches!(check_key(key), Err(ObjectError::InvalidName(_))));
        }
    }
}
