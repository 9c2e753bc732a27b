//! What is in a data directory is its owner's alone.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use model::Timestamp;
use pipewright_embedded::{
    AccessKeyStore, AuditLog, Cursors, DataDir, ManualClock, MasterKey, Objects, SeededRandom,
    Store,
    audit::{AuditOptions, FILE_BYTES_MAX},
};
use ports::{
    Account, Cursors as _, ObjectStore as _,
    objects::{ObjectMetadata, PutObject},
};

#[tokio::test]
async fn every_file_is_0600_and_every_folder_0700() {
    let folder = tempfile::tempdir().expect("there is room");
    let data = DataDir::open(&folder.path().join("data")).expect("nobody else has it");
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let store = Store::open(&data).expect("it is new");
    let cursors = Cursors::open(&data).expect("they are new");
    cursors.set("a", 1).await.expect("there is room");
    let objects = Objects::open(&data.objects(), clock.clone()).expect("they are new");
    let file = folder.path().join("file");
    fs::write(&file, "bytes").expect("there is room");
    objects.create_bucket("bucket").await.expect("it is new");
    let put = PutObject {
        bucket: "bucket",
        key: "key",
        from: &file,
        metadata: ObjectMetadata::default(),
        create_only: false,
    };
    objects.put(put).await.expect("there is room");
    let master = MasterKey::open(&data, &SeededRandom::new(1)).expect("it is new");
    let options = AuditOptions {
        key: master.for_audit(),
        clock,
        account: Arc::new(Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }),
        file_bytes_max: FILE_BYTES_MAX,
    };
    let audit = AuditLog::open(&data, options).expect("it is new");
    let keys = AccessKeyStore::open(&data).expect("it is new");
    let mut names = Vec::new();
    look(data.path(), &mut names);
    for name in [
        "pipewright.db-wal",
        "cursors.db-wal",
        "objects.db",
        "access.db",
        "head",
    ] {
        assert!(names.iter().any(|it| it == name), "{name} in {names:?}");
    }
    drop((store, cursors, objects, audit, keys));
}

fn look(folder: &Path, names: &mut Vec<String>) {
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            look(&path, names);
            continue;
        }
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.extend(
            path.file_name()
                .and_then(|name| name.to_str())
                .map(str::to_owned),
        );
    }
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("it is there");
    found.permissions().mode() & 0o777
}
