//! Whoever changes a trail is found out, and where.

use super::*;

const RECORDS: usize = 50;

/// How many bytes of each record are changed, one after the other.
const BYTES: u64 = 50;

/// The lines of a trail, file by file, to be changed and looked at.
struct Changing {
    folder: TempDir,
    files: Vec<(String, Vec<String>)>,
}

impl Changing {
    fn new() -> Self {
        let folder = trail(RECORDS);
        let numbers = files::numbers(&directory(folder.path())).unwrap();
        let read = |number: &u64| {
            let name = files::name(*number);
            let text = fs::read_to_string(file(folder.path(), &name)).unwrap();
            let lines = text.split_inclusive('\n').map(str::to_owned).collect();
            (name, lines)
        };
        let files = numbers.iter().map(read).collect();
        Self { folder, files }
    }

    /// Every place of a record.
    fn places(&self) -> Vec<(usize, usize)> {
        let lines = |(at, (_, lines)): (usize, &(String, Vec<String>))| {
            (0..lines.len())
                .map(move |line| (at, line))
                .collect::<Vec<_>>()
        };
        self.files.iter().enumerate().flat_map(lines).collect()
    }

    /// What is wrong first when the lines of one file are changed so.
    fn with(&self, at: usize, change: impl FnOnce(&mut Vec<String>)) -> Option<Wrong> {
        let (name, lines) = &self.files[at];
        let mut changed = lines.clone();
        change(&mut changed);
        let path = file(self.folder.path(), name);
        fs::write(&path, changed.concat()).unwrap();
        let found = verified(self.folder.path());
        fs::write(&path, lines.concat()).unwrap();
        found.wrong.into_iter().next()
    }

    /// The place behind one, as a person counts.
    fn place(&self, at: usize, line: usize) -> (String, u64) {
        let (name, lines) = &self.files[at];
        if line < lines.len() || at + 1 == self.files.len() {
            (name.clone(), line as u64 + 1)
        } else {
            (self.files[at + 1].0.clone(), 1)
        }
    }
}

fn place(wrong: Option<Wrong>) -> (String, u64) {
    let wrong = wrong.expect("the change was found");
    (wrong.file, wrong.line)
}

#[test]
fn a_trail_that_nobody_changed_is_well() {
    let changing = Changing::new();
    let found = verified(changing.folder.path());
    assert_eq!(found.records, RECORDS as u64);
    assert_eq!(found.wrong, []);
    assert!(found.files > 3, "{found:?}");
    assert!(found.anchors >= found.files, "{found:?}");
    assert!(found.is_signature_checked);
    let unsigned = verify(&directory(changing.folder.path()), None).unwrap();
    assert_eq!(unsigned.wrong, []);
    assert!(!unsigned.is_signature_checked);
}

#[test]
fn a_record_that_is_removed_or_repeated_or_moved_is_found_in_its_place() {
    let changing = Changing::new();
    for (at, line) in changing.places() {
        let removed = changing.with(at, |lines| drop(lines.remove(line)));
        let is_last_of_file = line + 1 == changing.files[at].1.len();
        let behind = if is_last_of_file && at + 1 < changing.files.len() {
            changing.place(at + 1, 0)
        } else {
            changing.place(at, line)
        };
        assert_eq!(place(removed), behind, "removed {at} {line}");
        let repeated = changing.with(at, |lines| lines.insert(line, lines[line].clone()));
        assert_eq!(
            place(repeated),
            (changing.files[at].0.clone(), line as u64 + 2)
        );
        if !is_last_of_file {
            let moved = changing.with(at, |lines| lines.swap(line, line + 1));
            assert_eq!(place(moved), changing.place(at, line), "moved {at} {line}");
        }
    }
}

#[test]
fn a_byte_that_is_changed_is_found_in_its_line() {
    let changing = Changing::new();
    let random = SeededRandom::new(1);
    for (at, line) in changing.places() {
        for _ in 0..BYTES {
            let length = changing.files[at].1[line].len() as u64;
            // The end of the line is a byte as well.
            let byte = usize::try_from(random.next_u64() % length).unwrap();
            let found = changing.with(at, |lines| {
                let old = lines[line].as_bytes()[byte];
                let new = if old == b'0' { "1" } else { "0" };
                lines[line].replace_range(byte..=byte, new);
            });
            assert_eq!(place(found), changing.place(at, line), "byte {byte}");
        }
    }
}

