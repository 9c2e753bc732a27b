//! What a server does besides answering operations: it tells others, asks people, takes pushes, and
//! lets everybody follow.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    program::content,
    served::{LOOK, Server, approval, key::Key, pipeline, source, wire::Wire},
};

/// How long anything here may take before a test gives up.
const WITHIN: Duration = Duration::from_mins(1);

/// A listener that takes posts and says thank you; what was posted comes out of the channel, with
/// the signature.
fn hook() -> (SocketAddr, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (posted, received) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            if let Some(post) = take(stream)
                && posted.send(post).is_err()
            {
                return;
            }
        }
    });
    (address, received)
}

fn take(stream: TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut signature) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-pipewright-signature" => value.clone_into(&mut signature),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).ok()?;
    Some((signature, serde_json::from_slice(&body).ok()?))
}

fn basic(key: &Key) -> String {
    STANDARD.encode(format!("{}:{}", key.id, key.secret))
}

/// Sends a request as a browser or `curl` would, and gives the answer.
fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: \
         {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let mut wire = Wire::open(server.address).expect("it can be reached");
    wire.send(head.as_bytes()).expect("it reads");
    let answer = wire.answer().expect("it answers").expect("it answers");
    (answer.status, answer.text())
}

/// Waits until the newest execution of the pipeline has that status.
fn until(server: &Server, pipeline: &str, count: usize, status: &str) {
    let looks = WITHIN.as_millis() / LOOK.as_millis();
    let mut last = Value::Null;
    for _ in 0..looks {
        last = server.expect("ListPipelineExecutions", &json!({"pipelineName": pipeline}));
        let all = last["pipelineExecutionSummaries"]
            .as_array()
            .expect("a list");
        if all.len() >= count && all[0]["status"] == status {
            return;
        }
        thread::sleep(LOOK);
    }
    panic!("{count} executions, the newest {status}: {last:#}");
}

/// A server that tells a webhook of releases and a command of approvals, with one that waits; what
/// was posted comes out of the channel.
struct Told {
    data: PathBuf,
    server: Server,
    posted: mpsc::Receiver<(String, Value)>,
    /// What the command was given.
    question: Value,
    _folder: tempfile::TempDir,
}

impl Told {
    /// What the audit trail shows.
    fn trail(&self) -> String {
        let data = self.data.display().to_string();
        crate::program::run(["audit", "show", "--data", &data])
            .expect(0)
            .stdout
    }
}

fn told() -> Told {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = source(folder.path());
    let (address, posted) = hook();
    let asked = folder.path().join("asked");
    let rules = format!(
        r#"
rules:
  - name: releases
    pattern: {{source: [aws.codepipeline], detail: {{state: [SUCCEEDED], stage: [{{exists: false}}]}}}}
    targets:
      - webhook: {{url: "http://{address}/hook", secret: {{env: HOOK_SECRET}}, allow_private: true}}
approvals: {{command: {{argv: ["/bin/sh", "-c", "cat >> {}"]}}}}
"#,
        asked.display()
    );
    let file = folder.path().join("notifications.yml");
    fs::write(&file, rules).expect("a file");
    let data = folder.path().join("data");
    let file = file.display().to_string();
    let more = [
        "--runner",
        "process",
        "--repository",
        &repository,
        "--notifications",
        &file,
    ];
    let mut command = crate::program::pipewright(crate::served::arguments(&data, &more));
    command.env("HOOK_SECRET", "sixteen characters and more");
    let server = Server::start_as(command, folder.path(), &data);
    let declaration = pipeline("web", "SUPERSEDED", &[approval("Release")]);
    server.expect("CreatePipeline", &declaration);
    let question = wait_for(&asked);
    Told {
        data,
        server,
        posted,
        question: serde_json::from_str(&question).expect("it is JSON"),
        _folder: folder,
    }
}

