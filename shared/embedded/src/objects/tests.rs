use std::{fs, io::Write};

use ports::{ObjectStore, objects::PutObject};

use super::*;

struct At(i64);

impl Clock for At {
    fn now(&self) -> model::Timestamp {
        model::Timestamp(self.0)
    }
}

fn put<'a>(bucket: &'a str, key: &'a str, from: &'a Path) -> PutObject<'a> {
    PutObject {
        bucket,
        key,
        from,
        metadata: ObjectMetadata::default(),
        create_only: false,
    }
}

async fn store_with(folder: &Path, content: &[u8]) -> (Objects, ObjectInfo) {
    let objects = Objects::open(&folder.join("objects"), Arc::new(At(5))).unwrap();
    objects.create_bucket("bucket").await.unwrap();
    let file = folder.join("file");
    fs::write(&file, content).unwrap();
    let info = objects.put(put("bucket", "key", &file)).await.unwrap();
    (objects, info)
}

fn blob(folder: &Path, info: &ObjectInfo) -> PathBuf {
    let (head, tail) = info.sha256.split_at(2);
    folder.join("objects/sha256").join(head).join(tail)
}

#[tokio::test]
async fn the_etag_is_the_md5_in_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let (_, info) = store_with(folder.path(), b"hello").await;
    assert_eq!(info.etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(info.modified, model::Timestamp(5));
    assert_eq!(info.version_id.len(), 32);
}

#[tokio::test]
async fn any_flipped_byte_is_found_and_nothing_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..=255).collect();
    let (objects, info) = store_with(folder.path(), &content).await;
    let blob = blob(folder.path(), &info);
    let to = folder.path().join("out");
    for at in 0..content.len() {
        let mut damaged = content.clone();
        damaged[at] ^= 0x10;
        fs::write(&blob, damaged).unwrap();
        let error = objects.get("bucket", "key", None, &to).await.unwrap_err();
        assert!(matches!(error, ObjectError::Damaged { .. }), "{error}");
        assert!(!to.exists());
    }
}

#[tokio::test]
async fn lost_bytes_are_damage_and_another_put_mends_them() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, info) = store_with(folder.path(), b"hello").await;
    let to = folder.path().join("out");
    fs::remove_file(blob(folder.path(), &info)).unwrap();
    let error = objects.get("bucket", "key", None, &to).await.unwrap_err();
    assert!(matches!(error, ObjectError::Damaged { .. }));

    let file = folder.path().join("file");
    objects.put(put("bucket", "other", &file)).await.unwrap();
    objects.get("bucket", "key", None, &to).await.unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"hello");
}

#[tokio::test]
async fn what_was_being_written_at_a_crash_is_removed_on_open() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, _) = store_with(folder.path(), b"hello").await;
    drop(objects);
    let half = folder.path().join("objects/incoming/half");
    fs::write(&half, b"hel").unwrap();
    let objects = Objects::open(&folder.path().join("objects"), Arc::new(At(6))).unwrap();
    assert!(!half.exists());
    assert_eq!(objects.head("bucket", "key", None).await.unwrap().size, 5);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_an_error_that_says_so() {
    let objects = Objects::temporary(Arc::new(At(1))).unwrap();
    objects.create_bucket("bucket").await.unwrap();
    let gone = Path::new("/nonexistent/file");
    let error = objects.put(put("bucket", "key", gone)).await.unwrap_err();
    let text = "failed to store object `key` in bucket `bucket`: read it";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_database_that_is_none_or_is_newer_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects.db");
    let garbage = b"this is no database, whatever its name says; it is long enough to be read";
    fs::write(&path, garbage).unwrap();
    let error = Objects::open(folder.path(), Arc::new(At(1))).err().unwrap();
    assert!(
        error.to_string().ends_with("damaged or is not a database"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), garbage);

    fs::remove_file(&path).unwrap();
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 3).unwrap();
    drop(newer);
    let error = Objects::open(folder.path(), Arc::new(At(1))).err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "its schema has version 3; this program knows 2");
}

