//! How a message gets to somebody.

pub(crate) mod address;
pub(crate) mod command;
pub(crate) mod mail;
pub(crate) mod webhook;

/// The most characters of what the other side said that are passed on.
const SAID_CHARACTERS_MAX: usize = 200;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: String,
    /// It would fail again: nothing but another configuration helps.
    pub(crate) is_final: bool,
}

impl Failure {
    /// It may work later.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_final: false,
        }
    }

    pub(crate) fn final_(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_final: true,
        }
    }
}

/// What the other side said, as one line of a log; nothing when it said nothing.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(SAID_CHARACTERS_MAX) {
        Some((end, _)) => format!(": {}…", &line[..end]),
        None if line.is_empty() => String::new(),
        None => format!(": {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_one_short_line() {
        assert_eq!(said(b" no\n\tsuch \x1b[31mhook\r\n"), ": no such [31mhook");
        assert_eq!(said(b"\n"), "");
        assert_eq!(said(&[b'a'; 300]), format!(": {}…", "a".repeat(200)));
        assert_eq!(said(b"\xff"), ": \u{fffd}");
    }
}
