//! An answer on its way out.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use serde_json::json;

/// An answer, whoever gives it.
pub type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A body that is there already.
pub fn whole(body: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The answer of a room that panicked.
pub fn failed() -> Answer {
    let message = "an operation failed unexpectedly";
    let body = json!({"__type": "InternalFailure", "message": message});
    text(StatusCode::INTERNAL_SERVER_ERROR, &body.to_string())
}

/// A plain text.
pub fn text(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(whole(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
