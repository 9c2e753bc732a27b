//! What S3 says no to, or does not say at all: a listener on loopback that answers as a test says.

use std::{
    error::Error,
    io::{self, BufReader, Read as _, Write},
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use pipewright_aws::{Clients, Limits, Objects};
use pipewright_tests::http::Message;
use ports::{
    ObjectStore,
    objects::{
        DeleteObject, ObjectError, ObjectInfo, ObjectMetadata, Precondition, PutObject, PutTerms,
    },
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::emulated::settings;

/// The header of an answer whose connection is to break before its end.
const CUT: &str = "x-cut";

/// What becomes of a request: an answer, or a connection that ends without one.
type Answering = dyn FnMut(&Message) -> Option<Message> + Send;

/// A store whose requests are answered by that function.
fn store(answering: impl FnMut(&Message) -> Option<Message> + Send + 'static) -> Objects {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    let answering: Arc<Mutex<Box<Answering>>> = Arc::new(Mutex::new(Box::new(answering)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answering = Arc::clone(&answering);
            thread::spawn(move || {
                let stream = stream.ok()?;
                let mut reader = BufReader::new(stream.try_clone().ok()?);
                let mut writer = stream;
                let request = Message::read_request(&mut reader, &mut writer).ok()??;
                let answer = answering.lock().ok()?(&request)?;
                if answer.header(CUT).is_some() {
                    return write_cut(&answer, &mut writer).ok();
                }
                answer.write(&mut writer, true).ok()
            });
        }
    });
    let settings = settings(&format!("http://127.0.0.1:{port}"));
    let clients = Clients::new(&settings).expect("everything is there");
    Objects::of(&clients.s3(), true)
}

/// Writes an answer without its last byte.
fn write_cut(answer: &Message, to: &mut impl Write) -> io::Result<()> {
    let mut head = format!(
        "{}\r\nContent-Length: {}\r\n",
        answer.first,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let (_, body) = answer
        .body
        .split_last()
        .expect("there is a byte to leave out");
    to.write_all(head.as_bytes())?;
    to.write_all(b"\r\n")?;
    to.write_all(body)
}

/// A refusal in the words of S3; an answer to `HEAD` has no words.
fn refusal(request: &Message, status: u16, code: &str) -> Message {
    let is_head = request.request_line().0 == "HEAD";
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>because of {code}</Message></Error>"
    );
    Message {
        first: format!("HTTP/1.1 {status} -"),
        headers: vec![("x-amz-request-id".to_owned(), "R1".to_owned())],
        body: if is_head {
            Vec::new()
        } else {
            body.into_bytes()
        },
    }
}

