//! The AWS CLI's shared files: sections in brackets, `key = value` lines, and values of several
//! lines that are indented below their key.

use std::{collections::BTreeMap, fs::File, io, io::Read as _, path::Path};

/// The largest file that is read; real ones have a few kilobytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file as sections; a nested value has the key `outer.inner`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl Ini {
    /// Reads a file; one that is not there is empty.
    pub fn load(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let message = format!("it is longer than {FILE_BYTES_MAX} bytes");
            return Err(io::Error::other(message));
        }
        Ok(Self::parse(&text))
    }

    /// Reads a text; lines that are none of its forms are passed over, as the AWS CLI does.
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let (mut section, mut outer) = (None, String::new());
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = without_comment(line).trim();
            if line.is_empty() {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
                ini.sections.entry(name.clone()).or_default();
                (section, outer) = (Some(name), String::new());
                continue;
            }
            let (Some(name), Some((key, value))) = (&section, line.split_once('=')) else {
                continue;
            };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            let key = if is_nested && !outer.is_empty() {
                format!("{outer}.{key}")
            } else {
                // Only a key without a value of its own can have values below it.
                outer = if value.is_empty() {
                    key.clone()
                } else {
                    String::new()
                };
                key
            };
            let section = ini.sections.entry(name.clone()).or_default();
            section.insert(key, value.to_owned());
        }
        ini
    }

    /// Whether there is such a section.
    pub fn has(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// A value, if it is there and not empty.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        let value = self.sections.get(section)?.get(key)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The names of all sections.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }
}

/// The line up to where a comment begins: at its start, or after white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let is_comment = |at: &usize| {
        let before = line[..*at].chars().next_back();
        before.is_some_and(char::is_whitespace)
    };
    let mut marks = line.match_indices(['#', ';']).map(|(at, _)| at);
    marks.find(is_comment).map_or(line, |at| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_values_and_values_may_nest() {
        let ini = Ini::parse(
            "\u{20}# a comment\nlost = 1\n[default]\nregion=eu-west-1\n\n[profile  dev]\n\
             endpoint_url = http://h:1/?a=b # not this\nREGION = x;y\ns3 =\n  a = 1\n  b=2\nempty=\n\
             [services local]\ncodepipeline = \n  endpoint_url = http://other\nnonsense\n",
        );
        let get = |section, key| ini.get(section, key);
        assert_eq!(get("default", "region"), Some("eu-west-1"));
        assert_eq!(get("profile dev", "endpoint_url"), Some("http://h:1/?a=b"));
        assert_eq!(get("profile dev", "region"), Some("x;y"));
        assert_eq!(get("profile dev", "s3.b"), Some("2"));
        assert_eq!(get("profile dev", "empty"), None);
        assert_eq!(
            get("services local", "codepipeline.endpoint_url"),
            Some("http://other")
        );
        assert_eq!(get("default", "lost"), None);
        assert!(ini.has("profile dev") && !ini.has("dev"));
        assert_eq!(ini.sections().count(), 3);
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_one_without_text_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        assert_eq!(Ini::load(&path).expect("empty"), Ini::default());
        std::fs::write(&path, [0xff, 0xfe]).expect("write");
        assert!(Ini::load(&path).is_err());
        let long = vec![b'#'; usize::try_from(FILE_BYTES_MAX).expect("small") + 1];
        std::fs::write(&path, long).expect("write");
        let error = Ini::load(&path).expect_err("too long");
        assert_eq!(error.to_string(), "it is longer than 1048576 bytes");
    }
}
