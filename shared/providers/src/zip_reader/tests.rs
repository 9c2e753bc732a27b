use std::fs;

use model::job::FailureType;

use crate::testing::{LINK, zipped};

use super::*;

const FILE: u32 = 0o644;

fn opened(files: &[(&str, u32, &str)]) -> Result<ZipReader, ErrorDetails> {
    opened_within(files, BYTES_MAX)
}

fn opened_within(files: &[(&str, u32, &str)], bytes: u64) -> Result<ZipReader, ErrorDetails> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    zipped(&path, files);
    ZipReader::open_within(&path, "Site", bytes)
}

fn contents(mut zip: ZipReader) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("file");
    let entries = zip.files().to_vec();
    let mut contents = Vec::new();
    for entry in entries {
        zip.extract(&entry, &to).unwrap();
        contents.push((entry.name, fs::read_to_string(&to).unwrap()));
    }
    contents
}

#[track_caller]
fn refused(files: &[(&str, u32, &str)], why: &str) {
    let error = opened(files).unwrap_err();
    assert_eq!(error.code, FailureType::JobFailed);
    assert_eq!(
        error.message,
        format!("input artifact `Site` is refused: {why}")
    );
}

#[test]
fn files_are_read_and_folders_are_not_files() {
    let zip = opened(&[
        ("b/", 0o755, ""),
        ("b/c", FILE, "2"),
        ("a", 0o755, "1"),
        ("ü ☃", FILE, "3"),
    ]);
    let expected = [("a", "1"), ("b/c", "2"), ("ü ☃", "3")];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(contents(zip.unwrap()), expected);
}

#[test]
fn a_link_stands_for_the_file_that_it_leads_to() {
    let zip = opened(&[
        ("lib/app.1.js", FILE, "app"),
        ("lib/app.js", LINK, "app.1.js"),
        ("index.js", LINK, "./lib/../lib/app.js"),
    ]);
    let contents = contents(zip.unwrap());
    assert!(contents.iter().all(|(_, content)| content == "app"));
    assert_eq!(contents.len(), 3);
}

#[test]
fn a_link_that_leads_anywhere_else_is_refused() {
    refused(
        &[("l", LINK, "/etc/passwd")],
        "link `l` leads out of the archive",
    );
    refused(
        &[("a/l", LINK, "../../x")],
        "link `a/l` leads out of the archive",
    );
    refused(
        &[("l", LINK, "gone")],
        "link `l` leads to no file of the archive",
    );
    refused(
        &[("d/f", FILE, ""), ("l", LINK, "d")],
        "link `l` leads to no file of the archive",
    );
    refused(
        &[("a", LINK, "b"), ("b", LINK, "a")],
        "link `a` leads through too many other links",
    );
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["../x", "a/../../x", "a/./x", "a//x", ".."] {
        let why = format!("entry `{name}` has a name that leads elsewhere");
        refused(&[(name, FILE, "")], &why);
    }
    for name in ["/etc/passwd", "C:x", "c:/x"] {
        refused(
            &[(name, FILE, "")],
            &format!("entry `{name}` has an absolute name"),
        );
    }
    for (name, shown) in [("a\\b", "a\\\\b"), ("a\0b", "a\\0b"), ("a\nb", "a\\nb")] {
        let why = format!("entry `{shown}` has a character that no name may have");
        refused(&[(name, FILE, "")], &why);
    }
    let long = "n".repeat(1_025);
    refused(&[(&long, FILE, "")], "an entry's name has 1025 bytes");
}

#[test]
fn what_is_no_zip_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    fs::write(&path, "no zip").unwrap();
    let error = ZipReader::open(&path, "Site").unwrap_err();
    assert_eq!(error.code, FailureType::JobFailed);
    let start = "input artifact `Site` is refused: it is not a ZIP";
    assert!(error.message.starts_with(start), "{}", error.message);
}

#[test]
fn more_bytes_than_allowed_are_refused_by_what_the_archive_says() {
    let error = opened_within(&[("a", FILE, "12345"), ("b", FILE, "67890")], 9).unwrap_err();
    assert_eq!(
        error.message,
        "input artifact `Site` is refused: its files have more than 9 bytes together"
    );
}

