//! Writing: nothing is dropped, and who waits is told the truth.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn the_chain_goes_on_across_files_and_processes() {
    let folder = trail(20);
    append(folder.path(), 20);
    let found = verified(folder.path());
    assert_eq!((found.records, found.wrong.as_slice()), (40, [].as_slice()));
    assert!(found.files > 3);
    for entry in fs::read_dir(directory(folder.path())).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let length = entry.metadata().unwrap().len();
        assert!(length < SHORT_FILE + 2_000, "{:?}", entry.file_name());
    }
    let mode = fs::metadata(directory(folder.path()))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
}

#[test]
fn what_nobody_waits_for_is_written_before_the_last_one_goes() {
    let folder = tempfile::tempdir().unwrap();
    let log = opened(folder.path());
    let clone = log.clone();
    block_on(async {
        for _ in 0..10 {
            log.record(record("Event")).await.unwrap();
        }
    });
    drop(log);
    drop(clone);
    assert_eq!(verified(folder.path()).records, 11);
}

/// Waits until something is so, which takes a moment.
fn soon(is_so: impl Fn() -> bool) -> bool {
    (0..1_000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

#[test]
fn what_nobody_waits_for_is_synced_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let log = opened(folder.path());
    block_on(log.record(record("Event"))).unwrap();
    let head = || seal::read_head(&directory(folder.path())).unwrap();
    assert!(soon(
        || matches!(head(), seal::Head::Seal(seal) if seal.seq == 2)
    ));
}

#[test]
fn an_anchor_comes_now_and_then_and_only_if_there_is_something_new() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let (mut writer, _) = Writer::open(data, options(FILE_BYTES_MAX)).unwrap();
    writer.anchor_each(Duration::from_millis(1));
    let (orders, received) = mpsc::channel(QUEUE_MAX);
    let thread = thread::spawn(move || writer.run(received));
    let room = Arc::new(Semaphore::new(2));
    let anchors = || seal::read_anchors(&directory(folder.path())).unwrap().len();
    for count in 2..=3 {
        let order = Order::Record {
            json: b"{}".to_vec(),
            waiter: None,
            room: Arc::clone(&room).try_acquire_owned().unwrap(),
        };
        orders.blocking_send(order).unwrap();
        assert!(soon(|| anchors() == count));
    }
    drop(orders);
    thread.join().unwrap();
    assert_eq!(anchors(), 3);
    assert_eq!(verified(folder.path()).wrong, []);
}

#[test]
fn nothing_is_taken_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = opened(folder.path());
    block_on(async {
        log.close().await.unwrap();
        for refused in [
            log.record(record("Event")).await,
            log.record_durably(record("Event")).await,
            log.flush().await,
            log.close().await,
        ] {
            assert!(matches!(refused, Err(AuditError::Closed)), "{refused:?}");
        }
    });
}

#[test]
fn more_than_the_queue_holds_waits_and_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let log = AuditLog::open(&data, options(FILE_BYTES_MAX)).unwrap();
    let count = 2 * QUEUE_BYTES_MAX / RECORD_BYTES_MAX;
    block_on(async {
        for _ in 0..count {
            let mut long = record("Event");
            long.user_agent = "x".repeat(RECORD_BYTES_MAX - 1_000);
            log.record(long).await.unwrap();
        }
        log.close().await.unwrap();
    });
    assert_eq!(verified(folder.path()).records, count as u64 + 1);
}

#[test]
fn a_record_that_is_too_long_loses_its_parameters_first() {
    let mut long = record("UpdatePipeline");
    long.request_parameters = json!({"pipeline": "x".repeat(RECORD_BYTES_MAX)});
    let json: Value = serde_json::from_slice(&encoded(&long).unwrap()).unwrap();
    assert!(json["requestParameters"]["bytes"].as_u64().unwrap() > RECORD_BYTES_MAX as u64);
    assert_eq!(json["responseElements"], Value::Null);
    assert_eq!(json["eventName"], "UpdatePipeline");
    long.user_agent = "x".repeat(RECORD_BYTES_MAX);
    assert!(matches!(encoded(&long), Err(AuditError::TooLarge { .. })));
}

