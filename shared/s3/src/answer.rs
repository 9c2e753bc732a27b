//! What goes back to the client and to the listener.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use s3s::S3Error;
use uuid::Uuid;

/// A failure of a body, on its way in or out.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
#[derive(Debug, Default)]
pub struct Body(s3s::Body);

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// What was seen of a request, for those who keep a trail: an extension of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub request_id: String,
    /// `GetObject`; none when the request was refused before that was known.
    pub operation: Option<String>,
    /// The key that the request was signed with; none when its signature did not prove good.
    pub access_key: Option<String>,
    pub arn: Option<String>,
    /// What was asked for, as an ARN.
    pub resource: Option<String>,
    /// The code of the error, as in `AccessDenied`.
    pub error: Option<String>,
}

/// What is being seen of a request while it is worked on.
#[derive(Clone, Default)]
pub(crate) struct Seeing(Arc<Mutex<Seen>>);

impl Seeing {
    pub(crate) fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn taken(&self) -> Seen {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Turns what the library answers into what the client gets: every answer has a request id, every
/// error a message, because clients print "Unknown" or nothing otherwise.
pub(crate) fn finish(answer: Response<s3s::Body>, seeing: &Seeing) -> Response<Body> {
    let (mut head, mut body) = answer.into_parts();
    let mut seen = seeing.taken();
    seen.request_id = Uuid::new_v4().simple().to_string();
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    if is_error && let Some(text) = body.bytes() {
        let text = String::from_utf8_lossy(&text).into_owned();
        seen.error = between(&text, "<Code>", "</Code>").map(str::to_owned);
        let text = with_message(text, &seen.request_id);
        head.headers.remove(header::CONTENT_LENGTH);
        body = s3s::Body::from(text);
    }
    if let Ok(id) = HeaderValue::from_str(&seen.request_id) {
        head.headers.insert("x-amz-request-id", id);
    }
    head.extensions.insert(seen);
    Response::from_parts(head, Body(body))
}

/// An answer that was decided before the library had the request.
pub(crate) fn refusal(error: S3Error, seeing: &Seeing) -> Response<Body> {
    let answer = error.to_http_response().unwrap_or_else(|_| {
        let mut answer = Response::new(s3s::Body::empty());
        *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        answer
    });
    finish(answer, seeing)
}

/// Adds what the library leaves out of an error document.
fn with_message(text: String, request_id: &str) -> String {
    let Some(code) = between(&text, "<Code>", "</Code>") else {
        return text;
    };
    let missing = |element: &str, content: &str| {
        if text.contains(&format!("<{element}>")) {
            return String::new();
        }
        format!("<{element}>{content}</{element}>")
    };
    let message = missing("Message", message(code));
    let id = missing("RequestId", request_id);
    text.replacen("</Error>", &format!("{message}{id}</Error>"), 1)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(between, _)| between)
}

/// What an error means that the library tells by its code alone.
fn message(code: &str) -> &'static str {
    match code {
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check \
             your secret access key and signing method."
        }
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "The address of the request could not be parsed.",
        "KeyTooLongError" => "The key is longer than 1024 bytes.",
        "MissingContentLength" => "The request needs a Content-Length header.",
        "IncompleteBody" => "The body is not as long as the Content-Length header says.",
        "MaxMessageLengthExceeded" => "The body is too long for this operation.",
        "MethodNotAllowed" => "The method is not allowed against this resource.",
        "MalformedXML" => "The body is not well-formed XML, or not of the form of this operation.",
        "NotImplemented" => "The operation is not implemented.",
        _ => "The request was refused.",
    }
}

#[cfg(test)]
mod tests {
    use s3s::s3_error;

    use super::*;

    #[test]
    fn an_error_without_a_message_is_given_one() {
        let answer = refusal(s3_error!(SignatureDoesNotMatch), &Seeing::default());
        let seen = answer.extensions().get::<Seen>().unwrap();
        assert_eq!(seen.error.as_deref(), Some("SignatureDoesNotMatch"));
        let id = answer.headers()["x-amz-request-id"].to_str().unwrap();
        assert_eq!(id, seen.request_id);
        let text = with_message("<Error><Code>InvalidURI</Code></Error>".to_owned(), "7");
        let whole = "<Error><Code>InvalidURI</Code><Message>The address of the request could not \
                     be parsed.</Message><RequestId>7</RequestId></Error>";
        assert_eq!(text, whole);
        let said = "<Error><Code>X</Code><Message>m</Message><RequestId>1</RequestId></Error>";
        assert_eq!(with_message(said.to_owned(), "7"), said);
        assert_eq!(with_message("no document".to_owned(), "7"), "no document");
    }
}
