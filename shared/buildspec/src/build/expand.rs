//! Text that the shell evaluates: names of artifacts and reports, keys and paths of a cache
//! (spec 70 §2).

use std::{fs, io::Read, path::Path};

use regex::{Captures, Regex};
use sha2::{Digest, Sha256};

use super::{
    log::Log,
    process::Watch,
    shell::{Session, ShellError},
};
use crate::{
    archive::Item,
    glob::{self, Links},
};

/// The call that a cache key may make; it is answered here, so the machine needs no such program.
const HASH_FILES: &str =
    r"\$\(\s*codebuild-hash-files\s+([^()]*)\)|`\s*codebuild-hash-files\s+([^`]*)`";
/// Stands in the text where no line of it ends in this word by accident.
const END: &str = "PIPEWRIGHT_END_OF_TEXT";
const READ_BYTES: usize = 64 * 1024;

/// Evaluates variables and commands in a text; none when the shell could not.
pub(super) fn text(
    written: &str,
    session: &mut Session,
    watch: &Watch,
    log: &mut Log,
) -> Result<Option<String>, ShellError> {
    if !written.contains(['$', '`', '\\']) {
        return Ok(Some(written.to_owned()));
    }
    // A here-document expands variables and commands and leaves quotes alone.
    let order = format!("cat <<{END}\n{written}\n{END}");
    let expanded = session.capture(&order, watch, log)?;
    Ok(expanded.map(|text| text.strip_suffix('\n').unwrap_or(&text).to_owned()))
}

/// Puts digests where a key calls for those of files: SHA-256 over the contents of all files
/// that match, in the order of their paths (spec 70 §6.3).
pub(super) fn hash_files(written: &str, source: &Path) -> String {
    let Ok(call) = Regex::new(HASH_FILES) else {
        return written.to_owned();
    };
    call.replace_all(written, |found: &Captures<'_>| {
        let arguments = found
            .get(1)
            .or_else(|| found.get(2))
            .map_or("", |m| m.as_str());
        let patterns: Vec<String> = arguments
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        digest(source, &patterns)
    })
    .into_owned()
}

fn digest(source: &Path, patterns: &[String]) -> String {
    let mut digest = Sha256::new();
    let found = glob::find(source, patterns, &[], Links::Follow).unwrap_or_default();
    let mut buffer = vec![0; READ_BYTES];
    for item in found.items.values() {
        let Item::File(path) = item else { continue };
        let Ok(mut file) = fs::File::open(path) else {
            continue;
        };
        while let Ok(read) = file.read(&mut buffer) {
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
        }
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_the_digest_of_the_files_it_names() {
        let source = tempfile::tempdir().expect("a directory");
        fs::write(source.path().join("a.lock"), "a").expect("a file");
        fs::create_dir(source.path().join("sub")).expect("a directory");
        fs::write(source.path().join("sub/b.lock"), "b").expect("a file");
        // printf ab | sha256sum
        let both = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";
        let key = "v1-$(codebuild-hash-files '**/*.lock')-$OS";
        assert_eq!(hash_files(key, source.path()), format!("v1-{both}-$OS"));
        let key = "`codebuild-hash-files a.lock \"sub/b.lock\"`";
        assert_eq!(hash_files(key, source.path()), both);
        fs::write(source.path().join("a.lock"), "changed").expect("a file");
        assert_ne!(hash_files(key, source.path()), both);
    }
}
