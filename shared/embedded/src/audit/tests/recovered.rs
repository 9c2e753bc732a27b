//! What a crash, or somebody's hand, left of the end of a trail.

use super::*;

/// Something that somebody does to a trail.
type Change<'a> = &'a dyn Fn(&TempDir);

/// The last file of a trail.
fn last(folder: &Path) -> PathBuf {
    let number = files::numbers(&directory(folder)).unwrap().pop().unwrap();
    file(folder, &files::name(number))
}

fn reopened(folder: &Path) -> Option<Recovery> {
    let log = opened(folder);
    block_on(log.close()).unwrap();
    log.recovery().cloned()
}

#[test]
fn half_a_line_is_kept_aside_and_the_chain_goes_on() {
    let folder = trail(3);
    let path = last(folder.path());
    let whole = fs::read(&path).unwrap();
    for torn in ["{\"seq\":4,\"prev", "\0\0\0\0\n\0\0", "nonsense\n"] {
        fs::write(&path, [&whole, torn.as_bytes()].concat()).unwrap();
        let recovery = reopened(folder.path()).unwrap();
        let (bytes, kept_in) = recovery.torn.clone().unwrap();
        assert_eq!((recovery.missing, recovery.head), (None, None));
        assert_eq!(bytes, torn.len() as u64);
        assert_eq!(fs::read(kept_in).unwrap(), torn.as_bytes());
        let found = verified(folder.path());
        assert_eq!((found.wrong.as_slice(), found.records), ([].as_slice(), 4));
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(found.torn, [(name, 4)]);
        assert_eq!(names(folder.path())[3], "AuditTrailRecovered");
        // As it was, for the next one.
        fs::remove_dir_all(directory(folder.path())).unwrap();
        append(folder.path(), 3);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_crash_between_two_files_leaves_an_empty_one() {
    let folder = trail(3);
    fs::write(file(folder.path(), "00000002.jsonl"), "").unwrap();
    assert_eq!(reopened(folder.path()), None);
    append(folder.path(), 1);
    assert_eq!(names(folder.path()).len(), 4);
    fs::write(file(folder.path(), "00000003.jsonl"), "torn").unwrap();
    let recovery = reopened(folder.path()).unwrap();
    assert_eq!(recovery.torn.map(|(bytes, _)| bytes), Some(4));
    let found = verified(folder.path());
    assert_eq!((found.wrong.len(), found.records), (0, 5));
}

#[test]
fn records_that_are_gone_are_told_forever() {
    let folder = trail(5);
    let path = last(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&path, lines[..3].concat()).unwrap();
    assert!(!verified(folder.path()).wrong.is_empty());
    let recovery = reopened(folder.path()).unwrap();
    assert_eq!((recovery.missing, recovery.torn), (Some((4, 5)), None));
    append(folder.path(), 4);
    let wrong = verified(folder.path()).wrong;
    assert!(
        wrong
            .iter()
            .any(|it| it.what.contains("records 4 to 5 were missing")),
        "{wrong:?}"
    );
    assert_eq!(reopened(folder.path()), None);
}

#[test]
fn a_whole_trail_that_is_gone_is_missed() {
    let folder = trail(5);
    fs::remove_file(last(folder.path())).unwrap();
    assert_eq!(verified(folder.path()).wrong.len(), 1);
    assert_eq!(reopened(folder.path()).unwrap().missing, Some((1, 5)));
    assert!(!verified(folder.path()).wrong.is_empty());
}

#[test]
fn a_head_that_is_not_to_be_believed_is_told() {
    let head = |folder: &TempDir| file(folder.path(), seal::HEAD);
    let other_key = |folder: &TempDir| {
        let link = line::Link {
            seq: 1,
            hash: [0; 32],
        };
        let seal = seal::Seal::new(&[9; 32], link, Timestamp(0));
        seal::write_head(&seal::open_head(&directory(folder.path())).unwrap(), &seal).unwrap();
    };
    let another_record = |folder: &TempDir| {
        let link = line::Link {
            seq: 2,
            hash: [0; 32],
        };
        let seal = seal::Seal::new(&KEY, link, Timestamp(0));
        seal::write_head(&seal::open_head(&directory(folder.path())).unwrap(), &seal).unwrap();
    };
    let forged = |folder: &TempDir| {
        let text = fs::read_to_string(head(folder)).unwrap();
        fs::write(head(folder), text.replace("\"seq\":2", "\"seq\":1")).unwrap();
    };
    let changes: [(&str, Change<'_>); 5] = [
        ("it was missing", &|folder| {
            fs::remove_file(head(folder)).unwrap();
        }),
        ("it could not be read", &|folder| {
            fs::write(head(folder), "x").unwrap();
        }),
        ("another key had signed it", &other_key),
        ("it named another record than the last one", &another_record),
        ("its signature was wrong", &forged),
    ];
    for (what, change) in changes {
        let folder = trail(2);
        change(&folder);
        assert_eq!(reopened(folder.path()).unwrap().head, Some(what));
        let wrong = verified(folder.path()).wrong;
        let said = format!("the head was not to be believed here: {what}");
        assert!(wrong.iter().any(|it| it.what == said), "{wrong:?}");
    }
}

#[test]
fn what_somebody_calls_himself_is_no_loss() {
    let mut impostor = record("GetPipeline");
    impostor.is_service_event = false;
    impostor.user_agent = "AuditTrailRecovered".into();
    impostor.additional = json!({"head": "lost"});
    assert_eq!(recover::told(&encoded(&impostor).unwrap()), None);
}

#[test]
fn a_long_damage_is_skipped_to_the_last_whole_line() {
    let folder = trail(2);
    let path = last(folder.path());
    let damage = vec![b'x'; 3 * line::LINE_BYTES_MAX];
    fs::write(&path, [fs::read(&path).unwrap(), damage.clone()].concat()).unwrap();
    let torn = reopened(folder.path()).unwrap().torn.unwrap();
    assert_eq!(torn.0, damage.len() as u64);
    assert_eq!(verified(folder.path()).wrong, []);
}

#[test]
fn a_file_that_is_too_long_to_be_ours_is_an_error() {
    let folder = trail(1);
    let file = fs::File::create(last(folder.path())).unwrap();
    file.set_len(5 * FILE_BYTES_MAX).unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let error = AuditLog::open(&data, options(SHORT_FILE)).unwrap_err();
    assert!(
        error.to_string().contains("is longer than any file"),
        "{error}"
    );
}
