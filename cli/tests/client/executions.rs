//! Executions: started, watched, read, stopped, retried, superseded.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::bench::Bench;

#[test]
fn a_failure_comes_with_its_log_and_a_retry_succeeds() {
    let bench = Bench::start();
    let marker = bench.path("marker");
    let command = format!("echo hello from the build; test -f {}", marker.display());
    bench.work(&command);
    bench
        .call(&["wait", "work", "--timeout", "60s"])
        .expect(1)
        .says(&[
            "Work/do, the end of its log:",
            "hello from the build",
            "Work/do failed",
            "--action Work/do",
        ]);
    bench
        .call(&["start", "work", "--logs", "--timeout", "60s"])
        .expect(1)
        .says(&[
            "Work/do | hello from the build\n",
            "try it again: pipewright exec retry ",
        ]);
    let log = bench
        .call(&["logs", "work", "--grep", "hello from"])
        .expect(0);
    assert!(
        log.stdout.contains("Work/do | hello from the build\n"),
        "{}",
        log.stdout
    );
    let own = bench
        .call(&["logs", "work", "--action", "do", "--follow"])
        .expect(0);
    assert!(
        own.stdout.contains("\nhello from the build\n"),
        "{}",
        own.stdout
    );
    let log = bench.call(&["logs", "work", "-o", "json"]).expect(0).json();
    assert_eq!(log["lines"][0]["action"], "Work/do");
    bench.write("marker", "");
    let retried = bench.call(&[
        "exec",
        "retry",
        "work",
        "--wait",
        "--timeout",
        "60s",
        "-o",
        "json",
    ]);
    let document = retried.expect(0).json();
    assert_eq!(document["status"], "Succeeded");
    assert_eq!(document["stages"][1]["actions"][0]["attempt"], 2);
    bench
        .call(&["exec", "retry", "work"])
        .expect(2)
        .says(&["no stage of ", "it is Succeeded"]);
}

#[test]
fn a_stream_has_every_change_and_the_result_last() {
    let bench = Bench::start();
    bench.work("echo hello");
    let ended = bench
        .call(&["start", "work", "--wait", "--timeout", "60s", "-o", "jsonl"])
        .expect(0);
    let events: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at + 1);
    }
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert!(of("stage") == 4 && of("action") == 4, "{}", ended.stdout);
    let result = events.last().expect("events");
    assert_eq!(
        (&result["type"], &result["exitCode"]),
        (&"result".into(), &0.into())
    );
    let id = bench.call(&["start", "work"]).expect(0).line();
    assert_eq!(id.len(), 36);
    bench
        .call(&["wait", &id, "--timeout", "60s", "--pipeline", "work"])
        .expect(0);
    bench
        .call(&["wait", &id[..8], "--timeout", "60s"])
        .expect(0);
}

#[test]
fn what_is_stopped_says_why() {
    let bench = Bench::start();
    bench.work("sleep 300");
    bench.until(&["pipeline", "show", "work"], |ended| {
        ended.stdout.contains("InProgress") && ended.stdout.contains("Commands")
    });
    bench
        .call(&["wait", "work", "--timeout", "1s"])
        .expect(8)
        .says(&["and goes on", "pipewright wait "]);
    bench
        .call(&["exec", "stop", "work", "--abandon", "-m", "tea time"])
        .expect(0)
        .says(&["at once"]);
    bench
        .call(&["wait", "work", "--timeout", "60s"])
        .expect(6)
        .says(&["Stopped", "the execution was stopped: tea time"]);
    bench
        .call(&["exec", "stop", "work"])
        .expect(2)
        .says(&["PipelineExecutionNotStoppableException"]);
}

#[test]
fn one_that_is_superseded_is_followed_to_what_took_its_place() {
    let bench = Bench::start();
    bench.work("echo hello");
    bench.call(&["wait", "work", "--timeout", "60s"]).expect(0);
    bench
        .call(&["stage", "disable", "work", "Work", "-m", "freeze"])
        .expect(0)
        .says(&["pipewright stage enable work Work"]);
    let first = bench.call(&["start", "work"]).expect(0).line();
    bench.until(&["pipeline", "show", "work"], |ended| {
        ended
            .stdout
            .contains(&format!("Before Work waits {}", &first[..8]))
    });
    bench
        .call(&["watch", &first, "--timeout", "3s"])
        .expect(8)
        .says(&["waits before Work, which is closed: freeze"]);
    for verb in [
        ["wait", &first, "--timeout", "3s"].as_slice(),
        ["exec", "show", &first].as_slice(),
    ] {
        bench
            .call(verb)
            .says(&["waits before Work, which is closed: freeze"]);
    }
    let second = bench.call(&["start", "work"]).expect(0).line();
    bench
        .call(&["wait", &first, "--timeout", "60s"])
        .expect(6)
        .says(&["a newer execution took its place", "--follow-superseding"]);
    bench.call(&["stage", "enable", "work", "Work"]).expect(0);
    bench
        .call(&["wait", &first, "--timeout", "60s", "--follow-superseding"])
        .expect(0)
        .says(&[&second[..8], "took its place", "Succeeded"]);
}

#[test]
fn a_server_that_is_started_again_is_waited_for() {
    let mut bench = Bench::start();
    let marker = bench.path("marker").display().to_string();
    bench.work(&format!("until test -f {marker}; do sleep 0.05; done"));
    let mut command = bench.command(&["watch", "work", "--timeout", "60s"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watching = command.spawn().expect("it runs");
    let mut said = BufReader::new(watching.stderr.take().expect("a pipe"));
    until(&mut said, "Work/do InProgress");
    bench.kill();
    until(&mut said, "it is asked again");
    bench.restart();
    until(&mut said, "the server answers again");
    bench.write("marker", "");
    let output = watching.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.starts_with("Succeeded  in "), "{shown}");
}

/// Reads lines until one holds this.
fn until(reader: &mut impl BufRead, part: &str) {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        let read = reader.read_line(&mut line).expect("read");
        assert!(read > 0, "it ended without `{part}`");
    }
}

#[test]
fn an_interrupt_ends_the_watching_and_not_the_execution() {
    let bench = Bench::start();
    bench.work("sleep 300");
    let mut command = bench.command(&["watch", "work", "--timeout", "60s"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut watching = command.spawn().expect("it runs");
    let mut said = BufReader::new(watching.stderr.take().expect("a pipe"));
    until(&mut said, "Work/do InProgress");
    let id = rustix::process::Pid::from_child(&watching);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(watching.wait().expect("an end").code(), Some(130));
    let shown = bench
        .call(&["exec", "list", "work", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(shown["executions"][0]["status"], "InProgress");
    bench.call(&["exec", "stop", "work", "--abandon"]).expect(0);
}

#[test]
fn a_long_log_is_shown_to_its_end() {
    // More than is read in one go.
    const LINES: usize = 120_000;
    let bench = Bench::start();
    bench.work(&format!("seq 1 {LINES}; exit 3"));
    let tail = bench.call(&["wait", "work", "--timeout", "60s"]).expect(1);
    let last = format!("\n  {LINES}\n");
    assert!(tail.stderr.contains(&last), "{}", tail.stderr);
    let ended = bench
        .call(&["start", "work", "--logs", "--timeout", "60s"])
        .expect(1);
    let is_line = |line: &&str| {
        let number = line.strip_prefix("Work/do | ");
        number.is_some_and(|text| text.parse::<usize>().is_ok())
    };
    assert_eq!(ended.stderr.lines().filter(is_line).count(), LINES);
}
