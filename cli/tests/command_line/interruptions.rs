//! Runs that somebody or something interrupts.

use rustix::process::Signal;

use crate::bench::{Bench, SHIP, WORK};

const RUN: [&str; 4] = ["run", "p.yml", "--runner", "process"];

/// An action that ends only when it is ended.
fn endless() -> Bench {
    Bench::with(&WORK.replace("COMMAND", "echo begun; sleep 100000"))
}

#[test]
fn the_first_interruption_waits_for_the_actions_and_the_second_abandons_them() {
    let bench = endless();
    let mut going = bench.start(&[&RUN[..], &["-v"]].concat());
    going.until("Work/do | begun");
    going.signal(Signal::INT);
    going.until("Ctrl-C again abandons it");
    going.until("work Stopping");
    going.signal(Signal::INT);
    going.until("Work/do Abandoned");
    assert_eq!(going.end(), 130);
}

#[test]
fn the_third_interruption_waits_for_nothing() {
    let stubborn = "trap : TERM; echo begun; while :; do sleep 100000; done";
    let bench = Bench::with(&WORK.replace("COMMAND", stubborn));
    let mut going = bench.start(&[&RUN[..], &["-v"]].concat());
    going.until("Work/do | begun");
    going.signal(Signal::INT);
    going.until("stopping when Work/do has ended; Ctrl-C again abandons it");
    going.signal(Signal::INT);
    going.until("abandoning Work/do; builds get 10 s to end");
    going.signal(Signal::INT);
    going.until("ending at once");
    assert_eq!(going.end(), 130);
}

#[test]
fn an_interruption_at_an_approval_stops_the_execution_at_once() {
    let bench = Bench::with(SHIP);
    let mut going = bench.start(&["run", "p.yml", "--approve", "prompt"]);
    going.until("approve? [y]es");
    going.signal(Signal::INT);
    going.until("ship Stopped");
    assert_eq!(going.end(), 6);
}

#[test]
fn an_execution_that_takes_too_long_is_abandoned() {
    let bench = endless();
    let mut going = bench.start(&[&RUN[..], &["--timeout", "1s"]].concat());
    going.until("out of time");
    going.until("took longer than 1.0s and was abandoned");
    assert_eq!(going.end(), 8);
}

#[test]
fn an_execution_of_a_killed_process_is_continued() {
    let bench = Bench::with(SHIP);
    let run = ["run", "p.yml", "--keep", "--approve", "prompt"];
    let mut going = bench.start(&run);
    going.until("approve? [y]es");
    going.signal(Signal::KILL);
    going.end();
    let ended = bench
        .call(&["run", "p.yml", "--keep"])
        .expect(2)
        .says(&["has not ended"]);
    let id = ended.stderr.split("--resume ").nth(1).expect("a command")[..8].to_owned();
    let ended = bench
        .call(&["run", "p.yml", "--resume", &id, "--approve", "auto"])
        .expect(0);
    ended.says(&["Source/get Succeeded", "Deploy/upload Succeeded"]);
}

#[test]
fn a_process_that_is_told_to_end_leaves_the_execution_as_it_is() {
    let bench = Bench::with(SHIP);
    let mut going = bench.start(&["run", "p.yml", "--keep", "--approve", "prompt"]);
    going.until("approve? [y]es");
    going.signal(Signal::TERM);
    going.until("--resume ");
    assert_eq!(going.end(), 130);
}

#[test]
fn a_state_belongs_to_one_process_at_a_time() {
    let bench = Bench::with(SHIP);
    let mut going = bench.start(&["run", "p.yml", "--keep", "--approve", "prompt"]);
    going.until("approve? [y]es");
    let second = bench.call(&["run", "p.yml", "--keep"]).expect(2);
    second.says(&["is in use by", "--data DIR"]);
    going.signal(Signal::INT);
    assert_eq!(going.end(), 6);
}