#[test]
fn a_write_that_fails_is_told_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = opened(folder.path());
    let mut told = log.watch_trouble();
    // The next file cannot be made.
    let in_the_way = file(folder.path(), "00000002.jsonl");
    fs::create_dir(&in_the_way).unwrap();
    block_on(async {
        let mut taken = 0;
        let refused = loop {
            assert!(taken < 100, "the file is full long before");
            match log.record_durably(record("Event")).await {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&refused, AuditError::Unavailable(_)), "{refused}");
        assert!(refused.to_string().contains("audit"), "{refused}");
        assert!(log.record(record("Event")).await.is_err());
        let trouble = log.trouble().unwrap();
        assert!(refused.to_string().ends_with(&trouble), "{trouble}");
        assert_eq!(*told.borrow_and_update(), Some(trouble));
        // It is tried again meanwhile, and that is nothing new.
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(!told.has_changed().unwrap());
        fs::remove_dir(&in_the_way).unwrap();
        // The writer looks again by itself.
        for _ in 0..1_000 {
            if log.record_durably(record("Later")).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(
            (log.trouble(), told.borrow_and_update().clone()),
            (None, None)
        );
        log.close().await.unwrap();
        let names = names(folder.path());
        // The one whose file could not be followed was taken as well, behind the trail's own.
        assert_eq!(names.len(), taken + 3);
        assert_eq!(names.last().unwrap(), "Later");
    });
    assert_eq!(verified(folder.path()).wrong, []);
}

#[test]
fn after_a_sync_that_failed_nothing_is_taken() {
    let folder = trail(1);
    fs::remove_file(file(folder.path(), "00000001.jsonl")).unwrap();
    fs::remove_file(file(folder.path(), seal::HEAD)).unwrap();
    fs::remove_file(file(folder.path(), seal::ANCHORS)).unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let (mut writer, recovery) = Writer::open(data, options(SHORT_FILE)).unwrap();
    assert_eq!(recovery, None);
    // It takes what is written and cannot be synced.
    writer.replace_file(
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .unwrap(),
    );
    let state = writer.state();
    let (orders, received) = mpsc::channel(QUEUE_MAX);
    let room = Arc::new(Semaphore::new(9));
    let thread = thread::spawn(move || writer.run(received));
    block_on(async {
        for _ in 0..2 {
            let (waiter, answer) = oneshot::channel();
            let order = Order::Record {
                json: b"{}".to_vec(),
                waiter: Some(waiter),
                room: Arc::clone(&room).acquire_owned().await.unwrap(),
            };
            orders.send(order).await.unwrap();
            let refused = answer.await.unwrap().unwrap_err();
            assert!(
                refused.to_string().contains("restart the server"),
                "{refused}"
            );
            assert!(state.check().is_err());
        }
        let (waiter, answer) = oneshot::channel();
        orders.send(Order::Close(waiter)).await.unwrap();
        assert!(answer.await.unwrap().is_err());
    });
    thread.join().unwrap();
    assert_eq!(names(folder.path()), ["AuditTrailBegan"]);
}

#[test]
fn a_folder_that_cannot_be_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(directory(folder.path()), "in the way").unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let error = AuditLog::open(&data, options(SHORT_FILE)).unwrap_err();
    assert!(error.to_string().contains("/audit"), "{error}");
}

#[test]
fn a_new_master_key_signs_the_trail_again() {
    let folder = trail(5);
    let new = [8; 32];
    sign_again(&directory(folder.path()), &KEY, &new, Timestamp(1)).unwrap();
    let found = verify(&directory(folder.path()), Some(&new)).unwrap();
    assert_eq!(found.wrong, []);
    assert_eq!((found.anchors, found.anchors_of_other_keys > 0), (1, true));
    let data = DataDir::open(folder.path()).unwrap();
    let mut options = options(SHORT_FILE);
    options.key = new;
    let log = AuditLog::open(&data, options).unwrap();
    assert_eq!(log.recovery(), None);
}