/// A disk with room for some bytes.
struct Disk(usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_named() {
    let error = blobs::copy(&mut &[7; 10][..], &mut Disk(9), 100)
        .err()
        .unwrap();
    let error = io_failed("store object `k` in bucket `b`", error);
    let text = "failed to store object `k` in bucket `b`: the disk is full";
    assert_eq!(error.to_string(), text);
    assert!(blobs::copy(&mut &[7; 10][..], &mut Disk(10), 100).is_ok());
}

#[test]
fn more_bytes_than_an_object_may_have_are_refused() {
    let error = blobs::copy(&mut &[7; 11][..], &mut Disk(100), 10)
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[tokio::test]
async fn a_bucket_is_exported_as_plain_files_of_the_newest_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, _) = store_with(folder.path(), b"old").await;
    let file = folder.path().join("file");
    for (key, content) in [("key", "new"), ("site/index.html", "<p>"), ("../x", "x")] {
        fs::write(&file, content).unwrap();
        objects.put(put("bucket", key, &file)).await.unwrap();
    }
    let out = folder.path().join("out");
    let exported = objects.export("bucket", &out).await.unwrap();
    assert_eq!(exported.len(), 3);
    assert_eq!(fs::read(out.join("key")).unwrap(), b"new");
    assert_eq!(fs::read(out.join("site/index.html")).unwrap(), b"<p>");
    assert_eq!(fs::read(out.join("__/x")).unwrap(), b"x");
    let error = objects.export("nowhere", &out).await.unwrap_err();
    assert!(matches!(error, ObjectError::NoSuchBucket(_)));
}

#[tokio::test]
async fn a_database_of_the_first_form_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join("objects.db")).unwrap();
    old.execute_batch(
        "CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL)
             STRICT, WITHOUT ROWID;
         CREATE TABLE version (
             sequence INTEGER PRIMARY KEY, bucket TEXT NOT NULL REFERENCES bucket (name),
             key TEXT NOT NULL, version_id TEXT NOT NULL, sha256 TEXT NOT NULL,
             md5 TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
             metadata TEXT NOT NULL
         ) STRICT;
         CREATE INDEX version_by_key ON version (bucket, key, sequence);
         INSERT INTO bucket VALUES ('bucket', 7);
         INSERT INTO version VALUES (1, 'bucket', 'k', 'v1', 'aa', 'm1', 3, 8, '{}');
         INSERT INTO version VALUES (4, 'bucket', 'k', 'v2', 'bb', 'm2', 4, 9, '{}');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    let objects = Objects::open(folder.path(), Arc::new(At(10))).unwrap();
    let listed = objects.list("bucket", "", "", 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].version_id.as_str(), listed[0].size), ("v2", 4));
    assert_eq!(listed[0].etag, "\"m2\"");
    let first = objects.head("bucket", "k", Some("v1")).await.unwrap();
    assert_eq!(first.modified, model::Timestamp(8));
    drop(objects);

    // One that does not fit together is left as it is.
    let broken = tempfile::tempdir().unwrap();
    let path = broken.path().join("objects.db");
    fs::copy(folder.path().join("objects.db"), &path).unwrap();
    let copy = rusqlite::Connection::open(&path).unwrap();
    copy.execute_batch(
        "PRAGMA foreign_keys = off; DROP TABLE IF EXISTS newest; DROP TABLE IF EXISTS last;
         DROP TABLE IF EXISTS version; DROP TABLE IF EXISTS bucket;
         CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL)
             STRICT, WITHOUT ROWID;
         CREATE TABLE version (
             sequence INTEGER PRIMARY KEY, bucket TEXT NOT NULL REFERENCES bucket (name),
             key TEXT NOT NULL, version_id TEXT NOT NULL, sha256 TEXT NOT NULL,
             md5 TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
             metadata TEXT NOT NULL
         ) STRICT;
         CREATE INDEX version_by_key ON version (bucket, key, sequence);
         INSERT INTO version VALUES (1, 'lost', 'k', 'v1', 'aa', 'm1', 3, 8, '{}');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    let error = Objects::open(broken.path(), Arc::new(At(1))).err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("1 of its rows do not fit"), "{source}");
    let version: i64 = copy
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
}

#[tokio::test]
async fn bytes_that_nobody_has_any_more_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, info) = store_with(folder.path(), b"hello").await;
    let file = folder.path().join("file");
    let other = objects.put(put("bucket", "other", &file)).await.unwrap();
    let blob = blob(folder.path(), &info);
    for (key, version, is_left) in [("key", &info, true), ("other", &other, false)] {
        let request = DeleteObject {
            bucket: "bucket",
            key,
            version: Some(&version.version_id),
            only_if: None,
        };
        objects.delete(request).await.unwrap();
        assert_eq!(blob.exists(), is_left);
    }
}

#[tokio::test]
async fn what_is_opened_was_compared_and_a_change_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, info) = store_with(folder.path(), b"hello").await;
    for _ in 0..2 {
        let (_, mut file) = objects.open("bucket", "key", None).await.unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "hello");
    }
    fs::write(blob(folder.path(), &info), b"hullo!").unwrap();
    let error = objects.open("bucket", "key", None).await.unwrap_err();
    assert!(matches!(error, ObjectError::Damaged { .. }), "{error}");
}
