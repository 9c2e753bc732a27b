//! Commands: a program of the administrator's gets the JSON on its standard input.
//!
//! It runs in a process group of its own with next to no environment, and the group ends with it,
//! or when its time is over, or when nobody waits any more.

use std::{process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process,
    time::timeout,
};
use uuid::Uuid;

use super::{Failure, said};
use crate::rules::Command;

/// How long a command may run.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(60);

/// How much of what it prints is looked at; the rest is read and forgotten.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024;

/// How long its last words may take to arrive once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a program may need to know of its surroundings; secrets of the server are not in these.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// A process group that ends with this value.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // There may be nobody left in it.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs a command; it did its work when it ends with status 0.
pub(crate) async fn run(
    command: &Command,
    id: Uuid,
    json: &str,
    time_max: Duration,
) -> Result<(), Failure> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(Failure::final_("no program is named"));
    };
    let mut process = process::Command::new(program);
    process
        .args(arguments)
        .env_clear()
        .envs(
            INHERITED
                .iter()
                .filter_map(|n| Some((n, std::env::var_os(n)?))),
        )
        .env("PIPEWRIGHT_EVENT_ID", id.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = process
        .spawn()
        .map_err(|error| Failure::new(format!("`{program}` cannot be started: {error}")))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let group = Group(pid.and_then(Pid::from_raw));
    let input = child.stdin.take();
    let output = tokio::spawn(read(child.stdout.take()));
    let errors = tokio::spawn(read(child.stderr.take()));
    let give = async {
        if let Some(mut input) = input {
            // A program need not listen.
            let _ = input.write_all(json.as_bytes()).await;
        }
    };
    let run = async { tokio::join!(give, child.wait()).1 };
    let ended = timeout(time_max, run).await;
    drop(group);
    let words = async {
        let output = output.await.unwrap_or_default();
        let errors = errors.await.unwrap_or_default();
        if errors.is_empty() { output } else { errors }
    };
    let words = timeout(LAST_WORDS, words).await.unwrap_or_default();
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Failure::new(format!(
            "`{program}` ended with {status}{}",
            said(&words)
        ))),
        Ok(Err(error)) => Err(Failure::new(format!("`{program}` got lost: {error}"))),
        Err(_) => Err(Failure::new(format!(
            "`{program}` was not done within {} s and was ended{}",
            time_max.as_secs(),
            said(&words)
        ))),
    }
}

/// Reads to the end, and keeps the beginning.
async fn read(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let _ = (&mut from)
        .take(OUTPUT_BYTES_MAX)
        .read_to_end(&mut kept)
        .await;
    // A program that can print no more would stand still.
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    kept
}
