//! Uploads in parts.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use pipewright_aws::{Limits, Objects};
use ports::{
    ObjectStore,
    objects::{ObjectError, ObjectInfo, ObjectMetadata, Precondition, PutObject, PutTerms},
};
use sha2::{Digest, Sha256};

use crate::emulated::{Emulated, client};

const BUCKET: &str = "parts-bucket";

/// The emulator takes parts of any size, and S3 none of less than 5 MiB but the last.
const PART_BYTES: u64 = 1_000;

async fn in_parts(emulated: &Emulated) -> Objects {
    let limits = Limits {
        part_bytes: PART_BYTES,
        ..Limits::default()
    };
    let objects = emulated.objects().clone().within(limits);
    objects.create_bucket(BUCKET).await.expect("it is made");
    objects
}

async fn put(
    objects: &Objects,
    emulated: &Emulated,
    content: &[u8],
    metadata: ObjectMetadata,
    create_only: bool,
) -> Result<ObjectInfo, ObjectError> {
    let object = PutObject {
        bucket: BUCKET,
        key: "large file",
        from: &emulated.file(content),
        metadata,
        create_only,
    };
    objects.put(object).await
}

/// Bytes that are others in each part.
fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at % 251).expect("it is small"))
        .collect()
}

async fn is_nothing_left(client: &Client) -> bool {
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await;
    uploads.expect("they are listed").uploads().is_empty()
}

#[tokio::test]
async fn what_is_put_in_parts_is_read_back_whole() {
    let emulated = Emulated::new().await;
    let objects = in_parts(&emulated).await;
    let metadata = ObjectMetadata {
        content_type: Some("application/zip".to_owned()),
        cache_control: Some("no-store".to_owned()),
        kms_key: Some("alias/key".to_owned()),
        user: BTreeMap::from([("revision".to_owned(), "Übung 7".to_owned())]),
        ..ObjectMetadata::default()
    };
    for length in [1_001, 2_000, 12_345] {
        let content = content(length);
        let put = put(&objects, &emulated, &content, metadata.clone(), false).await;
        let put = put.expect("the put succeeds");
        assert_eq!(put.size, length as u64);
        assert_eq!(put.sha256, hex::encode(Sha256::digest(&content)));
        assert!(put.etag.contains('-'), "it was put in parts: {}", put.etag);
        let head = objects.head(BUCKET, "large file", None).await;
        assert_eq!(head.expect("it is there"), put);
        let to = emulated.file(b"old").with_file_name("got");
        let version = Some(put.version_id.as_str());
        let got = objects.get(BUCKET, "large file", version, &to).await;
        assert_eq!(got.expect("it is there"), put);
        assert_eq!(std::fs::read(&to).expect("a get writes the file"), content);
    }
    assert!(is_nothing_left(&client()).await);
}

#[tokio::test]
async fn an_upload_that_is_refused_leaves_no_parts() {
    let emulated = Emulated::new().await;
    let objects = in_parts(&emulated).await;
    let none = ObjectMetadata::default();
    let first = put(&objects, &emulated, &content(3_000), none.clone(), true).await;
    let first = first.expect("the key was free");
    let same = put(&objects, &emulated, &content(3_000), none.clone(), true).await;
    assert_eq!(same.expect("the same bytes are no conflict"), first);
    let other = put(&objects, &emulated, &content(3_001), none.clone(), true).await;
    assert!(matches!(other, Err(ObjectError::Exists { .. })));
    let from = emulated.file(&content(4_000));
    let object = |metadata| PutObject {
        bucket: BUCKET,
        key: "large file",
        from: &from,
        metadata,
        create_only: false,
    };
    let bound = |only_if| PutTerms {
        only_if: Some(only_if),
        etag: None,
    };
    let refused = bound(Precondition::Is("\"other\""));
    let refused = objects.put_on(object(none.clone()), refused).await;
    assert!(matches!(refused, Err(ObjectError::Precondition { .. })));
    let refused = bound(Precondition::Absent);
    let refused = objects.put_on(object(none.clone()), refused).await;
    assert!(matches!(refused, Err(ObjectError::Precondition { .. })));
    assert!(is_nothing_left(&client()).await);
    let bound = bound(Precondition::Is(&first.etag));
    let second = objects.put_on(object(none), bound).await;
    assert_eq!(second.expect("it is that one").size, 4_000);
    assert!(is_nothing_left(&client()).await);
}

#[tokio::test]
async fn two_uploads_at_once_have_one_winner() {
    let emulated = Emulated::new().await;
    let objects = in_parts(&emulated).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut under_way = Vec::new();
    for number in 0..4_u8 {
        let from = folder.path().join(number.to_string());
        std::fs::write(&from, vec![number; 2_500]).expect("a file");
        let objects = objects.clone();
        under_way.push(tokio::spawn(async move {
            let object = PutObject {
                bucket: BUCKET,
                key: "k",
                from: &from,
                metadata: ObjectMetadata::default(),
                create_only: true,
            };
            objects.put(object).await
        }));
    }
    let mut winners = Vec::new();
    for put in under_way {
        match put.await.expect("it ends") {
            Ok(info) => winners.push(info),
            Err(error) => assert!(matches!(error, ObjectError::Exists { .. }), "{error}"),
        }
    }
    let head = objects.head(BUCKET, "k", None).await;
    assert_eq!(winners, [head.expect("one of them is there")]);
    assert!(is_nothing_left(&client()).await);
}
