//! What a server does besides answering operations: it tells others, asks people, takes pushes, and
//! lets everybody follow.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
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
const WITHIN: Duration = Duration::from_secs(60);

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

/// An approval is announced to a webhook and a command, its link shows and decides, and all of it is
/// in the feed.
#[test]
fn others_are_told_and_a_link_decides() {
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
    let arguments = crate::served::arguments(&data, &more);
    let mut command = crate::program::pipewright(arguments);
    command.env("HOOK_SECRET", "sixteen characters and more");
    let server = Server::start_as(command, folder.path(), &data);
    let declaration = pipeline("web", "SUPERSEDED", &[approval("Release")]);
    server.expect("CreatePipeline", &declaration);

    let question = wait_for(&asked);
    let question: Value = serde_json::from_str(&question).expect("it is JSON");
    let approval = &question["approval"];
    assert_eq!(approval["pipelineName"], "web");
    assert_eq!(approval["actionName"], "approve");
    let link = approval["approvalReviewLink"].as_str().expect("a link");
    let path = link
        .split_once(&server.address.to_string())
        .expect("it is this server's")
        .1;
    let (status, page) = ask(&server, "GET", path, "", "");
    assert_eq!(status, 200);
    assert!(page.contains("web") && page.contains("<form"), "{page}");
    until(&server, "web", 1, "InProgress");
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let (status, page) = ask(&server, "POST", path, form, "decision=approve&comment=fine");
    assert_eq!(status, 200, "{page}");
    until(&server, "web", 1, "Succeeded");
    let (status, _) = ask(&server, "POST", path, form, "decision=reject&comment=no");
    assert_ne!(status, 200, "it was answered");

    let (signature, event) = posted.recv_timeout(WITHIN).expect("it is told");
    assert!(signature.starts_with("sha256="), "{signature}");
    assert_eq!(
        event["detail-type"],
        "CodePipeline Pipeline Execution State Change"
    );
    assert_eq!(event["detail"]["pipeline"], "web");

    let key = format!("authorization: Basic {}\r\n", basic(&server.key));
    let (status, lines) = ask(&server, "GET", "/events", &key, "");
    assert_eq!(status, 200);
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let states = |events: &[Value]| -> Vec<String> {
        let state = |event: &Value| event["event"]["detail"]["state"].to_string();
        events.iter().map(state).collect()
    };
    assert_eq!(
        states(&events).first().map(String::as_str),
        Some("\"STARTED\"")
    );
    assert_eq!(
        states(&events).last().map(String::as_str),
        Some("\"SUCCEEDED\"")
    );
    let middle = events[3]["position"].as_str().expect("a position");
    let (_, rest) = ask(&server, "GET", &format!("/events?since={middle}"), &key, "");
    assert_eq!(rest.lines().count(), events.len() - 4);
    let (status, _) = ask(&server, "GET", "/events?since=yesterday", &key, "");
    assert_eq!(status, 400);
    let (status, _) = ask(&server, "GET", "/events", "", "");
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
        "GET /events HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\nauthorization: Basic {}\r\n\r\n",
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
}

/// The first push makes the repository, every further one starts whoever watches it; a key that may
/// not push cannot.
#[test]
fn a_push_starts_the_pipeline_that_watches_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--runner", "process", "--poll", "1h"]);
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).expect("a folder");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(&tree)
            .args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .expect("git is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let commit = |text: &str| {
        fs::write(tree.join("file.txt"), text).expect("a file");
        assert!(git(&["add", "."]).0);
        assert!(git(&["commit", "-m", text]).0);
    };
    let url = |key: &Key| {
        let secret = key.secret.replace('/', "%2F").replace('+', "%2B");
        format!("http://{}:{secret}@{}/git/source", key.id, server.address)
    };
    assert!(git(&["init", "--initial-branch=main"]).0);
    commit("one");

    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "codecommit:GitPull", "Resource": "*"}]});
    let input = json!({"userName": "reader", "policies": [policy.to_string()]});
    let reader = server.call_target("Pipewright_20261121.CreateAccessKey", &input);
    let reader = Key {
        id: reader["accessKey"]["accessKeyId"]
            .as_str()
            .expect("an id")
            .to_owned(),
        secret: reader["accessKey"]["secretAccessKey"]
            .as_str()
            .expect("a secret")
            .to_owned(),
    };
    let (pushed, said) = git(&["push", &url(&reader), "main"]);
    assert!(!pushed && said.contains("403"), "{said}");
    let (pulled, said) = git(&["ls-remote", &url(&reader)]);
    assert!(!pulled && said.contains("not found"), "{said}");

    let (pushed, said) = git(&["push", &url(&server.key), "main"]);
    assert!(pushed, "{said}");
    let (pulled, said) = git(&["ls-remote", &url(&reader)]);
    assert!(pulled, "{said}");
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
    commit("two");
    assert!(git(&["push", &url(&server.key), "main"]).0);
    until(&server, "web", 2, "InProgress");
    server.check_errors();
}
