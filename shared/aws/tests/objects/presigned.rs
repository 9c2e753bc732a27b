//! Requests that somebody without credentials sends.

use std::time::Duration;

use pipewright_aws::{Objects, Presigned};
use pipewright_tests::{emulator::Emulator, http::Message};
use ports::{
    ObjectStore,
    objects::{ObjectError, ObjectMetadata, PutObject},
};
use sha2::{Digest, Sha256};

use crate::emulated::{Emulated, client};

const BUCKET: &str = "presigned-bucket";
const KEY: &str = "pipeline/Output Art/abc.zip";
const CONTENT: &[u8] = b"what a build made";
const MINUTE: Duration = Duration::from_mins(1);

async fn ready(emulated: &Emulated) -> &Objects {
    let objects = emulated.objects();
    objects.create_bucket(BUCKET).await.expect("it is made");
    objects
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

async fn presigned_put(objects: &Objects, within: Duration) -> Presigned {
    let metadata = ObjectMetadata {
        content_type: Some("application/zip".to_owned()),
        user: [("revision".to_owned(), "7".to_owned())].into(),
        ..ObjectMetadata::default()
    };
    let size = CONTENT.len() as u64;
    let digest = sha256(CONTENT);
    let signed = objects.presigned_put(BUCKET, KEY, &digest, size, metadata, within);
    signed.await.expect("it can be signed")
}

/// Sends a request as somebody does who has it and nothing else.
fn send(method: &str, signed: &Presigned, body: &[u8]) -> Message {
    let authority = signed
        .url
        .strip_prefix("http://")
        .expect("a URL of the emulator");
    let (host, path) = authority.split_once('/').expect("it has a path");
    let headers = signed.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
    let request = Message {
        first: format!("{method} /{path} HTTP/1.1"),
        headers: [("Host".to_owned(), host.to_owned())]
            .into_iter()
            .chain(headers)
            .collect(),
        body: body.to_vec(),
    };
    let to = ([127, 0, 0, 1], Emulator::shared().port()).into();
    request.send(to).expect("the emulator answers")
}

#[tokio::test]
async fn a_url_creates_one_object_once() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    let signed = presigned_put(objects, MINUTE).await;
    let put = send("PUT", &signed, CONTENT);
    assert_eq!(put.status(), 200, "{}", put.text());
    let info = objects.head(BUCKET, KEY, None).await.expect("it is there");
    assert_eq!(
        (info.size, &info.sha256),
        (CONTENT.len() as u64, &sha256(CONTENT))
    );
    assert_eq!(
        info.metadata.content_type.as_deref(),
        Some("application/zip")
    );
    assert_eq!(info.metadata.user["revision"], "7");
    let again = send("PUT", &signed, CONTENT);
    assert_eq!(again.status(), 412, "{}", again.text());
    let versions = client().list_object_versions().bucket(BUCKET).send();
    let versions = versions.await.expect("they are listed");
    assert_eq!(versions.versions().len(), 1);
    // Whoever stores the same bytes through the port finds that done.
    let object = PutObject {
        bucket: BUCKET,
        key: KEY,
        from: &emulated.file(CONTENT),
        metadata: ObjectMetadata::default(),
        create_only: true,
    };
    assert_eq!(objects.put(object).await.expect("it is the same"), info);
}

