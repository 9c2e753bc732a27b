//! What every [`ObjectStore`] does, one property a function.
//!
//! `object_store_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::{collections::BTreeMap, fs, io::Read, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use model::Timestamp;

use crate::objects::{
    DeleteObject, Deleted, ListObjects, ListVersions, ObjectChecksum, ObjectError, ObjectInfo,
    ObjectMetadata, ObjectStore, Page, Precondition, PutObject, PutTerms, Version, VersionsPage,
    beyond, just_after,
};

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
        content_encoding: Some("gzip".to_owned()),
        content_disposition: Some("inline".to_owned()),
        content_language: Some("de".to_owned()),
        cache_control: Some("max-age=60, public".to_owned()),
        expires: Some(Timestamp(7)),
        canned_acl: Some("public-read".to_owned()),
        kms_key: Some("alias/key".to_owned()),
        user: [("revision".to_owned(), "7".to_owned())].into(),
        tags: [("team".to_owned(), "web".to_owned())].into(),
        checksum: Some(ObjectChecksum {
            algorithm: "CRC32".to_owned(),
            value: "AAAAAA==".to_owned(),
        }),
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

async fn delete(harness: &dyn Harness, key: &str, version: Option<&str>) -> Deleted {
    let request = DeleteObject {
        bucket: BUCKET,
        key,
        version,
        only_if: None,
    };
    let deleted = harness.store().delete(request).await;
    deleted.expect("the deletion succeeds")
}

async fn put_all(harness: &dyn Harness, keys: &[&str]) {
    for key in keys {
        put(harness, key, key.as_bytes())
            .await
            .expect("the put succeeds");
    }
}

pub async fn a_deleted_key_is_hidden_and_its_versions_stay(harness: &mut dyn Harness) {
    let old = put(harness, "k", b"one").await.expect("the put succeeds");
    let marker = delete(harness, "k", None).await;
    assert!(marker.is_marker);
    let gone = harness.store().head(BUCKET, "k", None).await;
    assert!(matches!(gone, Err(ObjectError::NoSuchKey { .. })));
    let id = Some(marker.version_id.as_str());
    let no_object = harness.store().head(BUCKET, "k", id).await;
    assert!(matches!(no_object, Err(ObjectError::NoSuchVersion { .. })));
    for id in [None, id] {
        let found = harness.store().version(BUCKET, "k", id).await;
        assert!(matches!(found.expect("it is there"), Version::Marker(_)));
    }
    assert_eq!(keys(harness, "", "", 10).await, [""; 0]);
    let old_id = Some(old.version_id.as_str());
    assert_eq!(get(harness, "k", old_id).await.expect("it stays"), b"one");
    harness.reopen().await;
    assert_eq!(keys(harness, "", "", 10).await, [""; 0]);
    // Without the marker the key is back.
    let removed = delete(harness, "k", id).await;
    assert_eq!(removed, marker);
    assert_eq!(get(harness, "k", None).await.expect("it is back"), b"one");
    assert_eq!(keys(harness, "", "", 10).await, ["k"]);
}

pub async fn a_deleted_version_is_gone_and_an_earlier_one_shows(harness: &mut dyn Harness) {
    let first = put(harness, "k", b"one").await.expect("the put succeeds");
    let second = put(harness, "k", b"two").await.expect("the put succeeds");
    let id = Some(second.version_id.as_str());
    let deleted = delete(harness, "k", id).await;
    assert_eq!(deleted.version_id, second.version_id);
    assert!(!deleted.is_marker);
    assert!(get(harness, "k", id).await.is_err());
    assert_eq!(get(harness, "k", None).await.expect("it shows"), b"one");
    // What is gone can be deleted again, and its id is never given anew.
    delete(harness, "k", id).await;
    let again = put(harness, "k", b"two").await.expect("the put succeeds");
    assert_ne!(again.version_id, second.version_id);
    for version in [&first, &again] {
        delete(harness, "k", Some(&version.version_id)).await;
    }
    let gone = get(harness, "k", None).await;
    assert!(matches!(gone, Err(ObjectError::NoSuchKey { .. })));
}

pub async fn bytes_of_two_keys_outlive_one_of_them(harness: &mut dyn Harness) {
    let one = put(harness, "a", b"same").await.expect("the put succeeds");
    put(harness, "b", b"same").await.expect("the put succeeds");
    delete(harness, "a", Some(&one.version_id)).await;
    assert_eq!(get(harness, "b", None).await.expect("it stays"), b"same");
}

pub async fn a_key_that_never_was_can_be_deleted(harness: &mut dyn Harness) {
    put_all(harness, &["other"]).await;
    assert!(delete(harness, "k", None).await.is_marker);
    let request = DeleteObject {
        bucket: "no-such-bucket",
        key: "k",
        version: None,
        only_if: None,
    };
    let refused = harness.store().delete(request).await;
    assert!(matches!(refused, Err(ObjectError::NoSuchBucket(_))));
}