/// Sets the size that the central directory declares of the one entry.
fn declare(path: &Path, size: u32) {
    let mut bytes = fs::read(path).unwrap();
    let signature = [0x50, 0x4b, 0x01, 0x02];
    let at = bytes
        .windows(4)
        .position(|window| window == signature)
        .unwrap();
    bytes[at + 24..at + 28].copy_from_slice(&size.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_archive_that_lies_about_sizes_gets_no_further_than_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    zipped(&path, &[("bomb", FILE, &"0".repeat(1_000_000))]);
    declare(&path, 1);
    let mut zip = ZipReader::open_within(&path, "Site", 1_000).unwrap();
    let entry = zip.files()[0].clone();
    let to = folder.path().join("file");
    let error = zip.extract(&entry, &to).unwrap_err();
    assert_eq!(error.code, FailureType::JobFailed);
    assert!(fs::metadata(&to).map_or(0, |found| found.len()) <= 1_001);
}

#[test]
fn a_bomb_gets_no_further_than_its_size_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    let files = ["a", "b", "c", "d"].map(|name| (name, FILE, "0".repeat(8_000_000)));
    let files: Vec<_> = files
        .iter()
        .map(|(n, kind, text)| (*n, *kind, text.as_str()))
        .collect();
    zipped(&path, &files);
    let mut zip = ZipReader::open(&path, "Site").unwrap();
    let to = folder.path().join("file");
    let entries = zip.files().to_vec();
    let outcomes: Vec<_> = entries
        .iter()
        .map(|entry| zip.extract(entry, &to))
        .collect();
    assert!(outcomes[0].is_ok(), "8 MB are no attack");
    let error = outcomes.into_iter().find_map(Result::err).unwrap();
    assert!(
        error.message.contains("200 times its own"),
        "{}",
        error.message
    );
}

/// Gives an archive a record of the long form, which says how many entries there are.
fn claim(path: &Path, entries: u64, sector: usize) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len() - 22;
    let mut long = b"PK\x06\x06".to_vec();
    long.resize(56 + sector, 0);
    long[32..40].copy_from_slice(&entries.to_le_bytes());
    let mut locator = b"PK\x06\x07".to_vec();
    locator.extend([0; 4]);
    locator.extend((end as u64).to_le_bytes());
    locator.extend([0; 4]);
    bytes[end + 8..end + 12].copy_from_slice(&[0xff; 4]);
    bytes.splice(end..end, long.into_iter().chain(locator));
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_archive_of_millions_is_refused_before_its_list_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    // With and without so much between the record and the end that it is far from it.
    for sector in [0, 200_000] {
        zipped(&path, &[("file", FILE, "text")]);
        claim(&path, 50_000_000, sector);
        let error = ZipReader::open(&path, "Site").unwrap_err();
        assert!(
            error.message.contains("50000000 entries"),
            "{}",
            error.message
        );
    }
}

#[test]
fn a_list_of_entries_that_cannot_be_found_is_no_fault_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    zipped(&path, &[("file", FILE, "text")]);
    claim(&path, 1, 0);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 22 - 20 + 8;
    for offset in [0, u64::MAX] {
        bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = ZipReader::open(&path, "Site").unwrap_err();
        assert_eq!(error.code, FailureType::JobFailed);
        assert!(
            error.message.contains("cannot be found"),
            "{}",
            error.message
        );
    }
}

#[test]
fn what_only_looks_like_a_record_claims_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    let text = format!("PK\u{6}\u{6}{}", "~".repeat(60));
    zipped(&path, &[("file", FILE, text.as_str())]);
    assert!(ZipReader::open(&path, "Site").is_ok());
}

#[test]
fn a_flipped_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip");
    zipped(&path, &[("file", FILE, "some text that is stored")]);
    let good = fs::read(&path).unwrap();
    let to = folder.path().join("file");
    // The bytes of the one file lie behind its header of 30 bytes and its name.
    for at in 34..40 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        let read = ZipReader::open(&path, "Site").and_then(|mut zip| {
            let entry = zip.files()[0].clone();
            zip.extract(&entry, &to)
        });
        assert!(read.is_err(), "byte {at}");
    }
}
