//! A trail that was emptied is no new one.

use super::*;

fn keys(folder: &Path) -> PathBuf {
    folder.join(data_dir::ACCESS_KEYS)
}

fn first(folder: &Path) -> Value {
    let mut records = Records::open(&directory(folder)).unwrap();
    records.next().unwrap().unwrap().record
}

#[test]
fn a_new_trail_begins_with_a_record_that_is_on_disk_and_anchored_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = opened(folder.path());
    // As a crash would leave it.
    let found = verified(folder.path());
    assert_eq!((found.records, found.anchors), (1, 1));
    assert_eq!(found.wrong, []);
    assert!(!log.began_anew());
    let record = first(folder.path());
    assert_eq!(record["eventName"], "AuditTrailBegan");
    assert_eq!(record["additionalEventData"], json!({"firstStart": true}));
    // The keys come afterwards, and there is one beginning.
    fs::write(keys(folder.path()), "").unwrap();
    drop(log);
    append(folder.path(), 2);
    assert_eq!(
        names(folder.path()),
        ["AuditTrailBegan", "Event0", "Event1"]
    );
    assert_eq!(verified(folder.path()).wrong, []);
}

#[test]
fn a_trail_that_was_emptied_is_missed_before_the_next_start_and_ever_after() {
    for folder_too in [false, true] {
        let folder = trail(3);
        fs::write(keys(folder.path()), "").unwrap();
        fs::remove_dir_all(directory(folder.path())).unwrap();
        if !folder_too {
            fs::create_dir(directory(folder.path())).unwrap();
        }
        let wrong = verified(folder.path()).wrong;
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].what.ends_with("the trail is gone"), "{wrong:?}");
        let log = opened(folder.path());
        assert!(log.began_anew());
        drop(log);
        append(folder.path(), 20);
        let wrong = verified(folder.path()).wrong;
        assert_eq!((wrong.len(), wrong[0].line), (1, 1));
        assert_eq!(
            wrong[0].what,
            "the trail began anew at 2023-11-14T22:13:20Z although the server had been in use: \
             what came before is gone"
        );
        assert!(!opened(folder.path()).began_anew());
    }
}

#[test]
fn a_head_that_knows_of_records_makes_no_first_start() {
    let folder = trail(3);
    fs::remove_file(file(folder.path(), "00000001.jsonl")).unwrap();
    assert!(opened(folder.path()).began_anew());
    let record = first(folder.path());
    assert_eq!(record["additionalEventData"], json!({"firstStart": false}));
}

#[test]
fn nothing_at_all_in_a_folder_that_nobody_used_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(directory(folder.path())).unwrap();
    assert_eq!(verified(folder.path()).wrong, []);
}

#[test]
fn what_somebody_calls_himself_begins_no_trail() {
    let mut impostor = record("GetPipeline");
    impostor.is_service_event = false;
    impostor.user_agent = began::EVENT.into();
    impostor.additional = json!({"firstStart": false});
    assert_eq!(began::told(&encoded(&impostor).unwrap()), None);
    impostor.event_name = began::EVENT.into();
    assert_eq!(began::told(&encoded(&impostor).unwrap()), None);
}
