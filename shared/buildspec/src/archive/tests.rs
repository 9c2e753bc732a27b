use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

struct Bench {
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a directory"),
        }
    }

    fn archive(&self, bytes: &[u8]) -> PathBuf {
        let path = self.root.path().join("a.zip");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Extracts, and checks that nothing appeared beside the target.
    fn extract(&self, bytes: &[u8], limits: &Limits) -> Result<Extracted, ArchiveError> {
        let archive = self.archive(bytes);
        let outcome = extract(&archive, &self.root.path().join("into"), limits);
        for entry in fs::read_dir(self.root.path()).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            assert!(
                name == "a.zip" || name == "into",
                "{name:?} was written outside"
            );
        }
        outcome
    }
}

fn refusal(bytes: &[u8]) -> String {
    let error = Bench::new()
        .extract(bytes, &Limits::default())
        .expect_err("a refusal");
    assert!(error.is_refusal(), "{error:?}");
    error.to_string()
}

enum Made<'m> {
    File(&'m str, &'m [u8]),
    Link(&'m str, &'m str),
    Mode(&'m str, u32),
}

fn made(entries: &[Made<'_>]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for entry in entries {
        match entry {
            Made::File(name, content) => {
                zip.start_file(*name, options.unix_permissions(0o644))
                    .expect("an entry");
                zip.write_all(content).expect("content");
            }
            Made::Link(name, target) => zip.add_symlink(*name, *target, options).expect("a link"),
            Made::Mode(name, mode) => {
                zip.start_file(*name, options.unix_permissions(0o644))
                    .expect("an entry");
                let _ = mode;
            }
        }
    }
    let mut bytes = zip.finish().expect("an archive").into_inner();
    for entry in entries {
        if let Made::Mode(name, mode) = entry {
            set_mode(&mut bytes, name, *mode);
        }
    }
    bytes
}

/// Changes the mode of an entry in the central directory.
fn set_mode(bytes: &mut [u8], name: &str, mode: u32) {
    let at = central(bytes, name);
    bytes[at + 38..at + 42].copy_from_slice(&(mode << 16).to_le_bytes());
}

/// Where the central header of an entry begins.
fn central(bytes: &[u8], name: &str) -> usize {
    (0..bytes.len())
        .find(|at| {
            bytes[*at..].starts_with(b"PK\x01\x02") && bytes[at + 46..].starts_with(name.as_bytes())
        })
        .expect("a central header")
}