#[test]
fn a_trail_that_ends_too_early_is_found_where_it_ends() {
    let changing = Changing::new();
    let last = changing.files.len() - 1;
    for (at, line) in changing.places() {
        for later in at + 1..=last {
            fs::remove_file(file(changing.folder.path(), &changing.files[later].0)).unwrap();
        }
        let ends_here = (changing.files[at].0.clone(), line as u64 + 1);
        let cut = changing.with(at, |lines| lines.truncate(line));
        assert_eq!(place(cut), ends_here);
        let torn = changing.with(at, |lines| {
            lines.truncate(line + 1);
            let half = lines[line].len() / 2;
            lines[line].truncate(half);
        });
        assert_eq!(place(torn), ends_here);
        for (name, lines) in &changing.files[at + 1..] {
            fs::write(file(changing.folder.path(), name), lines.concat()).unwrap();
        }
    }
    assert_eq!(verified(changing.folder.path()).wrong, []);
}

#[test]
fn a_file_that_is_gone_is_missed() {
    for gone in 1..=3 {
        let folder = trail(RECORDS);
        fs::remove_file(file(folder.path(), &files::name(gone))).unwrap();
        let expected = (files::name(gone), 0);
        let found = verified(folder.path()).wrong.into_iter().next();
        assert_eq!(place(found), expected);
    }
}

/// Writes the chain anew from the first record on, as somebody could who has not the key.
fn write_anew(folder: &Path) -> Link {
    let mut previous = GENESIS;
    for number in files::numbers(&directory(folder)).unwrap() {
        let path = file(folder, &files::name(number));
        let text = fs::read(&path).unwrap();
        let mut anew = Vec::new();
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|it| !it.is_empty())
        {
            let json: Value = serde_json::from_slice(line).unwrap();
            let record = json["record"].to_string().replace("Event3\"", "Another\"");
            let link = previous.next(record.as_bytes());
            line::write(&mut anew, previous, record.as_bytes(), link);
            previous = link;
        }
        fs::write(path, anew).unwrap();
    }
    previous
}

use super::super::line::{GENESIS, Link};

#[test]
fn a_trail_that_was_written_anew_is_not_what_was_signed() {
    let folder = trail(RECORDS);
    let last = write_anew(folder.path());
    let said = |key: Option<&[u8; 32]>| {
        let found = verify(&directory(folder.path()), key).unwrap();
        assert_eq!(found.records, RECORDS as u64);
        found
            .wrong
            .first()
            .map(|wrong| wrong.what.clone())
            .unwrap_or_default()
    };
    assert!(said(Some(&KEY)).contains("the trail was written anew"));
    // Whoever writes head and anchors anew, too, has not the key.
    fs::remove_file(file(folder.path(), seal::ANCHORS)).unwrap();
    let mut forged = seal::Seal::new(&[8; 32], last, Timestamp(0));
    let head = seal::open_head(&directory(folder.path())).unwrap();
    seal::write_head(&head, &forged).unwrap();
    assert_eq!(said(None), "");
    assert!(said(Some(&KEY)).contains("another key signed it"));
    let mut text = fs::read_to_string(file(folder.path(), seal::HEAD)).unwrap();
    let genuine = serde_json::to_value(seal::Seal::new(&KEY, GENESIS, Timestamp(0))).unwrap();
    let key_name = |value: &Value| value["key"].as_str().unwrap().to_owned();
    let forged_name = key_name(&serde_json::to_value(&forged).unwrap());
    text = text.replace(&forged_name, &key_name(&genuine));
    fs::write(file(folder.path(), seal::HEAD), text).unwrap();
    assert!(said(Some(&KEY)).contains("its signature is wrong"));
    forged.seq += 1;
    seal::write_anchor(
        &mut seal::open_anchors(&directory(folder.path())).unwrap(),
        &forged,
    )
    .unwrap();
    fs::remove_file(file(folder.path(), seal::HEAD)).unwrap();
    assert!(said(Some(&KEY)).contains("it is missing"));
    fs::write(file(folder.path(), seal::HEAD), "nonsense").unwrap();
    assert!(said(Some(&KEY)).contains("it cannot be read"));
}

#[test]
fn an_anchor_that_was_changed_is_found_in_its_line() {
    let folder = trail(RECORDS);
    let path = file(folder.path(), seal::ANCHORS);
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, what) in [
        ("\"at\":17", "\"at\":16", "its signature is wrong"),
        ("{\"seq\"", "{\"se\"", "it is no anchor"),
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let wrong = verified(folder.path()).wrong.remove(0);
        assert_eq!((wrong.file.as_str(), wrong.line), (seal::ANCHORS, 1));
        assert_eq!(wrong.what, what);
    }
}

