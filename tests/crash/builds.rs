//! Builds that do not know when to stop.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    crash::workshop::{Workshop, stage},
    program::{Process, content},
};

/// The most that a log keeps, and a little for the lines about the build itself.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024 + 64 * 1024;

/// More than the program needs, and far less than the log that it is sent.
const MEMORY_KB_MAX: u64 = 300 * 1024;

/// Waits for the end of a process; answers with the most memory that it was seen to hold.
fn watch(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("it can be waited for").is_none() {
        let text = content(status.as_ref());
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap_or_default();
        most = most.max(
            line.trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap_or_default(),
        );
        thread::sleep(Duration::from_millis(20));
    }
    most
}

/// Runs a build that prints so many bytes in lines.
fn chatter(bytes: u64) {
    let print = format!("head -c {bytes} /dev/zero | tr '\\0' x | fold -w 199");
    let workshop = Workshop::new(&[stage("Build", &[("chatter", &[&print])])]);
    let arguments = workshop.arguments(&["-q"]);
    let mut run = Process::start(arguments);
    let memory = watch(&mut run.0);
    assert_eq!(run.0.wait().expect("it ended").code(), Some(0));
    assert!(memory < MEMORY_KB_MAX, "it held {memory} kB");
    for entry in fs::read_dir(workshop.path("data/logs")).expect("there are logs") {
        let length = entry.expect("a log").metadata().expect("a log").len();
        assert!(length <= LOG_BYTES_MAX, "a log has {length} bytes");
    }
}

#[test]
fn a_build_that_prints_more_than_a_log_keeps_succeeds_in_constant_memory() {
    chatter(80_000_000);
}

#[test]
#[ignore = "it writes a gigabyte; run it with: cargo test -p pipewright --release --test end_to_end -- --ignored"]
fn a_build_that_prints_a_gigabyte_succeeds_in_constant_memory() {
    chatter(1_000_000_000);
}

#[test]
fn a_build_that_never_ends_is_ended_by_the_second_interrupt() {
    let workshop = Workshop::new(&[]);
    let file = workshop.path("pid");
    let endless = format!(
        "echo $$ > '{0}.new' && mv '{0}.new' '{0}'; while :; do sleep 1; done",
        file.display()
    );
    workshop.declare(&[stage("Build", &[("endless", &[&endless])])]);
    let mut run = Process::start(workshop.arguments(&[]));
    while !file.exists() {
        let ended = run.0.try_wait().expect("it can be waited for");
        assert_eq!(ended, None, "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    let build = content(&file).trim().to_owned();
    let id = run.0.id().to_string();
    // Two interrupts that come together may count as one.
    while run.0.try_wait().expect("it can be waited for").is_none() {
        let _ = Command::new("kill")
            .args(["-INT", &id])
            .stderr(Stdio::null())
            .status();
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(run.0.wait().expect("it ended").code(), Some(130));
    let process = std::path::Path::new("/proc").join(build);
    for _ in 0..500 {
        if !process.exists() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the build outlived the run");
}