/// An approval is announced to a command, its link shows and decides, and the release is announced
/// to a webhook.
#[test]
fn others_are_told_and_a_link_decides() {
    let told = told();
    let server = &told.server;
    let approval = &told.question["approval"];
    assert_eq!(approval["pipelineName"], "web");
    assert_eq!(approval["actionName"], "approve");
    let link = approval["approvalReviewLink"].as_str().expect("a link");
    let here = link.split_once(&server.address.to_string());
    let path = here.expect("it is this server's").1;
    let (status, page) = ask(server, "GET", path, "", "");
    assert_eq!(status, 200);
    assert!(page.contains("web") && page.contains("<form"), "{page}");
    until(server, "web", 1, "InProgress");
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let (status, page) = ask(server, "POST", path, form, "decision=approve&comment=fine");
    assert_eq!(status, 200, "{page}");
    until(server, "web", 1, "Succeeded");
    let (status, _) = ask(server, "POST", path, form, "decision=reject&comment=no");
    assert_ne!(status, 200, "it was answered");

    let (signature, event) = told.posted.recv_timeout(WITHIN).expect("it is told");
    assert!(signature.starts_with("sha256="), "{signature}");
    let kind = "CodePipeline Pipeline Execution State Change";
    assert_eq!(event["detail-type"], kind);
    assert_eq!(event["detail"]["pipeline"], "web");
    let token = path.rsplit('/').next().expect("a token");
    assert!(
        !server.check_errors().contains(token),
        "who reads the log could answer"
    );
    let trail = told.trail();
    for line in ["ShowApprovalLink", "AnswerApprovalLink"] {
        assert!(trail.contains(line), "{line}: {trail}");
    }
}

/// Whoever stopped reading goes on behind the last event that it saw.
#[test]
fn the_feed_goes_on_where_a_reader_stopped() {
    let told = told();
    let server = &told.server;
    let key = format!("authorization: Basic {}\r\n", basic(&server.key));
    let (status, lines) = ask(server, "GET", "/events", &key, "");
    assert_eq!(status, 200);
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(events[0]["event"]["detail"]["state"], "STARTED");
    let last = events.last().expect("there are events");
    assert_eq!(last["event"]["detail"]["action"], "approve");
    let middle = events[3]["position"].as_str().expect("a position");
    let path = format!("/events?since={middle}");
    let (_, rest) = ask(server, "GET", &path, &key, "");
    let rest: Vec<&str> = rest.lines().collect();
    assert_eq!(rest, lines.lines().skip(4).collect::<Vec<_>>());
    let (status, _) = ask(server, "GET", "/events?since=yesterday", &key, "");
    assert_eq!(status, 400);
    let (status, _) = ask(server, "GET", "/events", "", "");
    assert_eq!(status, 401);
    server.check_errors();
}

fn wait_for(file: &Path) -> String {
    for _ in 0..WITHIN.as_millis() / LOOK.as_millis() {
        let text = content(file);
        if text.trim_end().ends_with('}') {
            return text;
        }
        thread::sleep(LOOK);
    }
    panic!("nobody was asked");
}

/// A stream stays open, and what happens comes as it happens.
#[test]
fn a_stream_of_events_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = source(folder.path());
    let server = Server::start(
        folder.path(),
        &["--runner", "process", "--repository", &repository],
    );
    let head = format!(
        "GET /events HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept: text/event-stream\r\nauthorization: Basic {}\r\n\r\n",
        server.address,
        basic(&server.key)
    );
    let mut wire = Wire::open(server.address).expect("it can be reached");
    wire.send(head.as_bytes()).expect("it reads");
    let stream = wire.stream().try_clone().expect("a second handle");
    let declaration = pipeline("web", "SUPERSEDED", &[approval("Release")]);
    server.expect("CreatePipeline", &declaration);
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let started = lines.find(|line| line.starts_with("data: ") && line.contains("STARTED"));
    assert!(started.is_some_and(|line| line.contains(r#""pipeline":"web""#)));
    let asked = lines.find(|line| line.contains("Approval") && line.contains("STARTED"));
    assert!(asked.is_some(), "the stream goes on");
    // It ends with the server, which does not wait for whoever listens.
    server.signal("TERM");
    assert_eq!(
        lines
            .by_ref()
            .filter(|line| line.starts_with("data"))
            .count(),
        0
    );
}

/// A key that was taken back is no longer told anything.
#[test]
fn a_stream_ends_with_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = source(folder.path());
    let more = ["--runner", "process", "--repository", &repository];
    let server = Server::start(folder.path(), &more);
    let reader = issue(&server, "codepipeline:GetPipelineState");
    let head = format!(
        "GET /events HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept: text/event-stream\r\nauthorization: Basic \
         {}\r\n\r\n",
        server.address,
        basic(&reader)
    );
    let mut wire = Wire::open(server.address).expect("it can be reached");
    wire.send(head.as_bytes()).expect("it reads");
    let stream = wire.stream().try_clone().expect("a second handle");
    let declaration = pipeline("web", "SUPERSEDED", &[approval("Release")]);
    server.expect("CreatePipeline", &declaration);
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("STARTED")));
    let input = json!({"accessKeyId": reader.id, "status": "Inactive"});
    server.call_target("Pipewright_20261121.UpdateAccessKey", &input);
    server.expect("StartPipelineExecution", &json!({"name": "web"}));
    // What was on its way may still come; then the stream is over.
    assert!(lines.count() < 100);
}

