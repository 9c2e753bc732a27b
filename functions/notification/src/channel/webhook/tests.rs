use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{resolver::ResolvedSocketAddrs, transport::NextTimeout},
};

use super::*;

/// Answers each question with the next list of addresses.
#[derive(Clone, Debug)]
struct Flips {
    answers: Arc<Vec<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Flips {
    fn new(answers: Vec<Vec<SocketAddr>>) -> Self {
        Self {
            answers: Arc::new(answers),
            asked: Arc::default(),
        }
    }
}

impl Resolver for Flips {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut found = self.empty();
        for address in &self.answers[turn % self.answers.len()] {
            found.push(*address);
        }
        Ok(found)
    }
}

/// Of `1.body` under the secret `key`.
const SIGNED: &str = "91b5374b153842ad05b2c4eab9349b8321b14703165bd3fb8b034dfb8be98ae5";

fn webhook(url: &str, allow_private: bool) -> Webhook {
    Webhook {
        url: url.to_owned(),
        secret: Secret::new("0123456789abcdef"),
        allow_private,
    }
}

/// A server that nobody may reach.
fn unreachable() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it can be set");
    let address = listener.local_addr().expect("it has an address");
    (listener, address)
}

#[track_caller]
fn nobody_came(listener: &TcpListener) {
    let error = listener.accept().expect_err("nobody came");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn every_address_of_a_name_is_checked() {
    let (listener, address) = unreachable();
    let metadata: SocketAddr = "169.254.169.254:80".parse().expect("an address");
    let names = Flips::new(vec![vec![address, metadata], vec![metadata, address]]);
    let webhook = webhook("http://hook.example/", true);
    for _ in 0..2 {
        let failure = send(&webhook, names.clone(), Uuid::nil(), Timestamp(0), "{}");
        let failure = failure.expect_err("it is refused");
        assert!(failure.is_final);
        assert!(failure.why.contains("169.254.169.254"), "{}", failure.why);
    }
    nobody_came(&listener);
}

#[test]
fn a_name_is_looked_up_once_for_each_delivery() {
    let (listener, address) = unreachable();
    let public: SocketAddr = "192.0.2.1:9".parse().expect("an address");
    let names = Flips::new(vec![vec![address], vec![public]]);
    let failure = send(
        &webhook("https://hook.example/", false),
        names.clone(),
        Uuid::nil(),
        Timestamp(0),
        "{}",
    );
    assert!(failure.expect_err("it is refused").is_final);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    nobody_came(&listener);
}

#[test]
fn no_way_to_write_an_address_leads_to_this_machine() {
    let (listener, address) = unreachable();
    let port = address.port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.255.255.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
    ];
    for host in hosts {
        let url = format!("https://{host}:{port}/hook");
        let failure = post(&webhook(&url, false), Uuid::nil(), Timestamp(0), "{}");
        let failure = failure.expect_err(host);
        // Refused, or no name or address at all: never tried.
        let is_untried = failure.is_final
            || failure.why.contains("the URL cannot be used")
            || failure.why.contains("not known")
            || failure.why.contains("lookup");
        assert!(is_untried, "{host}: {}", failure.why);
        nobody_came(&listener);
    }
}

#[test]
fn what_is_not_encrypted_needs_the_word() {
    let (listener, address) = unreachable();
    let url = format!("http://{address}/");
    let failure = post(&webhook(&url, false), Uuid::nil(), Timestamp(0), "{}");
    let failure = failure.expect_err("it is refused");
    assert_eq!(failure.why, "the URL cannot be used");
    nobody_came(&listener);
}

#[test]
fn a_server_without_tls_is_not_taken_for_one_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").expect("it is sent");
    });
    let url = format!("https://{address}/");
    let failure = post(&webhook(&url, true), Uuid::nil(), Timestamp(0), "{}");
    let failure = failure.expect_err("it is no TLS");
    assert!(
        !failure.is_final && !failure.why.contains(&url),
        "{}",
        failure.why
    );
    server.join().expect("the server ends");
}

#[test]
fn the_signature_is_of_the_time_and_the_body() {
    let secret = Secret::new("key");
    assert_eq!(signature(&secret, "1", "body"), SIGNED);
    assert_ne!(signature(&secret, "2", "body"), SIGNED);
    assert_ne!(signature(&secret, "1", "body "), SIGNED);
}
