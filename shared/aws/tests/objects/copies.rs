//! Objects that others put, and buckets that others made.

use aws_sdk_s3::primitives::ByteStream;
use pipewright_aws::{Limits, Objects};
use ports::{
    ObjectStore,
    objects::{DeleteObject, ListObjects, ListVersions, ObjectError, ObjectMetadata, PutObject},
};
use sha2::{Digest, Sha256};

use crate::emulated::{Emulated, client};

const BUCKET: &str = "others-bucket";

async fn ready(emulated: &Emulated) -> &Objects {
    let objects = emulated.objects();
    objects.create_bucket(BUCKET).await.expect("it is made");
    objects
}

async fn put(objects: &Objects, emulated: &Emulated, key: &str) -> String {
    let object = PutObject {
        bucket: BUCKET,
        key,
        from: &emulated.file(key.as_bytes()),
        metadata: ObjectMetadata::default(),
        create_only: false,
    };
    objects.put(object).await.expect("it is put").version_id
}

#[tokio::test]
async fn an_object_without_a_digest_has_one_once_it_was_read() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    let put = client().put_object().bucket(BUCKET).key("k");
    let put = put.metadata("pipewright", "of another program");
    let put = put.body(ByteStream::from_static(b"theirs")).send().await;
    put.expect("it is put");
    let head = objects.head(BUCKET, "k", None).await.expect("it is there");
    assert_eq!(head.sha256, "");
    assert_eq!(head.metadata.user["pipewright"], "of another program");
    let (info, _) = objects.open(BUCKET, "k", None).await.expect("it is there");
    assert_eq!(info.sha256, hex::encode(Sha256::digest(b"theirs")));
}

#[tokio::test]
async fn bytes_that_are_not_the_recorded_ones_are_damaged() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    let digest = hex::encode(Sha256::digest(b"what was put"));
    let put = client().put_object().bucket(BUCKET).key("k");
    let put = put.metadata("pipewright", format!(r#"{{"sha256":"{digest}"}}"#));
    let put = put.body(ByteStream::from_static(b"what is there")).send();
    put.await.expect("it is put");
    let to = emulated.file(b"").with_file_name("got");
    let got = objects.get(BUCKET, "k", None, &to).await;
    assert!(matches!(got, Err(ObjectError::Damaged { key, .. }) if key == "k"));
    assert!(!to.exists(), "no file is left of what is damaged");
    let opened = objects.open(BUCKET, "k", None).await;
    assert!(matches!(opened, Err(ObjectError::Damaged { .. })));
}

#[tokio::test]
async fn an_object_that_has_no_room_here_is_not_read() {
    let emulated = Emulated::new().await;
    put(ready(&emulated).await, &emulated, "large").await;
    let limits = Limits {
        file_bytes: 4,
        ..Limits::default()
    };
    let objects = emulated.objects().clone().within(limits);
    let refused = objects.open(BUCKET, "large", None).await;
    let refused = refused.expect_err("it has five bytes");
    let source = std::error::Error::source(&refused).expect("it says why");
    assert_eq!(
        source.to_string(),
        "it has 5 bytes, and a file here may have 4"
    );
    assert!(
        refused
            .to_string()
            .contains("object `large` of bucket `others-bucket`")
    );
}

#[tokio::test]
async fn a_bucket_without_versions_has_one_version_of_each_key() {
    let emulated = Emulated::new().await;
    let objects = emulated.objects();
    let made = client().create_bucket().bucket(BUCKET).send().await;
    made.expect("it is made");
    // It is there: that it keeps no versions is its owner's affair.
    objects
        .create_bucket(BUCKET)
        .await
        .expect("nothing happens");
    for _ in 0..2 {
        assert_eq!(put(objects, &emulated, "k").await, "null");
    }
    let head = objects.head(BUCKET, "k", Some("null")).await;
    assert_eq!(head.expect("it is there").version_id, "null");
    let tags = [("team".to_owned(), "web".to_owned())].into();
    let tagged = objects.set_tags(BUCKET, "k", None, tags).await;
    assert_eq!(tagged.expect("it is there"), "null");
    let request = DeleteObject {
        bucket: BUCKET,
        key: "k",
        version: None,
        only_if: None,
    };
    let deleted = objects.delete(request).await.expect("it is deleted");
    assert_eq!(
        (deleted.version_id.as_str(), deleted.is_marker),
        ("null", false)
    );
    let gone = objects.head(BUCKET, "k", None).await;
    assert!(matches!(gone, Err(ObjectError::NoSuchKey { .. })));
}

#[tokio::test]
async fn a_listing_may_begin_anywhere() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    for key in ["a", "b/1", "b/3", "b0", "c d+e%41/ä", "e"] {
        put(objects, &emulated, key).await;
    }
    let page = async |prefix: &str, from: &str, limit: usize| {
        let request = ListObjects {
            bucket: BUCKET,
            prefix,
            delimiter: "/",
            from,
            limit,
        };
        let page = objects.list_page(request).await.expect("it is listed");
        let keys: Vec<_> = page.objects.into_iter().map(|object| object.key).collect();
        (keys.join(" "), page.prefixes.join(" "), page.next)
    };
    let whole = ("b0 e", "b/ c d+e%41/");
    // Within a group, at its beginning, and just before it.
    for from in ["b/", "b/1", "b/2", "b/3", "a0"] {
        let (keys, prefixes, next) = page("", from, 10).await;
        assert_eq!((keys.as_str(), prefixes.as_str()), whole, "{from}");
        assert_eq!(next, None);
    }
    for from in ["b/4", "b/3\0", "b0"] {
        let (keys, prefixes, _) = page("", from, 10).await;
        assert_eq!(
            (keys.as_str(), prefixes.as_str()),
            ("b0 e", "c d+e%41/"),
            "{from}"
        );
    }
    assert_eq!(
        page("", "b/4", 1).await,
        ("b0".into(), String::new(), Some("b0\0".into()))
    );
    assert_eq!(
        page("", "b/3", 1).await,
        (String::new(), "b/".into(), Some("b0".into()))
    );
    assert_eq!(page("", "e", 1).await, ("e".into(), String::new(), None));
    assert_eq!(
        page("b/", "b/2", 10).await,
        ("b/3".into(), String::new(), None)
    );
    assert_eq!(
        page("b/", "c", 10).await,
        (String::new(), String::new(), None)
    );
    assert_eq!(page("b/", "a", 1).await.0, "b/1");
    assert_eq!(page("", "", 0).await.0, "");
}

