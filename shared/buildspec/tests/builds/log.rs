//! What a build may print, and what that costs.

use std::fs;

use expect_test::expect;
use pipewright_buildspec::build::{OWN_LINES_MAX_BYTES, PhaseReport, Sink, Status, StopFlag};

use crate::support::Bench;

#[test]
fn the_log_reads_like_a_real_one() {
    let mut bench = Bench::new(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hi\n      - |\n        echo two\n        false\n",
    );
    let built = bench.build();
    let work = bench.order.work.display().to_string();
    let text: Vec<String> = built
        .lines
        .iter()
        .map(|line| match line.strip_prefix("[Container] ") {
            Some(rest) => format!(
                "[Container] {}",
                rest.splitn(3, ' ').nth(2).unwrap_or_default()
            ),
            None => line.clone(),
        })
        .map(|line| line.replace(&work, "WORK").trim_end().to_owned())
        .collect();
    expect![[r"
        [Container] Phase is DOWNLOAD_SOURCE
        [Container] CODEBUILD_SRC_DIR=WORK/src
        [Container] YAML location is inline
        [Container] Moving to directory WORK/src
        [Container] Phases found in YAML: 1
        [Container]  BUILD: 2 commands
        [Container] Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
        [Container] Phase context status code:  Message:
        [Container] Entering phase INSTALL
        [Container] Phase complete: INSTALL State: SUCCEEDED
        [Container] Phase context status code:  Message:
        [Container] Entering phase PRE_BUILD
        [Container] Phase complete: PRE_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message:
        [Container] Entering phase BUILD

        [Container] Running command echo hi
        hi

        [Container] Running command echo two
        false
        two

        [Container] Command did not exit successfully echo two
        false exit status 1
        [Container] Phase complete: BUILD State: FAILED
        [Container] Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: echo two
        false. Reason: exit status 1
        [Container] Entering phase POST_BUILD
        [Container] Phase complete: POST_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message:
        [Container] Entering phase UPLOAD_ARTIFACTS
        [Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED
        [Container] Phase context status code:  Message:"]]
    .assert_eq(&text.join("\n"));
    let stamp = &built.lines[0];
    let digits = stamp.chars().filter(char::is_ascii_digit).count();
    assert_eq!(digits, 4 + 2 + 2 + 6 + 6, "{stamp}");
}

/// Counts, keeps nothing, and looks at the size of this process now and then.
#[derive(Default)]
struct Counter {
    bytes: u64,
    lines: u64,
}

impl Sink for Counter {
    fn line(&mut self, line: &str) {
        self.bytes += line.len() as u64 + 1;
        self.lines += 1;
    }

    fn phase(&mut self, _phase: &PhaseReport) {}
}

/// The largest size that this process ever had, where the system tells it.
fn peak_kilobytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

const MIB: u64 = 1024 * 1024;

fn run(bench: &mut Bench, sink: &mut dyn Sink) -> pipewright_buildspec::build::Report {
    bench.order.work = bench.path("work");
    fs::create_dir(&bench.order.work).expect("a directory");
    pipewright_buildspec::build::run(&bench.order, &bench.known, sink, &StopFlag::new())
}

#[test]
fn a_build_that_prints_far_more_than_the_cap_finishes_in_constant_memory() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: ['yes 0123456789abcde | head -c 67108864', 'head -c 33554432 /dev/zero', 'echo end > end.txt']}}\n",
    );
    bench.order.log_max_bytes = Some(MIB);
    let mut counter = Counter::default();
    let before = peak_kilobytes();
    let report = run(&mut bench, &mut counter);
    let after = peak_kilobytes();
    assert_eq!(report.build_status, Status::Succeeded);
    assert!(report.log.truncated);
    assert_eq!(report.log.printed_bytes, 96 * MIB);
    assert_eq!(report.log.bytes, counter.bytes);
    assert!(counter.bytes <= MIB + OWN_LINES_MAX_BYTES);
    assert!(counter.bytes > MIB - 64);
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after - before;
        assert!(grown < 32 * 1024, "the process grew by {grown} KiB");
    }
}

#[test]
fn an_endless_line_costs_no_memory_either() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: ['head -c 16777216 /dev/zero | tr \"\\0\" x; echo; echo next']}}\n",
    );
    let built = bench.build();
    let printed = built.printed();
    assert_eq!(printed.len(), 2);
    assert!(
        printed[0].len() < 66_000 && printed[0].ends_with("[line cut: 16711680 bytes left out]")
    );
    assert_eq!(printed[1], "next");
}

#[test]
fn the_order_cannot_raise_the_cap() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: ['head -c 110000000 /dev/zero | tr \"\\0\" \"\\n\"']}}\n",
    );
    bench.order.log_max_bytes = Some(u64::MAX);
    let mut counter = Counter::default();
    let report = run(&mut bench, &mut counter);
    assert!(report.log.truncated);
    assert!(counter.bytes <= 100 * MIB + OWN_LINES_MAX_BYTES);
}