fn done(headers: &[(&str, &str)], body: &[u8]) -> Message {
    let headers = headers.iter();
    Message {
        first: "HTTP/1.1 200 OK".to_owned(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_vec(),
    }
}

fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

async fn put(
    objects: &Objects,
    create_only: bool,
    terms: PutTerms<'_>,
) -> Result<ObjectInfo, ObjectError> {
    let folder = TempDir::new().expect("a folder");
    let from = folder.path().join("file");
    std::fs::write(&from, b"bytes").expect("a file");
    let object = PutObject {
        bucket: "bucket",
        key: "k",
        from: &from,
        metadata: ObjectMetadata::default(),
        create_only,
    };
    objects.put_on(object, terms).await
}

#[tokio::test]
async fn whoever_may_not_is_told_so_and_not_that_nothing_is_there() {
    let objects = store(|request| Some(refusal(request, 403, "AccessDenied")));
    let folder = TempDir::new().expect("a folder");
    let to = folder.path().join("got");
    let errors = [
        objects.head("bucket", "k", None).await.expect_err("head"),
        objects
            .head("bucket", "k", Some("v"))
            .await
            .expect_err("version"),
        objects
            .get("bucket", "k", None, &to)
            .await
            .expect_err("get"),
        objects.list("bucket", "", "", 1).await.expect_err("list"),
        objects.bucket("bucket").await.expect_err("bucket"),
        objects.create_bucket("bucket").await.expect_err("create"),
        objects.delete_bucket("bucket").await.expect_err("delete"),
        put(&objects, true, PutTerms::default())
            .await
            .expect_err("put"),
    ];
    for error in errors {
        assert!(matches!(error, ObjectError::Denied { .. }), "{error:?}");
        let told = whole(&error);
        assert!(told.starts_with("access is denied: failed to "), "{told}");
        assert!(
            told.contains("bucket `bucket`") && told.contains("request R1"),
            "{told}"
        );
    }
    let request = DeleteObject {
        bucket: "bucket",
        key: "k",
        version: None,
        only_if: None,
    };
    let refused = objects.delete(request).await.expect_err("delete");
    let told = whole(&refused);
    assert_eq!(
        told,
        "access is denied: failed to delete object `k` in bucket `bucket` (so S3 answers, too, for \
         what is not there, whoever may not list the bucket): S3 answered 403 AccessDenied: because \
         of AccessDenied (request R1)"
    );
    assert!(!to.exists());
}

#[tokio::test]
async fn credentials_that_are_no_good_are_no_matter_of_rights() {
    let objects = store(|request| Some(refusal(request, 403, "SignatureDoesNotMatch")));
    let refused = objects.list("bucket", "", "", 1).await;
    let refused = refused.expect_err("it is refused");
    assert!(matches!(refused, ObjectError::System { .. }), "{refused:?}");
    assert!(whole(&refused).contains("403 SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_bucket_elsewhere_says_where() {
    let objects = store(|request| {
        let mut answer = refusal(request, 301, "PermanentRedirect");
        let region = ("x-amz-bucket-region".to_owned(), "eu-central-1".to_owned());
        answer.headers.push(region);
        Some(answer)
    });
    let refused = objects.list("bucket", "", "", 1).await;
    let told = whole(&refused.expect_err("it is elsewhere"));
    assert!(
        told.starts_with("failed to list bucket `bucket`: the bucket is in region eu-central-1: "),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_missing_is_told_by_its_name() {
    let missing = async |code: &'static str| {
        let objects = store(move |request| {
            let (_, target) = request.request_line();
            let is_list = target.contains("versions");
            let none = b"<ListVersionsResult></ListVersionsResult>";
            Some(if is_list {
                done(&[], none)
            } else {
                refusal(request, 404, code)
            })
        });
        let head = objects.head("bucket", "k", Some("v")).await;
        head.expect_err("it is missing")
    };
    let bucket = missing("NoSuchBucket").await;
    assert!(matches!(bucket, ObjectError::NoSuchBucket(name) if name == "bucket"));
    // Of a key without any version S3 says this, too.
    for code in ["NoSuchKey", "NoSuchVersion"] {
        let key = missing(code).await;
        assert!(matches!(key, ObjectError::NoSuchKey { .. }), "{key:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_of_s3_names_no_version() {
    let objects = store(|request| {
        let (_, target) = request.request_line();
        if target.contains("versions") {
            let one = b"<ListVersionsResult><Version><Key>k</Key></Version></ListVersionsResult>";
            return Some(done(&[], one));
        }
        let mut answer = refusal(request, 400, "InvalidArgument");
        if !answer.body.is_empty() {
            answer.body = b"<Error><Code>InvalidArgument</Code>\
                <Message>Invalid version id specified</Message></Error>"
                .to_vec();
        }
        Some(answer)
    });
    let head = objects.head("bucket", "k", Some("v")).await;
    assert!(
        matches!(head, Err(ObjectError::NoSuchVersion { .. })),
        "{head:?}"
    );
    let to = TempDir::new().expect("a folder");
    let get = objects
        .get("bucket", "k", Some("v"), &to.path().join("got"))
        .await;
    assert!(
        matches!(get, Err(ObjectError::NoSuchVersion { .. })),
        "{get:?}"
    );
    let request = DeleteObject {
        bucket: "bucket",
        key: "k",
        version: Some("v"),
        only_if: None,
    };
    let deleted = objects.delete(request).await.expect("it is gone already");
    assert_eq!(
        (deleted.version_id.as_str(), deleted.is_marker),
        ("v", false)
    );
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_no_conflict() {
    let mut stored: Option<String> = None;
    let objects = store(move |request| {
        let entry = request.header("x-amz-meta-pipewright");
        match (request.request_line().0, &stored) {
            ("PUT", None) => {
                stored = Some(entry.expect("a put says which it is").to_owned());
                None
            }
            ("PUT", Some(_)) => Some(refusal(request, 412, "PreconditionFailed")),
            (_, Some(entry)) => Some(done(
                &[
                    ("x-amz-meta-pipewright", entry),
                    ("ETag", "\"tag\""),
                    ("Content-Length", "5"),
                    ("x-amz-version-id", "v1"),
                ],
                b"",
            )),
            (_, None) => Some(refusal(request, 404, "NoSuchKey")),
        }
    });
    let terms = PutTerms {
        only_if: Some(Precondition::Absent),
        etag: None,
    };
    let put = put(&objects, false, terms).await.expect("it was done");
    assert_eq!((put.version_id.as_str(), put.size), ("v1", 5));
}

#[tokio::test]
async fn a_put_waits_for_another_one_and_not_for_ever() {
    let sent = Arc::new(Mutex::new(0_u32));
    let counted = Arc::clone(&sent);
    let objects = store(move |request| {
        let mut sent = counted.lock().expect("nobody panics");
        *sent += 1;
        Some(match *sent {
            1 | 2 => refusal(request, 409, "ConditionalRequestConflict"),
            _ => done(&[("ETag", "\"tag\"")], b""),
        })
    });
    let taken = put(&objects, true, PutTerms::default()).await;
    assert_eq!(taken.expect("it is free in the end").version_id, "null");
    assert_eq!(*sent.lock().expect("nobody panics"), 3);
    let busy = store(|request| Some(refusal(request, 409, "ConditionalRequestConflict")));
    let refused = put(&busy, true, PutTerms::default()).await;
    let told = whole(&refused.expect_err("it is never free"));
    assert!(
        told.contains("other puts of the key were under way 5 times"),
        "{told}"
    );
}

#[tokio::test]
async fn an_upload_whose_end_was_not_answered_is_done() {
    let mut stored: Option<String> = None;
    let objects = store(move |request| {
        let (method, target) = request.request_line();
        let begun = b"<InitiateMultipartUploadResult><UploadId>U</UploadId>\
            </InitiateMultipartUploadResult>";
        Some(match (method, &stored) {
            ("POST", _) if target.contains("uploads") => {
                stored = request.header("x-amz-meta-pipewright").map(str::to_owned);
                done(&[], begun)
            }
            ("POST", _) => refusal(request, 404, "NoSuchUpload"),
            ("PUT", _) => done(&[("ETag", "\"part\"")], b""),
            ("HEAD", Some(entry)) => done(
                &[
                    ("x-amz-meta-pipewright", entry),
                    ("ETag", "\"tag-2\""),
                    ("Content-Length", "5"),
                ],
                b"",
            ),
            _ => refusal(request, 404, "NoSuchKey"),
        })
    });
    let limits = Limits {
        part_bytes: 3,
        ..Limits::default()
    };
    let put = put(&objects.within(limits), false, PutTerms::default()).await;
    let put = put.expect("it was done");
    assert_eq!(put.etag, "\"tag-2\"");
    assert_eq!(put.sha256, hex::encode(Sha256::digest(b"bytes")));
}

#[tokio::test]
async fn a_read_that_breaks_begins_anew_and_not_for_ever() {
    let digest = hex::encode(Sha256::digest(b"bytes"));
    let serve = |broken: u32| {
        let (entry, mut sent) = (format!(r#"{{"sha256":"{digest}"}}"#), 0);
        store(move |_| {
            sent += 1;
            let headers = [("ETag", "\"tag\""), ("x-amz-meta-pipewright", &entry)];
            let mut answer = done(&headers, b"bytes");
            if sent <= broken {
                answer.headers.push((CUT.to_owned(), String::new()));
            }
            Some(answer)
        })
    };
    for broken in [0, 2] {
        let opened = serve(broken).open("bucket", "k", None).await;
        let (info, mut file) = opened.expect("it is read in the end");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the file can be read");
        assert_eq!((info.size, bytes.as_slice()), (5, b"bytes".as_slice()));
    }
    let refused = serve(3).open("bucket", "k", None).await;
    let told = whole(&refused.expect_err("it breaks each time"));
    let begins = "failed to read object `k` of bucket `bucket`: the connection broke 3 times: ";
    assert!(told.starts_with(begins), "{told}");
}
