//! What every [`ObjectStore`] does, one property a function.
//!
//! `object_store_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::{fs, path::PathBuf, sync::Arc};

use async_trait::async_trait;

use crate::objects::{ObjectError, ObjectInfo, ObjectMetadata, ObjectStore, PutObject};

/// A store to be tried, with a folder for files that the tests write and read.
#[async_trait]
pub trait Harness: Send {
    fn store(&self) -> Arc<dyn ObjectStore>;

    /// Ends the store as a crash would and opens it again.
    async fn reopen(&mut self);

    fn folder(&self) -> PathBuf;
}

const BUCKET: &str = "contract-bucket";

async fn put(harness: &dyn Harness, key: &str, content: &[u8]) -> Result<ObjectInfo, ObjectError> {
    put_as(harness, key, content, ObjectMetadata::default(), false).await
}

async fn put_as(
    harness: &dyn Harness,
    key: &str,
    content: &[u8],
    metadata: ObjectMetadata,
    create_only: bool,
) -> Result<ObjectInfo, ObjectError> {
    let from = harness.folder().join("to-put");
    fs::write(&from, content).expect("the folder of the harness can be written");
    let store = harness.store();
    store.create_bucket(BUCKET).await?;
    let object = PutObject {
        bucket: BUCKET,
        key,
        from: &from,
        metadata,
        create_only,
    };
    store.put(object).await
}

async fn get(
    harness: &dyn Harness,
    key: &str,
    version: Option<&str>,
) -> Result<Vec<u8>, ObjectError> {
    let to = harness.folder().join("got");
    harness.store().get(BUCKET, key, version, &to).await?;
    Ok(fs::read(&to).expect("a get writes the file"))
}

async fn keys(harness: &dyn Harness, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    let listed = harness.store().list(BUCKET, prefix, after, limit).await;
    let listed = listed.expect("the bucket can be listed");
    listed.into_iter().map(|object| object.key).collect()
}

pub async fn an_object_is_read_back_as_it_was_put(harness: &mut dyn Harness) {
    let metadata = ObjectMetadata {
        content_type: Some("text/html".to_owned()),
        cache_control: Some("max-age=60, public".to_owned()),
        canned_acl: Some("public-read".to_owned()),
        kms_key: Some("alias/key".to_owned()),
        user: [("revision".to_owned(), "7".to_owned())].into(),
    };
    let written = put_as(harness, "a/ä b.html", b"<p>", metadata.clone(), false).await;
    let written = written.expect("the put succeeds");
    assert_eq!(written.metadata, metadata);
    assert_eq!(written.size, 3);
    let read = harness.store().head(BUCKET, "a/ä b.html", None).await;
    assert_eq!(read.expect("the object is there"), written);
    assert_eq!(
        get(harness, "a/ä b.html", None).await.expect("it is there"),
        b"<p>"
    );
}

pub async fn an_empty_object_is_an_object(harness: &mut dyn Harness) {
    put(harness, "empty", b"").await.expect("the put succeeds");
    assert_eq!(get(harness, "empty", None).await.expect("it is there"), b"");
}

pub async fn each_put_makes_a_version_and_old_ones_stay(harness: &mut dyn Harness) {
    let first = put(harness, "k", b"one").await.expect("the put succeeds");
    let second = put(harness, "k", b"two").await.expect("the put succeeds");
    let again = put(harness, "k", b"one").await.expect("the put succeeds");
    assert_ne!(first.version_id, second.version_id);
    assert_ne!(first.version_id, again.version_id);
    assert_eq!(first.etag, again.etag);
    assert_ne!(first.etag, second.etag);
    for (version, content) in [(&first, b"one"), (&second, b"two"), (&again, b"one")] {
        let version = Some(version.version_id.as_str());
        let got = get(harness, "k", version).await;
        assert_eq!(got.expect("every version stays"), content);
    }
    assert_eq!(get(harness, "k", None).await.expect("it is there"), b"one");
}

pub async fn create_only_leaves_another_object_alone(harness: &mut dyn Harness) {
    let none = ObjectMetadata::default();
    let first = put_as(harness, "k", b"one", none.clone(), true).await;
    let first = first.expect("the key was free");
    let same = put_as(harness, "k", b"one", none.clone(), true).await;
    assert_eq!(same.expect("the same bytes are no conflict"), first);
    let other = put_as(harness, "k", b"two", none, true).await;
    assert!(matches!(other, Err(ObjectError::Exists { .. })));
    assert_eq!(get(harness, "k", None).await.expect("it is there"), b"one");
}

