//! Reading the body of a request: all of it, if it is not too long and does not take too long.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, EXPECT},
    request::Parts,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde_json::json;
use tokio::time::timeout;

use super::answer::{Answer, text};

/// How long a client may take for the body of a request.
const BODY_WITHIN: Duration = Duration::from_mins(1);

/// How much is read of a body that is too long, and for how long, before the answer is given.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// Why there is no body.
enum Unread {
    TooLong,
    BrokenOff,
    TooSlow,
}

/// Reads a body of up to `limit` bytes; the answer says why it could not be read.
pub async fn collect(parts: &Parts, mut body: Incoming, limit: usize) -> Result<Bytes, Answer> {
    let why = match read(&mut body, limit).await {
        Ok(bytes) => return Ok(bytes),
        Err(why) => why,
    };
    // Whoever asked before it sends the body is told at once.
    if matches!(why, Unread::TooLong) && !parts.headers.contains_key(EXPECT) {
        discard(body).await;
    }
    Err(refuse(&why, limit))
}

async fn read(body: &mut Incoming, limit: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLong);
    }
    match timeout(BODY_WITHIN, Limited::new(body, limit).collect()).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Ok(Err(_)) => Err(Unread::BrokenOff),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Reads on, so that a client that is still sending gets to hear the answer and no reset.
async fn discard(mut body: Incoming) {
    let rest = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARDED_BYTES_MAX {
                return;
            }
        }
    };
    // Whoever sends more, or slower, is cut off.
    let _ = timeout(DISCARD_WITHIN, rest).await;
}

fn refuse(why: &Unread, limit: usize) -> Answer {
    let (status, exception, message) = match why {
        Unread::TooLong => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            format!("the body is longer than {limit} bytes"),
        ),
        Unread::BrokenOff => (
            StatusCode::BAD_REQUEST,
            "SerializationException",
            "the body broke off".to_owned(),
        ),
        Unread::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeoutException",
            format!("the body took longer than {} s", BODY_WITHIN.as_secs()),
        ),
    };
    let body = json!({"__type": exception, "message": message}).to_string();
    let mut answer = text(status, &body);
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    headers.insert("x-amzn-errortype", HeaderValue::from_static(exception));
    // What is left of the body is not read.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
