//! Requests of an HTTP API (payload 2.0) as requests, and answers as it wants them.
//!
//! Path, query and headers go on as they came: the signature of a request is over them.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_TYPE, COOKIE, SET_COOKIE},
};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why an event is no request.
#[derive(Debug, Error)]
pub enum GatewayError {
    #[error("the event is no request of an HTTP API with payload 2.0")]
    Form(#[from] serde_json::Error),
    #[error("the event has no path: it is no request of an HTTP API with payload 2.0")]
    NoPath,
    #[error("the request's body is not the base64 that it is said to be")]
    Body(#[from] base64::DecodeError),
    #[error("the event is no request")]
    Request(#[from] http::Error),
}

/// A request with the address that it came from.
#[derive(Debug)]
pub struct Received {
    pub request: Request<Bytes>,
    pub source: String,
    /// Of the gateway, for its log.
    pub id: String,
}

/// The request that an event is.
pub fn request(event: Value) -> Result<Received, GatewayError> {
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event)?;
    let context = event.request_context;
    let mut target = event
        .raw_path
        .filter(|path| path.starts_with('/'))
        .ok_or(GatewayError::NoPath)?;
    if let Some(query) = event.raw_query_string.filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(&query);
    }
    let text = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        Bytes::from(BASE64_STANDARD.decode(text)?)
    } else {
        Bytes::from(text)
    };
    let builder = Request::builder().method(context.http.method).uri(target);
    let mut request = builder.body(body)?;
    *request.headers_mut() = event.headers;
    // The gateway takes cookies out of the headers.
    let cookies = event.cookies.unwrap_or_default().join("; ");
    if !cookies.is_empty() && !request.headers().contains_key(COOKIE) {
        let cookies = HeaderValue::from_str(&cookies).map_err(http::Error::from)?;
        request.headers_mut().insert(COOKIE, cookies);
    }
    Ok(Received {
        request,
        source: context.http.source_ip.unwrap_or_default(),
        id: context.request_id.unwrap_or_default(),
    })
}

/// An answer as the gateway takes it: text as text, everything else as base64.
pub fn response(response: Response<Bytes>) -> Value {
    let (parts, body) = response.into_parts();
    let mut headers: Map<String, Value> = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in &parts.headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == SET_COOKIE {
            cookies.push(text);
            continue;
        }
        match headers.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&text);
            }
            _ => drop(headers.insert(name.to_string(), Value::String(text))),
        }
    }
    let is_text = parts.headers.get(CONTENT_TYPE).is_none_or(is_text);
    let (body, is_base64) = match std::str::from_utf8(&body) {
        Ok(text) if is_text => (text.to_owned(), false),
        _ => (BASE64_STANDARD.encode(&body), true),
    };
    json!({
        "statusCode": parts.status.as_u16(),
        "headers": headers,
        "cookies": cookies,
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn is_text(content_type: &HeaderValue) -> bool {
    let value = content_type.to_str().unwrap_or_default();
    value.starts_with("text/") || value.contains("json") || value.contains("xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(more: &Value) -> Value {
        let mut event = json!({
            "version": "2.0",
            "rawPath": "/approvals/a~b",
            "rawQueryString": "b=2&a=%20+x",
            "headers": {"x-amz-target": "S.Get", "host": "h", "accept": "a,b"},
            "requestContext": {
                "requestId": "r1",
                "http": {"method": "POST", "sourceIp": "192.0.2.7"},
            },
            "isBase64Encoded": false,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        event
    }

    #[test]
    fn a_request_is_as_it_came() {
        let received = request(event(&json!({"body": "{}"}))).expect("it is a request");
        let request = received.request;
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "/approvals/a~b?b=2&a=%20+x");
        assert_eq!(request.headers()["x-amz-target"], "S.Get");
        assert_eq!(request.headers()["accept"], "a,b");
        assert_eq!(request.body(), "{}");
        assert_eq!(
            (received.source.as_str(), received.id.as_str()),
            ("192.0.2.7", "r1")
        );
    }

    #[test]
    fn a_body_that_was_encoded_is_decoded_and_one_that_is_broken_is_refused() {
        let encoded = json!({"body": "AP8=", "isBase64Encoded": true});
        let bytes = request(event(&encoded)).expect("it is a request");
        assert_eq!(bytes.request.body(), &[0, 255][..]);
        let broken = json!({"body": "%", "isBase64Encoded": true});
        let error = request(event(&broken)).expect_err("it is broken");
        assert!(matches!(error, GatewayError::Body(_)), "{error}");
    }

    #[test]
    fn cookies_are_where_requests_have_them() {
        let both = json!({"cookies": ["a=1", "b=2"]});
        let received = request(event(&both)).expect("it is a request");
        assert_eq!(received.request.headers()["cookie"], "a=1; b=2");
        let answer = Response::builder()
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(Bytes::new());
        let answer = response(answer.expect("it is an answer"));
        assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(answer["headers"], json!({}));
    }

    #[test]
    fn what_is_no_request_is_told() {
        let error = request(event(&json!({"rawPath": ""}))).expect_err("it has no path");
        assert!(matches!(error, GatewayError::NoPath), "{error}");
        let form = request(json!({"Records": []})).expect_err("it is a batch");
        assert!(matches!(form, GatewayError::Form(_)), "{form}");
        let odd = request(event(&json!({"rawPath": "/a b"}))).expect_err("no such URI");
        assert!(matches!(odd, GatewayError::Request(_)), "{odd}");
    }

    #[test]
    fn text_goes_back_as_text_and_bytes_as_base64() {
        let text = Response::builder()
            .status(400)
            .header("content-type", "application/x-amz-json-1.1")
            .header("vary", "a")
            .header("vary", "b")
            .body(Bytes::from("{}"));
        let expected = json!({
            "statusCode": 400,
            "headers": {"content-type": "application/x-amz-json-1.1", "vary": "a,b"},
            "cookies": [], "body": "{}", "isBase64Encoded": false,
        });
        assert_eq!(response(text.expect("it is an answer")), expected);
        let bytes = Response::builder()
            .header("content-type", "application/zip")
            .body(Bytes::from("zip"));
        let bytes = response(bytes.expect("it is an answer"));
        assert_eq!(
            (&bytes["body"], &bytes["isBase64Encoded"]),
            (&json!("emlw"), &json!(true))
        );
        let odd = response(Response::new(Bytes::from_static(&[255])));
        assert_eq!(odd["body"], "/w==");
    }
}