pub async fn what_is_not_there_is_named(harness: &mut dyn Harness) {
    put(harness, "k", b"one").await.expect("the put succeeds");
    let store = harness.store();
    let missing = store.head("no-such-bucket", "k", None).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchBucket(name)) if name == "no-such-bucket"));
    let missing = store.list("no-such-bucket", "", "", 10).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchBucket(_))));
    let missing = store.head(BUCKET, "other", None).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchKey { .. })));
    let missing = store.head(BUCKET, "other", Some("v")).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchKey { .. })));
    let missing = store.head(BUCKET, "k", Some("v")).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchVersion { .. })));
    let missing = get(harness, "k", Some("v")).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchVersion { .. })));
    assert!(!harness.folder().join("got").exists());
}

pub async fn a_put_into_no_bucket_is_refused(harness: &mut dyn Harness) {
    let from = harness.folder().join("to-put");
    fs::write(&from, b"x").expect("the folder of the harness can be written");
    let object = PutObject {
        bucket: "no-such-bucket",
        key: "k",
        from: &from,
        metadata: ObjectMetadata::default(),
        create_only: false,
    };
    let refused = harness.store().put(object).await;
    assert!(matches!(refused, Err(ObjectError::NoSuchBucket(_))));
}

pub async fn names_that_s3_would_not_take_are_refused(harness: &mut dyn Harness) {
    let refused = harness.store().create_bucket("Not_A_Bucket").await;
    assert!(matches!(refused, Err(ObjectError::InvalidName(_))));
    for key in ["", &"k".repeat(1_025)] {
        let refused = put(harness, key, b"x").await;
        assert!(matches!(refused, Err(ObjectError::InvalidName(_))));
    }
}

pub async fn a_bucket_can_be_created_twice(harness: &mut dyn Harness) {
    put(harness, "k", b"one").await.expect("the put succeeds");
    let again = harness.store().create_bucket(BUCKET).await;
    again.expect("nothing happens");
    assert_eq!(get(harness, "k", None).await.expect("it stays"), b"one");
}

pub async fn a_list_has_the_newest_versions_in_order_of_key(harness: &mut dyn Harness) {
    for key in ["b/2", "a", "b/1", "b", "c", "b/1"] {
        put(harness, key, key.as_bytes())
            .await
            .expect("the put succeeds");
    }
    let newest = put(harness, "c", b"newest")
        .await
        .expect("the put succeeds");
    assert_eq!(
        keys(harness, "", "", 10).await,
        ["a", "b", "b/1", "b/2", "c"]
    );
    assert_eq!(keys(harness, "b/", "", 10).await, ["b/1", "b/2"]);
    assert_eq!(keys(harness, "b/", "b/1", 10).await, ["b/2"]);
    assert_eq!(keys(harness, "", "", 2).await, ["a", "b"]);
    assert_eq!(keys(harness, "", "b", 2).await, ["b/1", "b/2"]);
    assert_eq!(keys(harness, "", "c", 2).await, [""; 0]);
    let listed = harness.store().list(BUCKET, "c", "", 1).await;
    assert_eq!(listed.expect("the bucket can be listed"), [newest]);
}

pub async fn everything_that_was_put_survives_a_crash(harness: &mut dyn Harness) {
    let old = put(harness, "k", b"one").await.expect("the put succeeds");
    let new = put(harness, "k", b"two").await.expect("the put succeeds");
    harness.reopen().await;
    let read = harness.store().head(BUCKET, "k", None).await;
    assert_eq!(read.expect("it survived"), new);
    let version = Some(old.version_id.as_str());
    let got = get(harness, "k", version).await;
    assert_eq!(got.expect("old versions survived, too"), b"one");
    let next = put(harness, "k", b"three").await.expect("the put succeeds");
    assert!(![&old.version_id, &new.version_id].contains(&&next.version_id));
}

/// Makes a test of each property; `$new` is an async expression that gives a new [`Harness`].
#[macro_export]
macro_rules! object_store_contract {
    ($new:expr) => {
        $crate::object_store_contract!(@each $new;
            an_object_is_read_back_as_it_was_put
            an_empty_object_is_an_object
            each_put_makes_a_version_and_old_ones_stay
            create_only_leaves_another_object_alone
            what_is_not_there_is_named
            a_put_into_no_bucket_is_refused
            names_that_s3_would_not_take_are_refused
            a_bucket_can_be_created_twice
            a_list_has_the_newest_versions_in_order_of_key
            everything_that_was_put_survives_a_crash
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new.await;
                $crate::contract::objects::$property(&mut harness).await;
            }
        )*
    };
}