#[test]
fn where_no_trail_is_none_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(&directory(folder.path()), None).unwrap_err();
    assert!(matches!(error, VerifyError::NotFound(_)));
    fs::create_dir_all(file(folder.path(), "00000001.jsonl")).unwrap();
    let error = verify(&directory(folder.path()), None).unwrap_err();
    assert!(matches!(error, VerifyError::Read { .. }));
}

#[test]
fn who_reads_is_told_of_a_line_that_is_none_and_reads_on() {
    let folder = trail(5);
    let path = file(folder.path(), "00000001.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        format!("{}{{\"seq\":", text.replacen("Event1", "Event9", 1)),
    )
    .unwrap();
    assert_eq!(
        names(folder.path()),
        ["AuditTrailBegan", "Event2", "Event3", "Event4"]
    );
    let mut records = Records::open(&directory(folder.path())).unwrap();
    let first = records.next().unwrap().unwrap();
    assert_eq!((first.seq, first.line), (1, 1));
    assert_eq!(records.next().unwrap().unwrap_err().line, 2);
    fs::write(&path, "x".repeat(line::LINE_BYTES_MAX + 1)).unwrap();
    let mut records = Records::open(&directory(folder.path())).unwrap();
    let wrong = records.next().unwrap().unwrap_err();
    assert!(wrong.to_string().contains("longer than any"), "{wrong}");
    assert!(records.all(|entry| entry.is_ok()));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let mut records = Records::open(&directory(folder.path())).unwrap();
    assert!(
        records
            .next()
            .unwrap()
            .unwrap_err()
            .what
            .contains("cannot be read")
    );
}

fn last_file(folder: &Path) -> Verification {
    verify_last_file(&directory(folder), &KEY).unwrap()
}

#[test]
fn the_last_file_is_verified_by_itself() {
    let changing = Changing::new();
    let folder = changing.folder.path();
    let (name, lines) = changing.files.last().unwrap();
    let path = file(folder, name);
    let found = last_file(folder);
    assert_eq!(found.wrong, []);
    assert_eq!((found.records, found.files), (lines.len() as u64, 1));
    for line in 0..lines.len() {
        let mut changed = lines.clone();
        changed[line] = changed[line].replacen("Event", "Extra", 1);
        fs::write(&path, changed.concat()).unwrap();
        let wrong = last_file(folder).wrong;
        let places: Vec<(&str, u64)> = wrong.iter().map(|it| (&*it.file, it.line)).collect();
        assert_eq!(places, [(name.as_str(), line as u64 + 1)]);
        fs::write(&path, lines[..line].concat()).unwrap();
        // An empty file is none, and the one before it ends too early then.
        assert!(!last_file(folder).wrong.is_empty(), "cut at {line}");
    }
    fs::write(&path, lines.concat()).unwrap();
    // What the file before it holds is for the whole walk, but not where it ends.
    let (name, lines) = &changing.files[changing.files.len() - 2];
    fs::write(
        file(folder, name),
        lines.concat().replacen("Event", "Extra", 1),
    )
    .unwrap();
    assert_eq!(last_file(folder).wrong, []);
    fs::write(file(folder, name), lines[..lines.len() - 1].concat()).unwrap();
    let wrong = last_file(folder).wrong;
    assert_eq!(
        wrong[0].what,
        "it does not go on where the file before it ends"
    );
    fs::remove_file(file(folder, name)).unwrap();
    assert_eq!(last_file(folder).wrong, []);
}

#[test]
fn a_first_file_is_the_last_one_and_so_is_none() {
    let folder = trail(2);
    assert_eq!(last_file(folder.path()).records, 2);
    fs::write(file(folder.path(), "00000002.jsonl"), "").unwrap();
    assert_eq!(last_file(folder.path()).records, 2);
    let path = file(folder.path(), "00000001.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    for damaged in [text.replacen('{', "[", 1), "x".to_owned()] {
        fs::write(&path, damaged).unwrap();
        assert!(!last_file(folder.path()).wrong.is_empty());
    }
    fs::remove_dir_all(directory(folder.path())).unwrap();
    let error = verify_last_file(&directory(folder.path()), &KEY).unwrap_err();
    assert!(matches!(error, VerifyError::Read { .. }));
}