/// Renames entries behind the writer's back, in both headers; the names are of equal length.
fn renamed(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    while let Some(at) = bytes.windows(from.len()).position(|w| w == from.as_bytes()) {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[test]
fn modes_links_and_empty_directories_survive() {
    let bench = Bench::new();
    let from = bench.root.path().join("from");
    fs::create_dir_all(from.join("empty")).expect("a directory");
    fs::create_dir_all(from.join("d")).expect("a directory");
    fs::write(from.join("d/run"), "#!/bin/sh\n").expect("a file");
    fs::set_permissions(from.join("d/run"), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::write(from.join(".dot"), "x").expect("a file");
    std::os::unix::fs::symlink("d/run", from.join("link")).expect("a link");
    std::os::unix::fs::symlink("/etc", from.join("outside")).expect("a link");
    std::os::unix::fs::symlink("../x", from.join("up")).expect("a link");
    let archive = bench.root.path().join("a.zip");
    let mut packed = pack_directory(&from, &archive).expect("packed");
    packed.left_out.sort();
    assert_eq!(
        (packed.files, packed.left_out),
        (3, vec!["outside".to_owned(), "up".to_owned()])
    );
    let into = bench.root.path().join("into");
    let extracted = extract(&archive, &into, &Limits::default()).expect("extracted");
    assert_eq!(
        extracted,
        Extracted {
            files: 3,
            bytes: 11
        }
    );
    let mode = fs::metadata(into.join("d/run"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(
        fs::read_link(into.join("link")).expect("a link"),
        PathBuf::from("d/run")
    );
    assert!(into.join("empty").is_dir() && into.join(".dot").is_file());
    assert!(is_zip(&archive).expect("readable") && !is_zip(&from.join(".dot")).expect("readable"));
}

#[test]
fn names_that_lead_outside_are_refused() {
    for name in [
        "../evil",
        "a/../../evil",
        "/tmp/evil",
        "a/..",
        "..\\evil",
        "\\evil",
        "C:\\evil",
        "c:/evil",
        "a\\..\\evil",
    ] {
        assert!(
            refusal(&made(&[Made::File(name, b"x")])).contains("leads outside"),
            "{name}"
        );
    }
    for name in [".", "./", "a\0b"] {
        let placeholder = "n".repeat(name.len());
        let bytes = renamed(made(&[Made::File(&placeholder, b"")]), &placeholder, name);
        let text = refusal(&bytes);
        assert!(
            text.contains("has no usable name") || text.contains("neither"),
            "{name:?}: {text}"
        );
    }
}

#[test]
fn names_that_look_odd_and_are_harmless_pass() {
    let bytes = made(&[
        Made::File("./a//b", b"1"),
        Made::File("..c", b"2"),
        Made::File("x\\y", b"3"),
        Made::File("a:b", b"4"),
    ]);
    let bench = Bench::new();
    assert_eq!(
        bench
            .extract(&bytes, &Limits::default())
            .expect("extracted")
            .files,
        4
    );
    assert!(bench.root.path().join("into/a/b").is_file());
    assert!(bench.root.path().join("into/x\\y").is_file());
}

#[test]
fn links_that_lead_outside_are_refused() {
    for target in ["/etc/passwd", "..", "../x", "d/../../x", "\\x"] {
        let bytes = made(&[Made::Link("link", target)]);
        assert!(
            refusal(&bytes).contains("leads outside of it, to"),
            "{target}"
        );
    }
    // Each link alone stays inside as text; followed, the second one climbs out.
    let bytes = made(&[
        Made::Link("d/e/here", "../.."),
        Made::Link("out", "d/e/here/.."),
    ]);
    assert!(refusal(&bytes).contains("\"out\" leads outside"));
    let bytes = made(&[Made::Link("a", "b"), Made::Link("b", "a")]);
    assert!(
        refusal(&bytes).contains("leads outside"),
        "a circle leads nowhere"
    );
    let long = "x/".repeat(3000);
    assert!(refusal(&made(&[Made::Link("a", &long)])).contains("neither"));
}

#[test]
fn nothing_is_written_through_a_link() {
    let bytes = made(&[Made::Link("d", "e"), Made::File("d/x", b"1")]);
    assert!(refusal(&bytes).contains("below a file or a link"));
    let bytes = made(&[Made::File("d/x", b"1"), Made::Link("d", "e")]);
    assert!(refusal(&bytes).contains("below a file or a link"));
    let bytes = made(&[Made::File("d", b"1"), Made::File("d/x", b"1")]);
    assert!(refusal(&bytes).contains("below a file or a link"));
    // A link that stands in the target already is no way out either.
    let bench = Bench::new();
    let into = bench.root.path().join("into");
    fs::create_dir(&into).expect("a directory");
    let outside = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(outside.path(), into.join("d")).expect("a link");
    let archive = bench.archive(&made(&[Made::File("d/x", b"1"), Made::File("f", b"1")]));
    for existing in [Existing::Refuse, Existing::Replace] {
        let error = extract_over(&archive, &into, &Limits::default(), existing);
        assert!(matches!(error, Err(ArchiveError::BelowFile { .. })));
    }
    assert_eq!(
        fs::read_dir(outside.path()).expect("a directory").count(),
        0
    );
}

#[test]
fn names_that_occur_twice_are_refused() {
    let twins = made(&[Made::File("same1", b"1"), Made::File("same2", b"2")]);
    assert!(refusal(&renamed(twins, "same2", "same1")).contains("more than once"));
    let bytes = made(&[Made::File("a/b", b"1"), Made::File("a//b", b"2")]);
    assert!(refusal(&bytes).contains("\"a/b\" more than once"));
}

#[test]
fn devices_and_pipes_are_refused_and_special_bits_dropped() {
    for mode in [0o020_644, 0o060_644, 0o010_644, 0o140_644] {
        assert!(
            refusal(&made(&[Made::Mode("dev", mode)])).contains("neither a file"),
            "{mode:o}"
        );
    }
    let bench = Bench::new();
    let bytes = made(&[Made::Mode("suid", 0o106_755), Made::Mode("none", 0o100_000)]);
    bench
        .extract(&bytes, &Limits::default())
        .expect("extracted");
    let mode = |name: &str| {
        let path = bench.root.path().join("into").join(name);
        fs::metadata(path).expect("a file").permissions().mode() & 0o7777
    };
    assert_eq!((mode("suid"), mode("none")), (0o755, 0o644));
}

#[test]
fn bombs_are_refused_by_what_they_unpack_to() {
    let zeros = vec![0; 64 * 1024 * 1024];
    let bomb = made(&[Made::File("zeros", &zeros)]);
    assert!(bomb.len() < 100_000);
    assert_eq!(
        refusal(&bomb),
        "the archive unpacks to more than 200 times its own size"
    );
    let limits = Limits {
        ratio: u64::MAX,
        bytes: 1_000_000,
        ..Limits::default()
    };
    let error = Bench::new().extract(&bomb, &limits).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "the archive unpacks to more than 1000000 bytes"
    );
    let limits = Limits {
        ratio: u64::MAX,
        ..Limits::default()
    };
    let extracted = Bench::new().extract(&bomb, &limits).expect("extracted");
    assert_eq!(extracted.bytes, 64 * 1024 * 1024);
    // A size that the headers deny is counted all the same.
    let mut liar = bomb;
    let at = central(&liar, "zeros");
    liar[at + 24..at + 28].copy_from_slice(&10_u32.to_le_bytes());
    assert!(Bench::new().extract(&liar, &Limits::default()).is_err());
}

#[test]
fn too_many_entries_are_refused_before_they_are_read() {
    let names: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
    let entries: Vec<Made<'_>> = names.iter().map(|name| Made::File(name, b"")).collect();
    let bytes = made(&entries);
    let limits = Limits {
        entries: 19,
        ..Limits::default()
    };
    let error = Bench::new()
        .extract(&bytes, &limits)
        .expect_err("a refusal");
    assert_eq!(error.to_string(), "the archive holds more than 19 entries");
    // An end record that claims millions is refused for the claim.
    let mut liar = bytes;
    let end = liar.len() - 22;
    liar[end + 8..end + 12].copy_from_slice(&[0xfe, 0xff, 0xfe, 0xff]);
    let limits = Limits {
        entries: 1000,
        ..Limits::default()
    };
    let error = Bench::new().extract(&liar, &limits).expect_err("a refusal");
    assert!(matches!(
        error,
        ArchiveError::TooManyEntries { limit: 1000 }
    ));
    // So is one whose number stands far from the end.
    for sector in [0, 200_000] {
        let bytes = of_long_form(sector, 0);
        let error = Bench::new()
            .extract(&bytes, &limits)
            .expect_err("a refusal");
        assert!(
            matches!(error, ArchiveError::TooManyEntries { limit: 1000 }),
            "{error}"
        );
    }
    // And one that leads to no number.
    for leads_to in [1, u64::MAX] {
        let bytes = of_long_form(0, leads_to);
        let error = Bench::new()
            .extract(&bytes, &limits)
            .expect_err("a refusal");
        assert!(error.is_refusal(), "{error}");
        assert!(matches!(error, ArchiveError::Inconsistent(_)), "{error}");
    }
}

/// The end of an archive in the long form, which claims 50 million entries.
fn of_long_form(sector: usize, leads_to: u64) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.resize(56 + sector, 0);
    bytes[32..40].copy_from_slice(&50_000_000_u64.to_le_bytes());
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(leads_to.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
    bytes.extend([0; 10]);
    bytes
}

#[test]
fn entries_that_share_bytes_or_contradict_themselves_are_refused() {
    let bytes = made(&[Made::File("one", b"same"), Made::File("two", b"same")]);
    // The second entry points at the first one's bytes.
    let mut overlapping = bytes.clone();
    let at = central(&overlapping, "two");
    overlapping[at + 42..at + 46].copy_from_slice(&0_u32.to_le_bytes());
    assert!(refusal(&overlapping).contains("at odds with itself"));
    // The local header has another name than the directory.
    let mut mismatched = bytes.clone();
    let at = central(&mismatched, "one");
    mismatched[at + 46..at + 49].copy_from_slice(b"xyz");
    assert!(refusal(&mismatched).contains("at odds with itself"));
    // The content is not what its checksum says.
    let mut damaged = bytes;
    let data = 30 + 3;
    damaged[data] ^= 0xff;
    assert!(Bench::new().extract(&damaged, &Limits::default()).is_err());
}

#[test]
fn encrypted_and_unreadable_archives_are_refused() {
    let mut bytes = made(&[Made::File("secret", b"x")]);
    let at = central(&bytes, "secret");
    bytes[at + 8] |= 1;
    bytes[6] |= 1;
    assert_eq!(
        refusal(&bytes),
        "the archive's entry \"secret\" is encrypted"
    );
    for bytes in [&b""[..], b"PK\x03\x04", b"no archive at all", &[0; 100]] {
        assert!(refusal(bytes).starts_with("not a readable archive"));
    }
    let whole = made(&[Made::File("a", b"content")]);
    for length in 0..whole.len() {
        assert!(
            Bench::new()
                .extract(&whole[..length], &Limits::default())
                .is_err()
        );
    }
}

#[test]
fn what_is_there_is_replaced_only_when_that_is_wanted() {
    let bench = Bench::new();
    let archive = bench.archive(&made(&[Made::File("f", b"new"), Made::Link("l", "f")]));
    let into = bench.root.path().join("into");
    fs::create_dir(&into).expect("a directory");
    fs::write(into.join("f"), "old").expect("a file");
    let error = extract(&archive, &into, &Limits::default()).expect_err("a refusal");
    assert!(error.to_string().ends_with("is already there"));
    for _ in 0..2 {
        extract_over(&archive, &into, &Limits::default(), Existing::Replace).expect("extracted");
        assert_eq!(fs::read_to_string(into.join("l")).expect("a file"), "new");
    }
    fs::remove_file(into.join("f")).expect("removed");
    fs::create_dir(into.join("f")).expect("a directory");
    let error = extract_over(&archive, &into, &Limits::default(), Existing::Replace);
    assert!(matches!(error, Err(ArchiveError::AlreadyThere { .. })));
}

#[test]
fn a_failure_leaves_no_half_archive() {
    let bench = Bench::new();
    let to = bench.root.path().join("a.zip");
    let items = BTreeMap::from([("x".to_owned(), Item::File(bench.root.path().join("absent")))]);
    let error = pack(&items, &to).expect_err("no such file");
    assert!(!error.is_refusal() && error.to_string().starts_with("failed to open "));
    assert_eq!(
        fs::read_dir(bench.root.path())
            .expect("a directory")
            .count(),
        0
    );
    let error = extract(&to, &to, &Limits::default()).expect_err("no such file");
    assert!(matches!(error, ArchiveError::Io { .. }));
}

#[test]
fn equal_content_gives_equal_bytes() {
    let bench = Bench::new();
    let digest = |name: &str| {
        let from = bench.root.path().join(name);
        fs::create_dir(&from).expect("a directory");
        for file in ["b", "a", "c"] {
            fs::write(from.join(file), file).expect("a file");
        }
        pack_directory(&from, &bench.root.path().join("a.zip"))
            .expect("packed")
            .sha256
    };
    assert_eq!(digest("one"), digest("two"));
}

#[test]
fn compression_that_is_not_known_is_refused() {
    let mut bytes = made(&[Made::File("a", b"content")]);
    let at = central(&bytes, "a");
    // Method 12 is bzip2.
    bytes[at + 10] = 12;
    bytes[8] = 12;
    assert!(
        Bench::new()
            .extract(&bytes, &Limits::default())
            .expect_err("a refusal")
            .is_refusal()
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Any damage to an archive is an error or harmless; it never writes outside.
    #[test]
    fn a_damaged_archive_stays_inside(at in 0..400_usize, byte: u8) {
        let mut bytes = made(&[
            Made::File("d/one", b"content of one"),
            Made::Link("d/link", "one"),
            Made::File("two", b"content of two"),
        ]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Bench::new().extract(&bytes, &Limits::default());
    }
}