#[tokio::test]
async fn other_bytes_another_number_of_them_and_other_headers_are_refused() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    let signed = presigned_put(objects, MINUTE).await;
    let mut altered = CONTENT.to_vec();
    altered[0] ^= 1;
    let refused = send("PUT", &signed, &altered);
    assert_eq!(refused.status(), 400, "{}", refused.text());
    assert!(refused.text().contains("BadDigest"), "{}", refused.text());
    let refused = send("PUT", &signed, &[CONTENT, b"!"].concat());
    assert_eq!(refused.status(), 403, "{}", refused.text());
    for name in signed.headers.keys() {
        let mut without = signed.clone();
        without.headers.remove(name);
        // The length is that of the body, whoever says it.
        if !name.eq_ignore_ascii_case("content-length") {
            let refused = send("PUT", &without, CONTENT);
            assert_eq!(refused.status(), 403, "{name}: {}", refused.text());
        }
    }
    let mut elsewhere = signed.clone();
    elsewhere.url = signed.url.replace("abc.zip", "abd.zip");
    assert_eq!(send("PUT", &elsewhere, CONTENT).status(), 403);
    let missing = objects.head(BUCKET, KEY, None).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchKey { .. })));
}

#[tokio::test]
async fn a_url_reads_one_version_and_nothing_of_it_is_shown() {
    let emulated = Emulated::new().await;
    let objects = ready(&emulated).await;
    let mut versions = Vec::new();
    for content in [b"one", b"two"] {
        let object = PutObject {
            bucket: BUCKET,
            key: KEY,
            from: &emulated.file(content),
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        versions.push(objects.put(object).await.expect("it is put").version_id);
    }
    for (version, content) in [(Some(versions[0].as_str()), "one"), (None, "two")] {
        let signed = objects.presigned_get(BUCKET, KEY, version, MINUTE).await;
        let signed = signed.expect("it can be signed");
        assert!(
            signed
                .url
                .contains("response-content-disposition=attachment")
        );
        let got = send("GET", &signed, b"");
        assert_eq!((got.status(), got.text().as_str()), (200, content));
        // Of a version that is named, the emulator forgets what the URL says of the answer.
        let shown = got.header("content-disposition");
        assert!(
            version.is_some() || shown == Some("attachment"),
            "{shown:?}"
        );
    }
    let signed = objects.presigned_get(BUCKET, KEY, None, MINUTE).await;
    let signed = signed.expect("it can be signed");
    assert_eq!(send("PUT", &signed, b"mine").status(), 403);
    let told = format!("{signed:?}");
    assert!(
        told.contains("abc.zip") && !told.contains("Signature"),
        "{told}"
    );
}

#[tokio::test]
async fn a_url_ends_in_an_hour_at_most() {
    let emulated = Emulated::new().await;
    let objects = emulated.objects();
    let day = Duration::from_hours(24);
    let put = presigned_put(objects, day).await;
    assert!(put.url.contains("X-Amz-Expires=3600"), "{}", put.url);
    let get = objects.presigned_get(BUCKET, KEY, None, day).await;
    let get = get.expect("it can be signed");
    assert!(get.url.contains("X-Amz-Expires=3600"), "{}", get.url);
    let get = objects.presigned_get(BUCKET, KEY, None, MINUTE).await;
    let get = get.expect("it can be signed");
    assert!(get.url.contains("X-Amz-Expires=60&"), "{}", get.url);
}

#[tokio::test]
async fn what_no_url_can_put_is_refused_before_it_is_signed() {
    let emulated = Emulated::new().await;
    let objects = emulated.objects();
    let put = async |key: &str, sha256: &str, size: u64| {
        let none = ObjectMetadata::default();
        let signed = objects.presigned_put(BUCKET, key, sha256, size, none, MINUTE);
        signed.await.expect_err("it is refused").to_string()
    };
    let digest = sha256(CONTENT);
    assert!(put("", &digest, 1).await.contains("the key is empty"));
    for digest in ["", "ab", "no hex"] {
        let told = put("k", digest, 1).await;
        assert!(
            told.contains("object `k` in bucket `presigned-bucket`"),
            "{told}"
        );
    }
    let told = put("k", &digest, 5 * 1024 * 1024 * 1024 + 1).await;
    assert!(told.contains("sign a URL of object `k`"), "{told}");
    let get = objects.presigned_get("a/b", "k", None, MINUTE).await;
    assert!(matches!(get, Err(ObjectError::InvalidName(_))));
}
