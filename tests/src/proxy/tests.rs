//! What the proxy does to requests, seen from both of its ends.

use std::{
    process::Stdio,
    sync::atomic::AtomicUsize,
    time::{Duration, Instant},
};

use super::*;

/// A service that says yes to everything, and counts.
fn service() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let request = Message::read_request(&mut reader, &mut &stream);
            if let Ok(Some(request)) = request {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Message::answer(200, request.request_line().1);
                let _ = answer.write(&mut &stream, true);
            }
        }
    });
    (port, asked)
}

fn proxy() -> (Proxy, Arc<AtomicUsize>) {
    let (port, asked) = service();
    (Proxy::start(port, std::process::id()), asked)
}

fn call(target: &str, service: &str) -> Message {
    let scope = format!("AWS4-HMAC-SHA256 Credential=KEY/1/r/{service}/aws4_request, x");
    let headers = [
        ("Authorization", scope.as_str()),
        ("X-Amz-Target", target),
        ("User-Agent", "aws-sdk-rust/1 app/worker"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Message {
        first: "POST / HTTP/1.1".to_owned(),
        headers: headers.to_vec(),
        body: b"{}".to_vec(),
    }
}

fn always(rates: Rates) -> Faults {
    Faults::new(1, rates)
}

#[test]
fn a_message_is_doubled_or_lost_and_its_sender_hears_no_difference() {
    let (proxy, asked) = proxy();
    let send = call("AmazonSQS.SendMessage", "sqs");
    proxy.break_things(always(Rates {
        doubled: 1_000,
        ..Rates::default()
    }));
    assert_eq!(send.send(proxy.address()).expect("an answer").status(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    proxy.break_things(always(Rates {
        lost: 1_000,
        ..Rates::default()
    }));
    let answer = send.send(proxy.address()).expect("an answer");
    assert!(answer.text().contains("MessageId"), "{}", answer.text());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(proxy.heal(), BTreeMap::from([(Fate::Lost, 1)]));
    let called = BTreeMap::from([(("worker".to_owned(), "sqs.SendMessage".to_owned()), 2)]);
    assert_eq!(proxy.called(), called);
    assert!(proxy.needed()["worker"].contains("sqs:SendMessage"));
}

#[test]
fn a_transaction_is_refused_or_done_without_an_answer() {
    let (proxy, asked) = proxy();
    let commit = call("DynamoDB_20120810.TransactWriteItems", "dynamodb");
    proxy.break_things(always(Rates {
        throttled: 1_000,
        ..Rates::default()
    }));
    let refused = commit.send(proxy.address()).expect("an answer");
    assert_eq!((refused.status(), asked.load(Ordering::SeqCst)), (400, 0));
    proxy.break_things(always(Rates {
        unanswered: 1_000,
        ..Rates::default()
    }));
    commit.send(proxy.address()).expect_err("no answer");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn whoever_sent_a_transaction_is_killed_when_it_is_done() {
    let (proxy, asked) = proxy();
    proxy.break_things(always(Rates {
        killed: 1_000,
        ..Rates::default()
    }));
    let commit = call("DynamoDB_20120810.TransactWriteItems", "dynamodb");
    let mut bytes = Vec::new();
    commit.write(&mut bytes, false).expect("it is memory");
    let program = format!(
        "import socket, time; s = socket.create_connection(('127.0.0.1', {})); s.sendall({:?}.encode()); time.sleep(60)",
        proxy.address().port(),
        String::from_utf8_lossy(&bytes),
    );
    let mut function = Command::new("python3");
    function.args(["-c", &program]).stdin(Stdio::null());
    let begun = Instant::now();
    let ended = function.status().expect("python3 is here");
    assert_eq!(ended.code(), None, "a signal ended it");
    assert!(begun.elapsed() < Duration::from_mins(1), "it ended itself");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn it_is_a_proxy_of_http_too() {
    let (proxy, _) = proxy();
    let request = Message {
        first: "GET http://a.execute-api.localhost:1/b/c?d=e HTTP/1.1".to_owned(),
        headers: vec![("Host".to_owned(), "a.execute-api.localhost:1".to_owned())],
        body: Vec::new(),
    };
    let answer = request.send(proxy.address()).expect("an answer");
    assert_eq!(answer.text(), "/b/c?d=e");
}
