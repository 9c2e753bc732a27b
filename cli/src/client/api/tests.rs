//! Calls to a server that answers what it is told to, to see what becomes of its answers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
};

use super::*;
use crate::client::settings::Around;

/// A server that gives each request the next of these answers, and then ends.
struct Answers {
    endpoint: String,
    thread: JoinHandle<Vec<Received>>,
}

/// A request, with the names of its headers in lower case.
struct Received {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Answers {
    fn start(answers: Vec<(u16, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let thread = thread::spawn(move || {
            let mut requests = Vec::new();
            for (status, body) in answers {
                let (stream, _) = listener.accept().expect("a call");
                requests.push(answer(stream, status, body));
            }
            requests
        });
        Self {
            endpoint: format!("http://{address}"),
            thread,
        }
    }

    fn client(&self) -> Client {
        client(&self.endpoint)
    }

    /// The requests that came, as `target body`.
    fn requests(self) -> Vec<String> {
        let received = self.received();
        let shown = received.iter().map(|one| {
            let body = String::from_utf8_lossy(&one.body);
            format!("{} {body}", one.header("x-amz-target"))
        });
        shown.collect()
    }

    fn received(self) -> Vec<Received> {
        self.thread.join().expect("it ended")
    }
}

fn answer(stream: TcpStream, status: u16, body: &str) -> Received {
    let mut reader = BufReader::new(stream);
    let mut request = Received {
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(": ") {
            let header = (name.to_ascii_lowercase(), value.to_owned());
            request.headers.push(header);
        }
    }
    let length = request.header("content-length").parse();
    request.body = vec![0; length.expect("a number")];
    reader.read_exact(&mut request.body).expect("a body");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = reader.into_inner();
    stream.write_all(answer.as_bytes()).expect("write");
    request
}

fn client(endpoint: &str) -> Client {
    let variable = |name: &str| {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => "KEY",
            "AWS_SECRET_ACCESS_KEY" => "secret",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let around = Around {
        variable: &variable,
        local: "/nonexistent".into(),
    };
    let connection = Connection {
        endpoint_url: Some(endpoint.to_owned()),
        ..Connection::default()
    };
    let settings = settings::resolve(&connection, &around).expect("settings");
    Client::of(settings).expect("a client")
}

#[test]
fn a_call_names_its_operation_and_gives_back_what_it_is_answered() {
    let server = Answers::start(vec![(200, r#"{"pipelines":[]}"#)]);
    let answer = server
        .client()
        .call("ListPipelines", &json!({"maxResults": 1}));
    assert_eq!(answer, Ok(json!({"pipelines": []})));
    assert_eq!(
        server.requests(),
        [r#"CodePipeline_20150709.ListPipelines {"maxResults":1}"#]
    );
}

#[test]
fn a_call_is_signed_as_servers_check_it() {
    let server = Answers::start(vec![(200, "{}")]);
    let answer = server
        .client()
        .ask(Service::CodeBuild, "ListProjects", &json!({}));
    assert_eq!(answer, Ok(json!({})));
    let received = server.received();
    let request = sigv4::Request {
        method: "POST",
        path: "/",
        query: "",
        headers: &received[0].headers,
        body: &received[0].body,
    };
    let read = sigv4::Authorization::read(&request).expect("signed");
    assert_eq!(
        (read.access_key.as_str(), read.service.as_str()),
        ("KEY", "codebuild")
    );
    read.verify(&request, "secret", now()).expect("true");
    read.verify(&request, "other", now()).expect_err("false");
}

#[test]
fn an_answer_without_a_body_is_empty_and_one_that_is_no_json_is_foreign() {
    let server = Answers::start(vec![(200, ""), (200, "hello")]);
    let client = server.client();
    assert_eq!(client.call("DeletePipeline", &json!({})), Ok(json!({})));
    let error = client.call("GetPipeline", &json!({})).expect_err("no JSON");
    assert!(matches!(error, ApiError::Foreign { .. }), "{error:?}");
}

#[test]
fn what_can_do_no_harm_is_asked_again_and_the_rest_is_not() {
    const OOPS: (u16, &str) = (500, r#"{"__type":"InternalFailure","message":"oops"}"#);
    let server = Answers::start(vec![OOPS, (200, "{}"), OOPS]);
    let client = server.client();
    let started = client.call(
        "StartPipelineExecution",
        &json!({"name": "p", "clientRequestToken": "t"}),
    );
    assert_eq!(started, Ok(json!({})));
    let created = client.call("CreatePipeline", &json!({}));
    assert_eq!(
        created.expect_err("not again").name(),
        Some("InternalFailure")
    );
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_is_busy_is_asked_a_bounded_number_of_times() {
    const BUSY: (u16, &str) = (400, r#"{"__type":"ThrottlingException"}"#);
    let server = Answers::start(vec![BUSY; TRIES_MAX as usize]);
    let error = server.client().call("CreatePipeline", &json!({}));
    assert_eq!(error.expect_err("busy").name(), Some("ThrottlingException"));
    assert_eq!(server.requests().len(), TRIES_MAX as usize);
}

#[test]
fn a_list_is_all_of_its_pages() {
    let server = Answers::start(vec![
        (200, r#"{"pipelines":[1,2],"nextToken":"n"}"#),
        (200, r#"{"pipelines":[3]}"#),
    ]);
    let client = server.client();
    let list = client.list(
        Service::CodePipeline,
        "ListPipelines",
        &json!({}),
        "pipelines",
        10,
    );
    assert_eq!(list, Ok(vec![json!(1), json!(2), json!(3)]));
    assert_eq!(
        server.requests()[1],
        r#"CodePipeline_20150709.ListPipelines {"nextToken":"n"}"#
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Answers::start(vec![(307, "")]);
    let error = server.client().call("GetPipeline", &json!({}));
    assert!(matches!(error, Err(ApiError::Foreign { .. })), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nobody_at_a_port_is_unreachable() {
    // A port that was just free: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = client(&endpoint).call("CreatePipeline", &json!({}));
    let Err(ApiError::Unreachable { unsent, why, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(unsent);
    assert_eq!(why, "the connection was refused");
}

#[test]
fn an_endpoint_is_a_url_without_a_path() {
    assert_eq!(
        host("http://127.0.0.1:7780").as_deref(),
        Ok("127.0.0.1:7780")
    );
    assert_eq!(host("http://[::1]:7780/").as_deref(), Ok("[::1]:7780"));
    assert_eq!(host("https://h:443").as_deref(), Ok("h"));
    assert_eq!(host("http://h:443").as_deref(), Ok("h:443"));
    for wrong in [
        "",
        "h:1",
        "ftp://h",
        "http://h/p",
        "http://h?q",
        "http://u@h",
        "http://",
    ] {
        assert!(host(wrong).is_err(), "{wrong}");
    }
    let failure = Failure::from(
        client("ftp://h")
            .call("GetPipeline", &json!({}))
            .expect_err("no endpoint"),
    );
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(
        failure.to_string(),
        "`ftp://h` is no endpoint: `ftp` is neither http nor https"
    );
}

#[test]
fn certificates_come_from_a_pem_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    assert!(certificates(&path).is_err());
    fs::write(&path, "no certificate").expect("write");
    let failure = certificates(&path).expect_err("none");
    assert_eq!(failure.exit, Exit::Usage);
    fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .expect("write");
    assert_eq!(certificates(&path).map(|all| all.len()).ok(), Some(1));
}