pub async fn an_object_is_opened_where_it_can_be_read(harness: &mut dyn Harness) {
    let written = put(harness, "k", b"one").await.expect("the put succeeds");
    let opened = harness.store().open(BUCKET, "k", None).await;
    let (info, mut file) = opened.expect("it is there");
    assert_eq!(info, written);
    delete(harness, "k", Some(&written.version_id)).await;
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.expect("who has it open can read it to the end");
    assert_eq!(bytes, b"one");
    let gone = harness.store().open(BUCKET, "k", None).await;
    assert!(matches!(gone, Err(ObjectError::NoSuchKey { .. })));
}

pub async fn a_put_is_bound_to_its_terms(harness: &mut dyn Harness) {
    async fn put_if(
        harness: &dyn Harness,
        only_if: Precondition<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        let from = harness.folder().join("to-put");
        fs::write(&from, b"one").expect("the folder of the harness can be written");
        let object = PutObject {
            bucket: BUCKET,
            key: "k",
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        let terms = PutTerms {
            only_if: Some(only_if),
            etag: Some("\"of-parts-2\""),
        };
        harness.store().put_on(object, terms).await
    }
    put_all(harness, &["other"]).await;
    let absent = put_if(harness, Precondition::Is("\"tag\"")).await;
    assert!(matches!(absent, Err(ObjectError::NoSuchKey { .. })));
    let first = put_if(harness, Precondition::Absent).await;
    let first = first.expect("the key was free");
    assert_eq!(first.etag, "\"of-parts-2\"");
    for refused in [Precondition::Absent, Precondition::Is("\"other\"")] {
        let refused = put_if(harness, refused).await;
        assert!(matches!(refused, Err(ObjectError::Precondition { .. })));
    }
    let second = put_if(harness, Precondition::Is(&first.etag)).await;
    assert_ne!(second.expect("it is that one").version_id, first.version_id);
    // A key that was deleted is free.
    delete(harness, "k", None).await;
    let third = put_if(harness, Precondition::Absent).await;
    third.expect("the key is free again");
}

pub async fn a_deletion_is_bound_to_its_tag(harness: &mut dyn Harness) {
    let object = put(harness, "k", b"one").await.expect("the put succeeds");
    let only_if = |tag| DeleteObject {
        bucket: BUCKET,
        key: "k",
        version: None,
        only_if: Some(tag),
    };
    let refused = harness.store().delete(only_if("\"other\"")).await;
    assert!(matches!(refused, Err(ObjectError::Precondition { .. })));
    let deleted = harness.store().delete(only_if(&object.etag)).await;
    assert!(deleted.expect("it is that one").is_marker);
    let refused = harness.store().delete(only_if(&object.etag)).await;
    assert!(matches!(refused, Err(ObjectError::NoSuchKey { .. })));
}

pub async fn buckets_are_listed_and_removed_when_empty(harness: &mut dyn Harness) {
    let store = harness.store();
    for name in ["bucket-b", "bucket-a", "bucket-c"] {
        store.create_bucket(name).await.expect("it is made");
    }
    let names = |listed: Vec<crate::objects::BucketInfo>| -> Vec<String> {
        listed.into_iter().map(|bucket| bucket.name).collect()
    };
    let all = store.buckets("", 10).await.expect("they are listed");
    assert_eq!(all[0], store.bucket("bucket-a").await.expect("it is there"));
    assert_eq!(names(all), ["bucket-a", "bucket-b", "bucket-c"]);
    let some = store.buckets("bucket-a", 1).await;
    assert_eq!(names(some.expect("they are listed")), ["bucket-b"]);
    store.delete_bucket("bucket-b").await.expect("it is empty");
    let again = store.delete_bucket("bucket-b").await;
    assert!(matches!(again, Err(ObjectError::NoSuchBucket(_))));
    let gone = store.bucket("bucket-b").await;
    assert!(matches!(gone, Err(ObjectError::NoSuchBucket(_))));

    let object = put(harness, "k", b"one").await.expect("the put succeeds");
    let marker = delete(harness, "k", None).await;
    delete(harness, "k", Some(&object.version_id)).await;
    let refused = store.delete_bucket(BUCKET).await;
    assert!(matches!(refused, Err(ObjectError::NotEmpty(name)) if name == BUCKET));
    delete(harness, "k", Some(&marker.version_id)).await;
    store.delete_bucket(BUCKET).await.expect("it is empty now");
}

async fn page(harness: &dyn Harness, prefix: &str, from: &str, limit: usize) -> Page {
    let request = ListObjects {
        bucket: BUCKET,
        prefix,
        delimiter: "/",
        from,
        limit,
    };
    let page = harness.store().list_page(request).await;
    page.expect("the bucket can be listed")
}

pub async fn keys_that_share_a_beginning_are_one_entry(harness: &mut dyn Harness) {
    let all = ["a", "b/1", "b/2", "b/c/3", "b0", "d/1", "e", "\u{10ffff}/x"];
    put_all(harness, &all).await;
    put_all(harness, &["gone/1"]).await;
    delete(harness, "gone/1", None).await;
    let whole = page(harness, "", "", 10).await;
    let found: Vec<_> = whole.objects.iter().map(|object| &object.key).collect();
    assert_eq!(found, ["a", "b0", "e"]);
    assert_eq!(whole.prefixes, ["b/", "d/", "\u{10ffff}/"]);
    assert_eq!(whole.next, None);
    let within = page(harness, "b/", "", 10).await;
    assert_eq!(within.prefixes, ["b/c/"]);
    assert_eq!(within.objects.len(), 2);
    // Pages of any size give the same.
    for limit in 1..=6 {
        let (mut objects, mut prefixes, mut from) = (Vec::new(), Vec::new(), Some(String::new()));
        while let Some(start) = from {
            let part = page(harness, "", &start, limit).await;
            assert!(part.objects.len() + part.prefixes.len() <= limit);
            objects.extend(part.objects);
            prefixes.extend(part.prefixes);
            from = part.next;
        }
        assert_eq!((&objects, &prefixes), (&whole.objects, &whole.prefixes));
    }
}

async fn versions(
    harness: &dyn Harness,
    delimiter: &str,
    from: &str,
    past: Option<&str>,
    limit: usize,
) -> VersionsPage {
    let request = ListVersions {
        bucket: BUCKET,
        prefix: "",
        delimiter,
        from,
        past,
        limit,
    };
    let page = harness.store().list_versions(request).await;
    page.expect("the bucket can be listed")
}

pub async fn versions_are_listed_newest_first(harness: &mut dyn Harness) {
    put_all(harness, &["b", "a", "b", "c/1", "c/2"]).await;
    delete(harness, "a", None).await;
    put_all(harness, &["b"]).await;
    let whole = versions(harness, "", "", None, 10).await;
    let shape: Vec<_> = whole
        .versions
        .iter()
        .map(|(version, newest)| {
            let is_marker = matches!(version, Version::Marker(_));
            (version.key(), is_marker, *newest)
        })
        .collect();
    let expected = [
        ("a", true, true),
        ("a", false, false),
        ("b", false, true),
        ("b", false, false),
        ("b", false, false),
        ("c/1", false, true),
        ("c/2", false, true),
    ];
    assert_eq!(shape, expected);
    assert!(!whole.is_cut);
    for limit in 1..=7 {
        let mut all: Vec<(Version, bool)> = Vec::new();
        loop {
            let last = all.last().map(|(version, _)| version.clone());
            let from = last.as_ref().map_or("", Version::key);
            let past = last.as_ref().map(Version::version_id);
            let part = versions(harness, "", from, past, limit).await;
            assert!(part.versions.len() <= limit);
            all.extend(part.versions);
            if !part.is_cut {
                break;
            }
        }
        assert_eq!(all, whole.versions);
    }
    let grouped = versions(harness, "/", "b", None, 10).await;
    assert_eq!(grouped.prefixes, ["c/"]);
    assert_eq!(grouped.versions.len(), 3);
    let after = beyond("c/").expect("something is beyond");
    let rest = versions(harness, "/", &after, None, 10).await;
    assert_eq!(rest, VersionsPage::default());
    let after_b = versions(harness, "", &just_after("b"), None, 10).await;
    assert_eq!(after_b.versions.len(), 2);
    // A marker of the listing that was deleted meanwhile skips nothing.
    let from_gone = versions(harness, "", "b", Some("gone"), 10).await;
    assert_eq!(from_gone.versions.len(), 5);
}

pub async fn tags_are_of_one_version_and_can_be_replaced(harness: &mut dyn Harness) {
    let old = put(harness, "k", b"one").await.expect("the put succeeds");
    let new = put(harness, "k", b"two").await.expect("the put succeeds");
    let tags: BTreeMap<_, _> = [("team".to_owned(), "web".to_owned())].into();
    let store = harness.store();
    let id = store.set_tags(BUCKET, "k", None, tags.clone()).await;
    assert_eq!(id.expect("it is there"), new.version_id);
    harness.reopen().await;
    let store = harness.store();
    let read = store.head(BUCKET, "k", None).await.expect("it is there");
    assert_eq!(read.metadata.tags, tags);
    let id = Some(old.version_id.as_str());
    let read = store.head(BUCKET, "k", id).await.expect("it is there");
    assert_eq!(read, old);
    let missing = store.set_tags(BUCKET, "k", Some("v"), tags.clone()).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchVersion { .. })));
    let missing = store.set_tags(BUCKET, "other", None, tags).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchKey { .. })));
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
            a_deleted_key_is_hidden_and_its_versions_stay
            a_deleted_version_is_gone_and_an_earlier_one_shows
            bytes_of_two_keys_outlive_one_of_them
            a_key_that_never_was_can_be_deleted
            an_object_is_opened_where_it_can_be_read
            a_put_is_bound_to_its_terms
            a_deletion_is_bound_to_its_tag
            buckets_are_listed_and_removed_when_empty
            keys_that_share_a_beginning_are_one_entry
            versions_are_listed_newest_first
            tags_are_of_one_version_and_can_be_replaced
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
