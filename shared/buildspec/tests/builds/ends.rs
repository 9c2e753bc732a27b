//! Builds that are made to end, and what they leave behind.

use std::{fs, path::Path, time::Instant};

use pipewright_buildspec::build::{Status, StopFlag};

use crate::support::{Bench, Lines};

/// Whether a process still runs; one that ended and was not collected does not.
fn runs(pid_file: &Path) -> bool {
    let pid = fs::read_to_string(pid_file).expect("a process id");
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", pid.trim())) else {
        return false;
    };
    !stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .starts_with(['Z', 'X'])
}

const SLEEPERS: &str = "version: 0.2\nphases:\n  build:\n    commands: ['sleep 1000 & echo $! > pid; echo begun; sleep 1000']\n    finally: [echo finally]\n  post_build: {commands: [echo post]}\n";

#[test]
fn a_timeout_ends_the_build_with_all_that_it_started() {
    let mut bench = Bench::new(SLEEPERS);
    bench.order.timeout_seconds = 2;
    let begun = Instant::now();
    let built = bench.build();
    assert!(
        begun.elapsed().as_secs() < 11,
        "everything ends when it is asked to"
    );
    expect_test::expect![[r"
        DOWNLOAD_SOURCE SUCCEEDED
        INSTALL SUCCEEDED
        PRE_BUILD SUCCEEDED
        BUILD TIMED_OUT BUILD_TIMED_OUT: Build has timed out.
        FINALIZING SUCCEEDED
        COMPLETED
        => TIMED_OUT
    "]]
    .assert_eq(&built.transcript());
    assert!(!runs(&bench.order.work.join("src/pid")));
}

#[test]
fn a_stop_ends_the_build_with_all_that_it_started() {
    let mut bench = Bench::new(SLEEPERS);
    let flag = StopFlag::new();
    let lines = Lines {
        stop_at: Some(("begun".to_owned(), flag.clone())),
        ..Lines::default()
    };
    let built = bench.build_with(lines, &flag);
    assert_eq!(built.report.build_status, Status::Stopped);
    assert!(
        built
            .transcript()
            .contains("BUILD STOPPED\nFINALIZING SUCCEEDED")
    );
    assert_eq!(built.printed(), ["begun"]);
    assert!(!runs(&bench.order.work.join("src/pid")));
}

#[test]
fn a_process_that_ignores_the_request_is_killed() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: ['trap \"\" TERM; sh -c \"trap \\\"\\\" TERM; while :; do sleep 1; done\" & echo $! > pid; wait']}}\n",
    );
    bench.order.timeout_seconds = 2;
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::TimedOut);
    assert!(!runs(&bench.order.work.join("src/pid")));
}

#[test]
fn a_build_that_prints_without_end_is_stopped_all_the_same() {
    let mut bench = Bench::new("version: 0.2\nphases: {build: {commands: [yes]}}\n");
    bench.order.timeout_seconds = 2;
    bench.order.log_max_bytes = Some(1000);
    assert_eq!(bench.build().report.build_status, Status::TimedOut);
}

#[test]
fn what_runs_in_the_background_does_not_hold_the_build_up_and_ends_with_it() {
    let mut bench = Bench::new(
        "version: 0.2\nphases:\n  install: {commands: ['sleep 1000 & echo $! > pid', 'nohup sleep 1000 >/dev/null 2>&1 & echo $! > ../pid2']}\n  build: {on-failure: CONTINUE, commands: ['kill -0 $(cat pid) && echo alive', exit 3]}\n  post_build: {commands: ['kill -0 $(cat pid) && echo alive']}\n",
    );
    let built = bench.build();
    assert_eq!(built.printed(), ["alive", "alive"]);
    assert!(!runs(&bench.order.work.join("src/pid")));
    assert!(!runs(&bench.order.work.join("pid2")));
}

#[test]
fn a_build_that_is_stopped_before_it_begins_runs_no_command() {
    let mut bench = Bench::new("version: 0.2\nphases: {build: {commands: [echo never]}}\n");
    let flag = StopFlag::new();
    flag.raise();
    let built = bench.build_with(Lines::default(), &flag);
    assert_eq!(built.report.build_status, Status::Stopped);
    assert_eq!(built.printed(), [""; 0]);
}

#[test]
fn a_build_leaves_no_file_that_holds_its_variables() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {parameter-store: {P: p}}\nphases: {build: {commands: [echo, exit 1]}}\n",
    );
    bench.known.0.insert("p".to_owned(), "hunter2".to_owned());
    bench.build();
    assert!(!bench.order.work.join("control").exists());
}
