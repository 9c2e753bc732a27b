//! Failures in the words of S3, each with a message.

use std::error::Error;

use http::{HeaderMap, HeaderValue, StatusCode};
use ports::objects::{Marker, ObjectError};
use s3s::{S3Error, S3ErrorCode, s3_error};

/// How many causes are told.
const CAUSES_MAX: usize = 8;

/// Of the object store.
pub(crate) fn of_objects(error: &ObjectError) -> S3Error {
    let code = match error {
        ObjectError::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
        ObjectError::NoSuchKey { .. } => S3ErrorCode::NoSuchKey,
        ObjectError::NoSuchVersion { .. } => S3ErrorCode::NoSuchVersion,
        ObjectError::NotEmpty(_) => S3ErrorCode::BucketNotEmpty,
        ObjectError::Exists { .. } | ObjectError::Precondition { .. } => {
            S3ErrorCode::PreconditionFailed
        }
        ObjectError::InvalidName(_) => S3ErrorCode::InvalidArgument,
        ObjectError::Denied { .. } => S3ErrorCode::AccessDenied,
        ObjectError::Damaged { .. } => S3ErrorCode::InternalError,
        ObjectError::System { .. } => return system(error),
    };
    S3Error::with_message(code, format!("{error}."))
}

/// Of this machine. A full disk is nobody's mistake and passes, so it is no internal error.
pub(crate) fn system(error: &(dyn Error + 'static)) -> S3Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(next) = cause else {
            break;
        };
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    let is_full = text.contains("disk is full") || text.contains("No space left");
    let code = if is_full {
        S3ErrorCode::ServiceUnavailable
    } else {
        S3ErrorCode::InternalError
    };
    S3Error::with_message(code, text)
}

/// Of files in the folder of uploads.
pub(crate) fn io(doing: &str, error: std::io::Error) -> S3Error {
    system(&ObjectError::System {
        doing: doing.to_owned(),
        source: error.into(),
    })
}

/// Of work that did not come to its end.
pub(crate) fn join(error: &tokio::task::JoinError) -> S3Error {
    s3_error!(
        InternalError,
        "The work on the request was broken off: {error}"
    )
}

/// Somebody asked for a key that is deleted, or for a marker as if it were an object.
pub(crate) fn marker(marker: &Marker, is_named: bool) -> S3Error {
    let mut error = if is_named {
        s3_error!(
            MethodNotAllowed,
            "Version {} of {} is a delete marker, which has no bytes.",
            marker.version_id,
            marker.key
        )
    } else {
        s3_error!(NoSuchKey, "The object {} was deleted.", marker.key)
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(&marker.version_id) {
        headers.insert("x-amz-version-id", id);
    }
    error.set_headers(headers);
    error
}

/// A body that could not be read to its end as it was announced. The library has no public types for
/// its errors, only their texts.
pub(crate) fn of_body(error: &(dyn Error + Send + Sync + 'static)) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return custom(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
    }
    if text.contains("SignatureMismatch") {
        return s3_error!(
            SignatureDoesNotMatch,
            "The signature of a chunk or of the trailer does not match what was computed."
        );
    }
    if text.contains("Incomplete") || text.contains("LengthMismatch") {
        return s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        );
    }
    if text.contains("FormatError") || text.contains("Large") || text.contains("TooMany") {
        return s3_error!(
            InvalidRequest,
            "The body is not well-formed aws-chunked: {text}."
        );
    }
    s3_error!(
        IncompleteBody,
        "The body could not be read to its end: {text}."
    )
}

/// A code that the library does not know; all of them are mistakes of the client.
pub(crate) fn custom(code: &'static str, message: impl Into<String>) -> S3Error {
    let code = S3ErrorCode::Custom(code.into());
    let mut error = S3Error::with_message(code, message.into());
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

/// Something that S3 has and this endpoint does not.
pub(crate) fn not_here(what: &str) -> S3Error {
    s3_error!(NotImplemented, "{what} is not implemented; leave it out.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_the_store_has_its_code() {
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        let version = "v".to_owned();
        let system = |text: &str| ObjectError::System {
            doing: "store it".to_owned(),
            source: text.into(),
        };
        let (of, at) = (bucket.clone(), key.clone());
        let errors = [
            (ObjectError::NotEmpty(bucket.clone()), "BucketNotEmpty", 409),
            (ObjectError::NoSuchKey { bucket, key }, "NoSuchKey", 404),
            (
                ObjectError::NoSuchVersion {
                    bucket: of.clone(),
                    key: at.clone(),
                    version,
                },
                "NoSuchVersion",
                404,
            ),
            (
                ObjectError::Precondition {
                    bucket: of.clone(),
                    key: at.clone(),
                },
                "PreconditionFailed",
                412,
            ),
            (
                ObjectError::InvalidName(String::new()),
                "InvalidArgument",
                400,
            ),
            (
                ObjectError::Damaged {
                    bucket: of,
                    key: at,
                },
                "InternalError",
                500,
            ),
            (
                ObjectError::Denied {
                    doing: "read it".to_owned(),
                    source: "a policy".into(),
                },
                "AccessDenied",
                403,
            ),
            (system("odd"), "InternalError", 500),
            (system("the disk is full"), "ServiceUnavailable", 503),
        ];
        for (error, code, status) in errors {
            has(&error, code, status);
        }
        let none = ObjectError::NoSuchBucket("none".to_owned());
        has(&none, "NoSuchBucket", 404);
    }

    fn has(error: &ObjectError, code: &str, status: u16) {
        let told = of_objects(error);
        assert_eq!(told.code().as_str(), code);
        assert_eq!(told.status_code().unwrap().as_u16(), status);
        assert!(told.message().is_some_and(|text| !text.is_empty()));
    }

    #[test]
    fn every_failure_of_a_body_has_its_code() {
        let codes = [
            (
                "UploadStreamError: Sha256Mismatch",
                "XAmzContentSHA256Mismatch",
            ),
            (
                "AwsChunkedStreamError: SignatureMismatch",
                "SignatureDoesNotMatch",
            ),
            ("UploadStreamError: Incomplete", "IncompleteBody"),
            ("AwsChunkedStreamError: FormatError", "InvalidRequest"),
            ("connection reset", "IncompleteBody"),
        ];
        for (text, code) in codes {
            let error: Box<dyn Error + Send + Sync> = text.into();
            assert_eq!(of_body(&*error).code().as_str(), code);
        }
    }
}
