//! A program that is called for an answer: it must end in time, and little is kept of its words.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// How much is kept of what a program prints, of each of the two streams.
const KEPT_BYTES: usize = 16 << 10;

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long the streams may stay open after the program's end: something that it left behind may
/// hold them.
const STREAMS_CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// What a program said, and how it ended.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The first line that says what went wrong.
    pub(crate) fn complaint(&self) -> String {
        let line = |text: &str| {
            text.lines()
                .map(str::trim)
                .rfind(|l| !l.is_empty())
                .map(str::to_owned)
        };
        line(&self.stderr)
            .or_else(|| line(&self.stdout))
            .unwrap_or_else(|| self.status.to_string())
    }
}

/// Runs a program without input; with everything it started it is killed after `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Answer> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let stdout = child.stdout.take().map(keep);
    let stderr = child.stderr.take().map(keep);
    let status = wait(&mut child, limit)?;
    let text = |kept: Option<mpsc::Receiver<Vec<u8>>>| {
        kept.and_then(|kept| kept.recv_timeout(STREAMS_CLOSE_WITHIN).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    };
    Ok(Answer {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it did not end within {} seconds", limit.as_secs()),
            ));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Reads to the end and keeps the last bytes.
pub(crate) fn keep(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (to, kept) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            if all.len() > 2 * KEPT_BYTES {
                all.drain(..all.len() - KEPT_BYTES);
            }
        }
        all.drain(..all.len().saturating_sub(KEPT_BYTES));
        // Whoever asked may be gone.
        let _ = to.send(all);
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_talkative_program_are_kept() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "yes | head -c 1000000; echo end; echo bad >&2; exit 3",
        ]);
        let answer = run(&mut command, Duration::from_mins(1)).unwrap();
        assert_eq!(answer.status.code(), Some(3));
        assert!(answer.stdout.ends_with("end\n"));
        assert_eq!(answer.stdout.len(), KEPT_BYTES);
        assert_eq!(answer.complaint(), "bad");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]);
        let error = run(&mut command, Duration::from_millis(50)).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
