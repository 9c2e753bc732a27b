use super::*;
use crate::checksum::Summing;

struct At(AtomicI64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    folder: tempfile::TempDir,
    clock: Arc<At>,
    uploads: Arc<Uploads>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(At(AtomicI64::new(1_000)));
        let uploads = Uploads::open(folder.path(), clock.clone()).unwrap();
        Self {
            uploads: Arc::new(uploads),
            folder,
            clock,
        }
    }

    fn reopen(&mut self) {
        let uploads = Uploads::open(self.folder.path(), self.clock.clone());
        self.uploads = Arc::new(uploads.unwrap());
    }

    fn begin(&self) -> String {
        let upload = Upload {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            metadata: ObjectMetadata::default(),
            initiated: self.uploads.now(),
            algorithm: Some(Algorithm::Crc32),
            is_of_whole: false,
        };
        self.uploads.begin(&upload).unwrap()
    }

    fn keep(&self, id: &str, number: i32, bytes: &[u8]) -> S3Result<Part> {
        let mut file = NamedTempFile::new_in(self.uploads.incoming()).unwrap();
        file.write_all(bytes).unwrap();
        let mut summing = Summing::new(Algorithm::Crc32);
        summing.update(bytes);
        let received = Received {
            file,
            size: bytes.len() as u64,
            md5: [u8::try_from(bytes.len()).unwrap(); 16],
            sum: summing.finish(),
            was_summed: true,
        };
        self.uploads.keep(id, number, received)
    }

    fn files(&self, id: &str) -> usize {
        fs::read_dir(self.uploads.open.join(id)).unwrap().count()
    }
}

fn code<T>(result: S3Result<T>) -> String {
    result.err().unwrap().code().as_str().to_owned()
}

#[test]
fn parts_survive_a_restart_and_a_later_one_takes_the_place() {
    let mut world = World::new();
    let id = world.begin();
    world.keep(&id, 2, b"two").unwrap();
    world.keep(&id, 1, b"one").unwrap();
    world.keep(&id, 2, b"again").unwrap();
    // upload.json, and for each part its record and its bytes.
    assert_eq!(world.files(&id), 5);
    let half = world.uploads.incoming().join("half");
    fs::write(&half, b"x").unwrap();
    world.reopen();
    assert!(!half.exists());
    let parts = world.uploads.parts(&id).unwrap();
    let sizes: Vec<_> = parts.iter().map(|part| (part.number, part.size)).collect();
    assert_eq!(sizes, [(1, 3), (2, 5)]);
    let mut text = String::new();
    let mut file = world.uploads.bytes(&id, &parts[1]).unwrap();
    io::Read::read_to_string(&mut file, &mut text).unwrap();
    assert_eq!(text, "again");
    assert_eq!(world.uploads.find("b", "k", &id).unwrap().key, "k");
    assert_eq!(world.uploads.list("b").unwrap().len(), 1);
    assert_eq!(world.uploads.list("other").unwrap().len(), 0);
}

#[test]
fn what_is_no_upload_of_that_key_is_not_found() {
    let world = World::new();
    let id = world.begin();
    let long = "0".repeat(32);
    for (key, id) in [
        ("other", id.as_str()),
        ("k", "../incoming"),
        ("k", ""),
        ("k", long.as_str()),
    ] {
        assert_eq!(code(world.uploads.find("b", key, id)), "NoSuchUpload");
    }
    assert_eq!(code(world.uploads.parts("..")), "NoSuchUpload");
    assert_eq!(code(world.keep(&long, 1, b"x")), "NoSuchUpload");
    world.uploads.remove(&id).unwrap();
    assert_eq!(code(world.uploads.remove(&id)), "NoSuchUpload");
    assert_eq!(code(world.uploads.find("b", "k", &id)), "NoSuchUpload");
    assert_eq!(fs::read_dir(world.uploads.incoming()).unwrap().count(), 0);
}

#[test]
fn an_upload_is_removed_when_it_is_too_old() {
    let mut world = World::new();
    let id = world.begin();
    world
        .clock
        .0
        .store(1_000 + AGE_MILLIS_MAX, Ordering::Relaxed);
    world.reopen();
    assert!(world.uploads.find("b", "k", &id).is_ok());
    world.clock.0.fetch_add(SWEEP_MILLIS + 1, Ordering::Relaxed);
    let other = world.begin();
    assert_eq!(code(world.uploads.find("b", "k", &id)), "NoSuchUpload");
    assert!(world.uploads.find("b", "k", &other).is_ok());
}

#[test]
fn no_more_uploads_are_open_than_may_be() {
    let world = World::new();
    for number in 0..UPLOADS_MAX {
        fs::create_dir(world.uploads.open.join(number.to_string())).unwrap();
    }
    let upload = Upload {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        metadata: ObjectMetadata::default(),
        initiated: Timestamp(0),
        algorithm: None,
        is_of_whole: true,
    };
    assert_eq!(code(world.uploads.begin(&upload)), "SlowDown");
}

#[test]
fn an_upload_is_completed_by_one_at_a_time_and_remembered() {
    let world = World::new();
    let held = world.uploads.hold("id").unwrap();
    assert_eq!(code(world.uploads.hold("id")), "OperationAborted");
    drop(held);
    assert!(world.uploads.hold("id").is_ok());
    let completed = Completed {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        version: "v".to_owned(),
        etag: "\"e\"".to_owned(),
    };
    for number in 0..=COMPLETED_MAX {
        world
            .uploads
            .remember(&number.to_string(), completed.clone());
    }
    assert_eq!(world.uploads.completed("b", "k", "0"), None);
    assert_eq!(world.uploads.completed("b", "k", "1"), Some(completed));
    assert_eq!(world.uploads.completed("b", "other", "1"), None);
}

#[test]
fn what_is_under_way_is_this_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let folder = world.folder.path().join("uploads");
    let uploads = Uploads::open(&folder, world.clock.clone()).unwrap();
    let upload = Upload {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        metadata: ObjectMetadata::default(),
        initiated: uploads.now(),
        algorithm: None,
        is_of_whole: false,
    };
    let id = uploads.begin(&upload).unwrap();
    let of_upload = uploads.open.join(id);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in [&folder, &uploads.incoming, &uploads.open, &of_upload] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    assert_eq!(mode(&of_upload.join("upload.json")), 0o600);
}