/// A key that may do one thing, everywhere.
fn issue(server: &Server, action: &str) -> Key {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": "*"}]});
    let input = json!({"userName": "reader", "policies": [policy.to_string()]});
    let issued = server.call_target("Pipewright_20261121.CreateAccessKey", &input);
    let text = |name: &str| {
        let value = issued["accessKey"][name].as_str();
        value.expect("it was issued").to_owned()
    };
    Key {
        id: text("accessKeyId"),
        secret: text("secretAccessKey"),
    }
}

/// A working tree with a commit.
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = Self { folder };
        assert!(tree.git(&["init", "--initial-branch=main"]).0);
        tree.commit("one");
        tree
    }

    /// Calls git; whether it was content, and what it said.
    fn git(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.folder.path())
            .args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .expect("git is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    }

    fn commit(&self, text: &str) {
        fs::write(self.folder.path().join("file.txt"), text).expect("a file");
        assert!(self.git(&["add", "."]).0);
        assert!(self.git(&["commit", "-m", text]).0);
    }
}

fn url(server: &Server, key: &Key) -> String {
    let secret = key.secret.replace('/', "%2F").replace('+', "%2B");
    format!("http://{}:{secret}@{}/git/source", key.id, server.address)
}

#[test]
fn who_may_pull_may_not_push() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--runner", "process"]);
    let reader = issue(&server, "codecommit:GitPull");
    let tree = Tree::new();
    let (pushed, said) = tree.git(&["push", &url(&server, &reader), "main"]);
    assert!(!pushed && said.contains("403"), "{said}");
    let (pulled, said) = tree.git(&["ls-remote", &url(&server, &reader)]);
    assert!(!pulled && said.contains("not found"), "{said}");
    let (pushed, said) = tree.git(&["push", &url(&server, &server.key), "main"]);
    assert!(pushed, "{said}");
    let (pulled, said) = tree.git(&["ls-remote", &url(&server, &reader)]);
    assert!(pulled, "{said}");
    server.check_errors();
}

/// The first push makes the repository, every further one starts whoever watches it.
#[test]
fn a_push_starts_the_pipeline_that_watches_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--runner", "process", "--poll", "1h"]);
    let tree = Tree::new();
    let repository = url(&server, &server.key);
    assert!(tree.git(&["push", &repository, "main"]).0);
    let mut declaration = pipeline("web", "QUEUED", &[approval("Release")]);
    let source = &mut declaration["pipeline"]["stages"][0]["actions"][0];
    source["configuration"]["PollForSourceChanges"] = json!("true");
    server.expect("CreatePipeline", &declaration);
    until(&server, "web", 1, "InProgress");
    // The first one has looked before anything new comes.
    for _ in 0..WITHIN.as_millis() / LOOK.as_millis() {
        let state = server.expect("GetPipelineState", &json!({"name": "web"}));
        if state["stageStates"][0]["latestExecution"]["status"] == "Succeeded" {
            break;
        }
        thread::sleep(LOOK);
    }
    tree.commit("two");
    assert!(tree.git(&["push", &repository, "main"]).0);
    until(&server, "web", 2, "InProgress");
    server.check_errors();
}
