//! What the errors of S3 mean to the port.

use std::{fmt, io};

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use ports::objects::ObjectError;

use super::Place;

/// Of whom a request was about.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    Bucket(&'a str),
    Object(Place<'a>),
}

/// Codes that say that whoever asks may not; an answer without a body has none.
const DENIED: [&str; 5] = [
    "AccessDenied",
    "AllAccessDisabled",
    "AccountProblem",
    "Forbidden",
    "",
];

/// The code of an answer, or nothing when there was none or it has no body.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    match error {
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or_default(),
        _ => "",
    }
}

/// The HTTP status of an answer; none when there was no answer.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// The text of a header of a refusal.
pub(super) fn header<'a, E>(error: &'a SdkError<E, HttpResponse>, name: &str) -> Option<&'a str> {
    error.raw_response()?.headers().get(name)
}

/// What an error means; `doing` completes "failed to", and names bucket and key.
pub(super) fn failed<E>(
    doing: &str,
    about: About<'_>,
    error: &SdkError<E, HttpResponse>,
) -> ObjectError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let bucket = match about {
        About::Bucket(bucket) => bucket,
        About::Object(place) => place.bucket,
    };
    let code = code(error);
    match code {
        "NoSuchBucket" => return ObjectError::NoSuchBucket(bucket.to_owned()),
        "BucketNotEmpty" => return ObjectError::NotEmpty(bucket.to_owned()),
        "InvalidBucketName" | "KeyTooLongError" => {
            let text = format!("S3 does not take the name: {}", Answer::of(error));
            return ObjectError::InvalidName(text);
        }
        _ => {}
    }
    if let Some(told) = of_object(code, about, error) {
        return told;
    }
    let source = Box::new(Answer::of(error));
    if status(error) == Some(403) && DENIED.contains(&code) {
        let doing = format!(
            "{doing} (so S3 answers, too, for what is not there, whoever may not list the bucket)"
        );
        return ObjectError::Denied { doing, source };
    }
    let mut doing = doing.to_owned();
    if let Some(region) = header(error, "x-amz-bucket-region")
        && status(error).is_some_and(|status| status == 301 || status == 307)
    {
        doing.push_str(": the bucket is in region ");
        doing.push_str(region);
    }
    ObjectError::System { doing, source }
}

/// What is told of an object only.
fn of_object<E: ProvideErrorMetadata>(
    code: &str,
    about: About<'_>,
    error: &SdkError<E, HttpResponse>,
) -> Option<ObjectError> {
    let About::Object(place) = about else {
        return None;
    };
    let (bucket, key) = (place.bucket.to_owned(), place.key.to_owned());
    let no_version = |version: &str| ObjectError::NoSuchVersion {
        bucket: place.bucket.to_owned(),
        key: place.key.to_owned(),
        version: version.to_owned(),
    };
    match (code, place.version) {
        ("NoSuchKey", _) => Some(ObjectError::NoSuchKey { bucket, key }),
        // Of a marker nothing can be read; what is no id of S3's was never one of a version.
        ("NoSuchVersion" | "MethodNotAllowed", Some(version)) => Some(no_version(version)),
        ("InvalidArgument", Some(version)) if message(error).contains("version id") => {
            Some(no_version(version))
        }
        ("PreconditionFailed", _) => Some(ObjectError::Precondition { bucket, key }),
        _ if status(error) == Some(412) => Some(ObjectError::Precondition { bucket, key }),
        _ => None,
    }
}

fn message<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    match error {
        SdkError::ServiceError(refused) => refused.err().message().unwrap_or_default(),
        _ => "",
    }
}

pub(super) fn system(
    doing: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ObjectError {
    ObjectError::System {
        doing: doing.into(),
        source: source.into(),
    }
}

/// A full disk is the one failure that the reader can do something about, so it is named.
pub(super) fn io_failed(doing: impl Into<String>, error: io::Error) -> ObjectError {
    let mut doing = doing.into();
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        doing.push_str(": the disk is full");
    }
    system(doing, error)
}

pub(super) fn damaged(place: Place<'_>) -> ObjectError {
    ObjectError::Damaged {
        bucket: place.bucket.to_owned(),
        key: place.key.to_owned(),
    }
}

/// What S3 said, in a line.
#[derive(Debug)]
struct Answer(String);

impl Answer {
    fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(refused) = error else {
            return Self(DisplayErrorContext(error).to_string());
        };
        let code = refused.err().code().unwrap_or("without a code");
        let mut text = format!("S3 answered {} {code}", refused.raw().status().as_u16());
        if let Some(message) = refused.err().message() {
            text.push_str(": ");
            text.push_str(message);
        }
        if let Some(request) = refused.raw().headers().get("x-amz-request-id") {
            text.push_str(" (request ");
            text.push_str(request);
            text.push(')');
        }
        Self(text)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Answer {}