#[tokio::test]
async fn a_listing_of_versions_may_begin_anywhere() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    for key in ["b/1", "b/3", "b0", "b0", "c"] {
        put(objects, &emulated, key).await;
    }
    let page = async |from: &str, past: Option<&str>, limit: usize| {
        let request = ListVersions {
            bucket: BUCKET,
            prefix: "",
            delimiter: "/",
            from,
            past,
            limit,
        };
        let page = objects.list_versions(request).await.expect("it is listed");
        let versions = page.versions.iter();
        let keys: Vec<_> = versions
            .map(|(version, _)| version.key().to_owned())
            .collect();
        (keys.join(" "), page.prefixes.join(" "), page.is_cut)
    };
    for from in ["b/", "b/2", "b/3"] {
        assert_eq!(
            page(from, None, 10).await,
            ("b0 b0 c".into(), "b/".into(), false)
        );
    }
    for from in ["b/4", "b/3\0", "b0"] {
        assert_eq!(
            page(from, None, 10).await,
            ("b0 b0 c".into(), String::new(), false)
        );
    }
    assert_eq!(
        page("b0", None, 1).await,
        ("b0".into(), String::new(), true)
    );
    assert_eq!(
        page("b0", None, 2).await,
        ("b0 b0".into(), String::new(), true)
    );
    assert_eq!(
        page("b/3", None, 1).await,
        (String::new(), "b/".into(), true)
    );
    assert_eq!(page("c", None, 1).await, ("c".into(), String::new(), false));
    assert_eq!(
        page("b0\0", None, 5).await,
        ("c".into(), String::new(), false)
    );
}

#[tokio::test]
async fn versions_and_markers_are_in_order_however_close_in_time() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    put(objects, &emulated, "c").await;
    let marker = DeleteObject {
        bucket: BUCKET,
        key: "c",
        version: None,
        only_if: None,
    };
    objects.delete(marker).await.expect("it is hidden");
    put(objects, &emulated, "c").await;
    let request = ListVersions {
        bucket: BUCKET,
        prefix: "c",
        delimiter: "",
        from: "",
        past: None,
        limit: 10,
    };
    let listed = objects.list_versions(request).await.expect("it is listed");
    let markers: Vec<_> = listed
        .versions
        .iter()
        .map(|(version, newest)| {
            (
                matches!(version, ports::objects::Version::Marker(_)),
                *newest,
            )
        })
        .collect();
    assert_eq!(markers, [(false, true), (true, false), (false, false)]);
}
