//! Bytes that are no HTTP, or not all of it.

use std::{io::Read as _, net::Shutdown, thread, time::Duration};

use serde_json::json;

use super::House;
use crate::served::{
    chance::Chance,
    key::Signable,
    wire::{Answer, Wire},
};

/// Where the garbage begins; a failure names it.
const SEED: u64 = 7_780;

/// How many connections bring garbage.
const GARBAGE: usize = 200;

/// How many connections are slow, and how many bytes each of them sends.
const SLOW: usize = 200;
const SLOW_BYTES: usize = 20;

/// Fails unless that is an error of the client, or no answer at all.
fn refused(what: &str, answer: Option<&Answer>) {
    if let Some(answer) = answer {
        assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    }
}

fn list(house: &House) -> Signable {
    Signable::operation(house.server.address, "ListPipelines", &json!({}))
}

#[test]
fn what_is_no_http_is_answered_by_closing() {
    let house = House::new();
    for garbage in [
        &b"\r\n\r\n\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nna me: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nx: \x01\x00\r\n\r\n",
        b"POST /\x00 HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut wire = Wire::open(house.server.address).expect("it can be reached");
        let _ = wire.send(garbage);
        let _ = wire.stream().shutdown(Shutdown::Write);
        let answer = wire.answer().ok().flatten();
        refused(&String::from_utf8_lossy(garbage), answer.as_ref());
    }
    let mut chance = Chance::new(SEED);
    for number in 0..GARBAGE {
        let length = chance.below(300);
        let garbage: Vec<u8> = (0..length)
            .map(|_| chance.next().to_le_bytes()[0])
            .collect();
        let mut wire = Wire::open(house.server.address).expect("it can be reached");
        let _ = wire.send(&garbage);
        let _ = wire.stream().shutdown(Shutdown::Write);
        let answer = wire.answer().ok().flatten();
        refused(&format!("{number}: {garbage:?}"), answer.as_ref());
    }
    house.check();
}

#[test]
fn heads_have_a_limit() {
    let house = House::new();
    let key = &house.server.key;
    let mut long = list(&house).closing();
    long.headers
        .push(("x-long".to_owned(), "x".repeat(200_000)));
    refused("a long head", house.send(&long.signed(key)).as_ref());
    let mut many = list(&house).closing();
    for number in 0..500 {
        many.headers.push((format!("x-{number}"), "x".to_owned()));
    }
    refused("many headers", house.send(&many.signed(key)).as_ref());
    let mut path = list(&house).closing();
    path.path = format!("/{}", "x".repeat(100_000));
    refused("a long path", house.send(&path.signed(key)).as_ref());
    house.check();
}

#[test]
fn requests_may_follow_each_other_before_they_are_answered() {
    let house = House::new();
    let address = house.server.address;
    let key = &house.server.key;
    let absent = Signable::operation(address, "GetPipeline", &json!({"name": "absent"}));
    let mut wire = Wire::open(address).expect("it can be reached");
    let (good, bad) = (list(&house).signed(key), absent.signed(key));
    let all = [good.clone(), bad.clone(), good.clone(), bad, good].concat();
    wire.send(&all).expect("it reads");
    let answers = (0..5).map(|_| wire.answer().expect("an answer").expect("an answer").status);
    assert_eq!(answers.collect::<Vec<_>>(), [200, 400, 200, 400, 200]);
    house.check();
}

/// Two lengths are how one request hides in another: the second one must not be carried out.
#[test]
fn a_request_cannot_hide_in_another() {
    let house = House::new();
    let address = house.server.address;
    let hidden = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let bytes = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let mut wire = Wire::open(address).expect("it can be reached");
    wire.send(bytes.as_bytes()).expect("it reads");
    let first = wire.answer().ok().flatten();
    refused("two lengths", first.as_ref());
    let second = wire.answer().ok().flatten();
    assert!(second.is_none(), "it was carried out: {second:?}");
    house.check();
}

#[test]
fn whoever_stops_to_send_or_to_listen_harms_nobody() {
    let house = House::new();
    let request = list(&house).signed(&house.server.key);
    for part in [0, 1, 10, request.len() / 2, request.len() - 1] {
        let mut wire = Wire::open(house.server.address).expect("it can be reached");
        wire.send(&request[..part]).expect("it reads");
        wire.stream().shutdown(Shutdown::Write).expect("it can be");
        refused("a part", wire.answer().ok().flatten().as_ref());
    }
    // All of it was sent; whether anybody still listens is not known.
    let mut wire = Wire::open(house.server.address).expect("it can be reached");
    wire.send(&request).expect("it reads");
    wire.stream().shutdown(Shutdown::Write).expect("it can be");
    if let Some(answer) = wire.answer().ok().flatten() {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for _ in 0..50 {
        let mut wire = Wire::open(house.server.address).expect("it can be reached");
        wire.send(&request).expect("it reads");
        drop(wire);
    }
    house.check();
}

#[test]
fn slow_clients_keep_nobody_waiting() {
    let house = House::new();
    let request = list(&house).signed(&house.server.key);
    let mut slow: Vec<Wire> = (0..SLOW)
        .map(|_| Wire::open(house.server.address).expect("it can be reached"))
        .collect();
    for byte in &request[..SLOW_BYTES] {
        for wire in &mut slow {
            wire.send(&[*byte]).expect("it reads");
        }
        // Between two bytes of each of them, somebody else is served.
        let pipelines = house.server.expect("ListPipelines", &json!({}));
        assert_eq!(pipelines["pipelines"], json!([]));
        thread::sleep(Duration::from_millis(10));
    }
    // And whoever is slow but comes to the end is, too.
    let wire = &mut slow[0];
    wire.send(&request[SLOW_BYTES..]).expect("it reads");
    let answer = wire.answer().expect("an answer").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    house.check();
}

#[test]
#[ignore = "it waits for a minute; run it with: cargo test -p pipewright --test end_to_end -- --ignored"]
fn a_head_that_never_ends_is_not_waited_for() {
    let house = House::new();
    let request = list(&house).signed(&house.server.key);
    let mut wire = Wire::open(house.server.address).expect("it can be reached");
    wire.send(&request[..SLOW_BYTES]).expect("it reads");
    let patience = Some(Duration::from_secs(90));
    wire.stream().set_read_timeout(patience).expect("it can be");
    // It is closed, with or without a word; a wait that is longer fails here.
    let mut said = Vec::new();
    let _ = wire.stream().read_to_end(&mut said).expect("it is closed");
    house.check();
}
