//! Requests of people who may ask, for what nobody can be asked.

use serde_json::json;

use super::{House, exception};
use crate::served::{
    approval,
    chance::Chance,
    key::{Signable, TARGET},
    pipeline,
    wire::Answer,
};

/// The largest body.
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Where the changed bodies begin; a failure names the body.
const SEED: u64 = 20_261_121;

/// How many changed bodies are sent.
const CHANGED: usize = 400;

impl House {
    /// Sends a signed body for an operation.
    fn body(&self, operation: &str, body: &[u8]) -> Option<Answer> {
        let target = format!("{TARGET}.{operation}");
        let request = Signable::target(self.server.address, &target, body).closing();
        self.send(&request.signed(&self.server.key))
    }
}

#[test]
fn a_body_that_is_no_json_is_refused() {
    let house = House::new();
    let deep = ["[".repeat(200_000), "{\"a\":".repeat(100_000)];
    let texts = [
        "{",
        "}",
        "{]",
        "nul",
        "{\"name\":}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":NaN}",
        "{'name':'a'}",
        "{\"name\":\"a\"} trailing",
        "<xml/>",
        "\u{feff}{}",
        "\0",
        &deep[0],
        &deep[1],
    ];
    let bytes = texts.iter().map(|text| text.as_bytes());
    let others: [&[u8]; 3] = [
        b"\xff\xfe\x00\x01",
        b"{\"name\":\"\xc3\x28\"}",
        b"\xed\xa0\x80",
    ];
    for body in bytes.chain(others) {
        let said = exception(house.body("GetPipeline", body).as_ref());
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(said, "SerializationException", "{shown}");
    }
    house.check();
}

#[test]
fn json_that_is_no_request_is_refused() {
    let house = House::new();
    for body in [
        "[]",
        "null",
        "\"x\"",
        "17",
        "{}",
        "{\"name\":null}",
        "{\"name\":17}",
        "{\"name\":{}}",
        "{\"name\":[\"a\"]}",
        "{\"name\":\"\"}",
        "{\"name\":\"no spaces\"}",
        "{\"name\":\"\\u0000\"}",
        "{\"name\":1e999}",
        // The last one counts, as in every other parser of these services.
        "{\"name\":17,\"name\":\"absent\"}",
        "{\"name\":\"absent\",\"version\":99999999999999999999}",
        "{\"name\":\"absent\",\"version\":-1}",
        "{\"name\":\"absent\",\"version\":1.5}",
    ] {
        let answer = house.body("GetPipeline", body.as_bytes());
        let said = exception(answer.as_ref());
        let expected = [
            "ValidationException",
            "SerializationException",
            "PipelineNotFoundException",
        ];
        assert!(expected.contains(&said.as_str()), "{body}: {answer:?}");
    }
    house.check();
}

#[test]
fn members_that_nobody_knows_change_nothing() {
    let house = House::new();
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    for body in [
        "{\"colour\":\"blue\"}",
        "{\"maxResults\":10,\"MaxResults\":-1}",
        "",
        &format!("{{\"deep\":{deep}}}"),
    ] {
        let answer = house.body("ListPipelines", body.as_bytes());
        assert_eq!(answer.expect("an answer").status, 200, "{body}");
    }
    house.check();
}

#[test]
fn operations_that_are_not_there_are_named() {
    let house = House::new();
    let long = format!("{TARGET}.{}", "X".repeat(8_000));
    let unknown = [
        "CodePipeline_20150709.Explode",
        "CodePipeline_20150709.PollForJobs",
        "CodePipeline_20150709.",
        "CodePipeline_19990101.ListPipelines",
        "codepipeline_20150709.listpipelines",
        "ListPipelines",
        ".",
        "",
        long.as_str(),
    ];
    for target in unknown {
        let request = Signable::target(house.server.address, target, b"{}").closing();
        let said = exception(house.send(&request.signed(&house.server.key)).as_ref());
        assert_eq!(said, "UnknownOperationException", "{target}");
    }
    for (method, path) in [("GET", "/"), ("DELETE", "/"), ("PUT", "/"), ("POST", "/x")] {
        let mut request = Signable::operation(house.server.address, "ListPipelines", &json!({}));
        request.method = method.to_owned();
        request.path = path.to_owned();
        let answer = house.send(&request.closing().signed(&house.server.key));
        let status = answer.expect("an answer").status;
        assert!((400..500).contains(&status), "{method} {path}: {status}");
    }
    house.check();
}

#[test]
fn a_body_that_is_too_long_is_not_read() {
    let house = House::new();
    let fits = format!("{{\"pad\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX - 10));
    assert_eq!(fits.len(), BODY_BYTES_MAX);
    let answer = house.body("ListPipelines", fits.as_bytes());
    assert_eq!(answer.expect("an answer").status, 200);
    // Whoever sends all of it before it listens hears why.
    for longer in [format!("{fits} "), fits.repeat(3)] {
        let answer = house.body("ListPipelines", longer.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.exception().is_some(), "{answer:?}");
    }
    let address = house.server.address;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: {TARGET}.ListPipelines\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        BODY_BYTES_MAX + 1
    );
    let answer = house.send(head.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.exception().is_some(), "{answer:?}");
    // Who does not say how much it is, is told when it was too much.
    let mut chunked = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: {TARGET}.ListPipelines\r\n\
         transfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    let chunk = [
        b"100000\r\n".to_vec(),
        vec![b' '; 1024 * 1024],
        b"\r\n".to_vec(),
    ]
    .concat();
    for _ in 0..7 {
        chunked.extend(&chunk);
    }
    chunked.extend(b"0\r\n\r\n");
    let answer = house.send(&chunked).expect("an answer");
    assert_eq!(answer.status, 413, "{answer:?}");
    house.check();
}

#[test]
fn declarations_with_broken_bytes_are_refused_or_right() {
    let house = House::new();
    let mut chance = Chance::new(SEED);
    let operations = ["CreatePipeline", "UpdatePipeline", "StartPipelineExecution"];
    let whole = pipeline("fuzzed", "QUEUED", &[approval("Ask")]).to_string();
    for number in 0..CHANGED {
        let mut body = whole.clone().into_bytes();
        for _ in 0..=chance.below(3) {
            let place = usize::try_from(chance.below(body.len() as u64)).expect("it is small");
            match chance.below(4) {
                0 => body[place] = *chance.pick(b"\"{}[]:,0-\\e \xff"),
                1 => {
                    body.remove(place);
                }
                2 => body.insert(place, *chance.pick(b"\"{}[]:,0-\\e \x00")),
                _ => body.truncate(place.max(1)),
            }
        }
        let operation = *chance.pick(&operations);
        let answer = house.body(operation, &body).expect("an answer");
        let shown = String::from_utf8_lossy(&body).into_owned();
        let is_modelled = answer.status == 200 || answer.exception().is_some();
        assert!(
            answer.status < 500 && is_modelled,
            "{number}: {operation} {shown}: {answer:?}"
        );
        if answer.status == 200 && operation != "StartPipelineExecution" {
            let name = answer.json()["pipeline"]["name"].clone();
            house
                .server
                .expect("DeletePipeline", &json!({"name": name}));
        }
    }
    house.check();
}
