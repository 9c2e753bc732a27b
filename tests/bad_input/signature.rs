//! Requests that are not signed, or not by whom they say, or not as they came.

use serde_json::json;

use super::{House, exception};
use crate::served::{
    approval,
    key::{Key, Signable},
    pipeline,
};

/// Milliseconds in a minute.
const MINUTE: i64 = 60_000;

/// What would change something if it were believed.
fn request(house: &House) -> Signable {
    let declaration = pipeline("intruder", "QUEUED", &[approval("Ask")]);
    Signable::operation(house.server.address, "CreatePipeline", &declaration).closing()
}

/// The request with one of its headers changed after it was signed; none removes it.
fn changed(house: &House, name: &str, change: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let request = request(house);
    let headers = request.headers(&house.server.key).into_iter();
    let headers: Vec<_> = headers
        .filter_map(|(is, value)| {
            let value = if is == name { change(&value)? } else { value };
            Some((is, value))
        })
        .collect();
    request.with(&headers)
}

/// Fails unless the request is refused so, and changed nothing.
fn refused(house: &House, what: &str, bytes: &[u8], expected: &str) {
    let answer = house.send(bytes);
    assert_eq!(exception(answer.as_ref()), expected, "{what}: {answer:?}");
    let pipelines = house.server.expect("ListPipelines", &json!({}));
    assert_eq!(pipelines["pipelines"], json!([]), "{what}");
}

#[test]
fn whoever_is_not_known_gets_nothing() {
    let house = House::new();
    let key = &house.server.key;
    let stranger = Key {
        id: "PWKAAAAAAAAAAAAAAAAA".to_owned(),
        ..key.clone()
    };
    let unknown = "UnrecognizedClientException";
    refused(&house, "a key", &request(&house).signed(&stranger), unknown);
    let impostor = Key {
        secret: "guessed".to_owned(),
        ..key.clone()
    };
    let invalid = "InvalidSignatureException";
    refused(
        &house,
        "a secret",
        &request(&house).signed(&impostor),
        invalid,
    );
    let mut request = request(&house);
    let nobody = request.with(&request.headers);
    refused(
        &house,
        "nobody",
        &nobody,
        "MissingAuthenticationTokenException",
    );
    let token = ("x-amz-security-token".to_owned(), "token".to_owned());
    request.headers.push(token);
    refused(&house, "a token", &request.signed(key), unknown);
    house.check();
}

#[test]
fn whatever_was_changed_on_the_way_is_not_believed() {
    let house = House::new();
    let invalid = "InvalidSignatureException";
    let mut request = request(&house);
    let headers = request.headers(&house.server.key);
    request.body = String::from_utf8_lossy(&request.body)
        .replace("QUEUED", "PARALLEL")
        .into_bytes();
    refused(&house, "the body", &request.with(&headers), invalid);
    for (name, value) in [
        ("host", "elsewhere:80"),
        ("content-type", "application/json"),
        ("x-amz-target", "CodePipeline_20150709.DeletePipeline"),
        ("x-amz-target", "CodePipeline_20150709.ListPipelines"),
    ] {
        let bytes = changed(&house, name, |_| Some(value.to_owned()));
        refused(&house, name, &bytes, invalid);
    }
    let last = |value: &str| {
        let (rest, last) = value.split_at(value.len() - 1);
        Some(format!("{rest}{}", if last == "0" { "1" } else { "0" }))
    };
    let bytes = changed(&house, "authorization", last);
    refused(&house, "the signature", &bytes, invalid);
    // Without the header that names the operation in it, the signature would fit any of them.
    let unsigned = |value: &str| Some(value.replace(";x-amz-target", ""));
    let bytes = changed(&house, "authorization", unsigned);
    let answer = house.send(&bytes);
    let said = exception(answer.as_ref());
    assert!(said.contains("Signature"), "{said}");
    house.check();
}

#[test]
fn a_signature_is_good_for_five_minutes_one_region_and_one_service() {
    let house = House::new();
    let key = &house.server.key;
    let invalid = "InvalidSignatureException";
    for minutes in [-60 * 24, -6, 6, 60 * 24] {
        let mut request = request(&house);
        request.skew = minutes * MINUTE;
        refused(&house, "the time", &request.signed(key), invalid);
    }
    for (region, service) in [("eu-west-1", "codepipeline"), ("us-east-1", "sts")] {
        let mut request = request(&house);
        request.region = region.to_owned();
        request.service = service.to_owned();
        refused(&house, region, &request.signed(key), invalid);
    }
    for minutes in [-4, 4] {
        let address = house.server.address;
        let mut request = Signable::operation(address, "ListPipelines", &json!({})).closing();
        request.skew = minutes * MINUTE;
        let answer = house.send(&request.signed(key)).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    house.check();
}

#[test]
fn a_header_that_is_no_signature_is_refused_as_such() {
    let house = House::new();
    let long = "A".repeat(10_000);
    for garbage in [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "AWS4-ECDSA-P256-SHA256 Credential=x",
        "Basic YTpi",
        "Bearer token",
        "\u{fffd}\u{fffd}",
        &long,
    ] {
        let bytes = changed(&house, "authorization", |_| Some(garbage.to_owned()));
        let said = exception(house.send(&bytes).as_ref());
        let expected = [
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
        ];
        assert!(expected.contains(&said.as_str()), "`{garbage}`: {said}");
    }
    let bytes = changed(&house, "x-amz-date", |_| None);
    let said = exception(house.send(&bytes).as_ref());
    assert!(said.contains("Signature"), "{said}");
    let twice = changed(&house, "authorization", |value| {
        Some(format!("{value}\r\nauthorization: {value}"))
    });
    let said = exception(house.send(&twice).as_ref());
    assert!(said.contains("Signature"), "{said}");
    house.check();
}
