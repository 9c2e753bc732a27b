//! A mask hides the values of secrets in text.
//!
//! It knows each value as it is, each line of a value of several lines, and the forms in which
//! tools print values: JSON, URL, hexadecimal and base64. It is the best that can be done to
//! text; a build that means to print a secret in disguise can.

use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};

/// Shorter values are not masked: they would hide half the log (spec 70 §4.3).
pub(super) const MASKED_MIN_BYTES: usize = 4;
/// Shorter values are masked as they are only: their encoded forms are too common.
const ENCODED_MIN_BYTES: usize = 6;
const REPLACEMENT: &[u8] = b"***";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[derive(Default)]
pub(super) struct Mask {
    finder: Option<AhoCorasick>,
    longest: usize,
    hides_all: bool,
}

impl Mask {
    pub(super) fn of<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for value in values {
            for line in value.lines().map(str::trim_end) {
                forms(line, &mut patterns);
            }
            // The encoded forms of a whole value hold no line breaks.
            if value.contains('\n') {
                encoded(value.as_bytes(), &mut patterns);
                encoded(value.trim_end().as_bytes(), &mut patterns);
                patterns.push(json(value));
                patterns.push(json(value.trim_end()));
            }
        }
        patterns.retain(|pattern| pattern.len() >= MASKED_MIN_BYTES);
        patterns.sort();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        if patterns.is_empty() {
            return Self::default();
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .ok();
        // The builder fails only when the patterns outgrow its states; nothing may pass then.
        let hides_all = finder.is_none();
        Self {
            finder,
            longest,
            hides_all,
        }
    }

    /// The length of the longest thing that is hidden.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The first `limit` bytes of a line with everything hidden that begins within them; the
    /// line must hold [`Mask::longest`] bytes more where it has them.
    pub(super) fn hide(&self, line: &[u8], limit: usize) -> Vec<u8> {
        if self.hides_all {
            return REPLACEMENT.to_vec();
        }
        let mut shown = Vec::with_capacity(line.len().min(limit));
        let mut at = 0;
        if let Some(finder) = &self.finder {
            for found in finder
                .find_iter(line)
                .take_while(|found| found.start() < limit)
            {
                shown.extend_from_slice(&line[at..found.start()]);
                shown.extend_from_slice(REPLACEMENT);
                at = found.end();
            }
        }
        if at < limit {
            shown.extend_from_slice(&line[at..line.len().min(limit)]);
        }
        shown
    }

    /// Whether there is anything to hide in a text.
    pub(super) fn hides_in(&self, text: &str) -> bool {
        let finds = |finder: &AhoCorasick| finder.is_match(text);
        self.hides_all || self.finder.as_ref().is_some_and(finds)
    }

    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide(text.as_bytes(), text.len())).into_owned()
    }
}

fn forms(value: &str, patterns: &mut Vec<Vec<u8>>) {
    if value.len() < MASKED_MIN_BYTES {
        return;
    }
    patterns.push(value.as_bytes().to_vec());
    if value.len() >= ENCODED_MIN_BYTES {
        patterns.push(json(value));
        patterns.push(url(value));
        encoded(value.as_bytes(), patterns);
    }
}

fn json(value: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(value).to_string();
    quoted
        .as_bytes()
        .get(1..quoted.len() - 1)
        .unwrap_or_default()
        .to_vec()
}

fn url(value: &str) -> Vec<u8> {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text.into_bytes()
}

/// Hexadecimal, and base64 at each of the three places that a value can have in a longer text.
fn encoded(value: &[u8], patterns: &mut Vec<Vec<u8>>) {
    patterns.push(hex::encode(value).into_bytes());
    patterns.push(hex::encode_upper(value).into_bytes());
    for shift in 0..3 {
        let standard = base64_inside(value, shift);
        if standard.len() < MASKED_MIN_BYTES * 2 {
            continue;
        }
        let safe = standard.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        patterns.push(safe.collect());
        patterns.push(standard);
    }
}

/// The base64 digits that depend on nothing but the value, when `shift` bytes stand before it in
/// its group of three.
fn base64_inside(value: &[u8], shift: usize) -> Vec<u8> {
    let mut digits = Vec::new();
    let first = (shift * 8).div_ceil(6);
    let last = (shift + value.len()) * 8 / 6;
    for digit in first..last {
        let mut six = 0;
        for bit in digit * 6..digit * 6 + 6 {
            let byte = value.get(bit / 8 - shift).copied().unwrap_or(0);
            six = six << 1 | usize::from(byte >> (7 - bit % 8) & 1);
        }
        digits.push(BASE64[six]);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-Ünï/code+";

    #[test]
    fn a_value_is_hidden_wherever_it_stands() {
        let mask = Mask::of([SECRET]);
        assert_eq!(mask.text(&format!("a{SECRET}b {SECRET}")), "a***b ***");
    }

    #[test]
    fn the_forms_in_which_tools_print_a_value_are_hidden() {
        let mask = Mask::of(["s3cr\"et/valüe"]);
        for form in [
            "s3cr\\\"et/valüe",
            "s3cr%22et%2Fval%C3%BCe",
            "733363722265742f76616cc3bc65",
            "733363722265742F76616CC3BC65",
        ] {
            assert_eq!(mask.text(&format!("[{form}]")), "[***]");
        }
    }

    #[test]
    fn base64_is_hidden_at_each_alignment() {
        let mask = Mask::of(["correct horse"]);
        // Made by `printf '<prefix>correct horse!' | base64`.
        for (text, rest) in [
            ("Y29ycmVjdCBob3JzZSE=", "***SE="),
            ("eGNvcnJlY3QgaG9yc2Uh", "***Uh"),
            ("eHhjb3JyZWN0IGhvcnNlIQ==", "***IQ=="),
        ] {
            let shown = mask.text(text);
            assert!(shown.ends_with(rest), "{text} became {shown}");
        }
    }

    #[test]
    fn each_line_of_a_value_is_hidden() {
        let mask = Mask::of(["-----BEGIN KEY-----\nabcdefgh\nxyz\n"]);
        assert_eq!(mask.text("abcdefgh"), "***");
        assert_eq!(
            mask.text("xyz"),
            "xyz",
            "three characters are too few to hide"
        );
        assert_eq!(mask.text("-----BEGIN KEY-----\\nabcdefgh\\nxyz\\n"), "***");
    }

    #[test]
    fn a_value_that_begins_before_the_limit_is_hidden_whole() {
        let mask = Mask::of(["0123456789"]);
        assert_eq!(mask.hide(b"ab0123456789cd", 5), b"ab***");
        assert_eq!(mask.hide(b"ab0123456789cd", 2), b"ab");
        assert_eq!(mask.hide(b"ab0123456789cd", 14), b"ab***cd");
    }

    #[test]
    fn nothing_is_hidden_without_secrets() {
        assert_eq!(Mask::of([]).text("anything"), "anything");
        assert_eq!(Mask::of(["abc", ""]).text("abc"), "abc");
    }
}
