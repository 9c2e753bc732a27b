//! What a listing asks for and gives, and where the next one goes on.

use super::{ObjectInfo, Version};

/// Which objects to list.
#[derive(Clone, Copy, Debug)]
pub struct ListObjects<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    /// Keys in which it follows the prefix are one entry; empty for none.
    pub delimiter: &'a str,
    /// Where to begin: with this key, or the next one that is there.
    pub from: &'a str,
    /// How many entries at most; a store may give fewer.
    pub limit: usize,
}

/// Some entries of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<ObjectInfo>,
    /// The beginnings that keys share, up to and with the delimiter.
    pub prefixes: Vec<String>,
    /// Where the next page begins; none when this was the last one.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Clone, Copy, Debug)]
pub struct ListVersions<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Where to begin: with this key, or the next one that is there.
    pub from: &'a str,
    /// Of the key `from`, begin after this version; one that is gone skips nothing.
    pub past: Option<&'a str>,
    pub limit: usize,
}

/// Some entries of a listing of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionsPage {
    /// Each with whether it is the newest of its key.
    pub versions: Vec<(Version, bool)>,
    pub prefixes: Vec<String>,
    /// Whether there is more after the last entry.
    pub is_cut: bool,
}

/// The first text that comes after that one.
pub fn just_after(text: &str) -> String {
    format!("{text}\0")
}

/// The first text that comes after all that begin with `prefix`; none when nothing does.
///
/// Texts are ordered by their bytes, which is the order of their characters.
pub fn beyond(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_between_a_prefix_and_what_is_beyond_it() {
        assert_eq!(beyond("a/").as_deref(), Some("a0"));
        assert_eq!(beyond("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(beyond("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(beyond("").as_deref(), None);
        assert_eq!(beyond("\u{10ffff}\u{10ffff}"), None);
        for prefix in ["a/", "ä", "\u{d7ff}", "a\u{10ffff}"] {
            let beyond = beyond(prefix).expect("something is beyond");
            let last = format!("{prefix}\u{10ffff}\u{10ffff}");
            assert!(last < beyond && *prefix < *beyond);
        }
    }

    #[test]
    fn just_after_a_text_is_before_every_other() {
        assert!("a" < just_after("a").as_str());
        assert!(just_after("a").as_str() < "a\u{1}");
    }
}
