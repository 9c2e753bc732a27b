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
pub(crate) const TIME_MAX: Duration = Duration::from_mins(1);

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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn shell(script: &str) -> Command {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        Command { argv }
    }

    async fn run_shell(script: &str, json: &str) -> Result<(), Failure> {
        run(&shell(script), Uuid::from_u128(7), json, TIME_MAX).await
    }

    #[tokio::test]
    async fn a_command_gets_the_json_and_next_to_no_environment() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("out");
        let script = format!("cat > {0}; env >> {0}", path.display());
        assert_eq!(run_shell(&script, "{\"a\": 1}\n").await, Ok(()));
        let out = fs::read_to_string(&path).expect("it was written");
        assert!(out.starts_with("{\"a\": 1}\n"), "{out}");
        assert!(
            out.contains("PIPEWRIGHT_EVENT_ID=00000000-0000-0000-0000-000000000007"),
            "{out}"
        );
        assert!(!out.contains("CARGO"), "{out}");
    }

    #[tokio::test]
    async fn a_failure_tells_what_the_command_said() {
        let failure = run_shell("echo out; echo no such pager >&2; exit 3", "{}").await;
        let why = failure.expect_err("it fails").why;
        assert_eq!(why, "`sh` ended with exit status: 3: no such pager");
        let failure = run_shell("echo only this; exit 1", "{}").await;
        let why = failure.expect_err("it fails").why;
        assert_eq!(why, "`sh` ended with exit status: 1: only this");
        let argv = vec!["/nowhere/at/all".to_owned()];
        let failure = run(&Command { argv }, Uuid::nil(), "{}", TIME_MAX).await;
        let why = failure.expect_err("it fails").why;
        assert!(
            why.starts_with("`/nowhere/at/all` cannot be started"),
            "{why}"
        );
        let nothing = Command { argv: Vec::new() };
        let failure = run(&nothing, Uuid::nil(), "{}", TIME_MAX).await;
        assert!(failure.expect_err("it fails").is_final);
    }

    #[tokio::test]
    async fn a_command_that_does_not_listen_or_prints_without_end_is_no_trouble() {
        let long = "x".repeat(1 << 20);
        assert_eq!(run_shell("exit 0", &long).await, Ok(()));
        assert_eq!(
            run_shell(
                "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2",
                "{}"
            )
            .await,
            Ok(())
        );
    }

    /// Waits until the process with the number in that file is no more.
    async fn gone(path: &Path) {
        let pid = fs::read_to_string(path).expect("it was written");
        let stat = format!("/proc/{}/stat", pid.trim());
        for _ in 0..1_000 {
            let is_alive = fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
            if !is_alive {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} is still there");
    }

    #[tokio::test]
    async fn a_command_ends_with_all_that_it_started_when_its_time_is_over() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("pid");
        let script = format!(
            "sleep 600 & echo $! > {}; echo waiting; wait",
            path.display()
        );
        let time = Duration::from_millis(500);
        let failure = run(&shell(&script), Uuid::nil(), "{}", time).await;
        let why = failure.expect_err("it is ended").why;
        assert!(why.contains("was ended: waiting"), "{why}");
        gone(&path).await;
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_ends_with_it() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}", path.display());
        assert_eq!(run_shell(&script, "{}").await, Ok(()));
        gone(&path).await;
    }

    #[tokio::test]
    async fn a_command_ends_when_nobody_waits_for_it() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("pid");
        let script = format!(
            "echo $$ > {}.new; mv {0}.new {0}; sleep 600",
            path.display()
        );
        let waiting = tokio::spawn(async move { run_shell(&script, "{}").await });
        for _ in 0..1_000 {
            if path.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        waiting.abort();
        let _ = waiting.await;
        gone(&path).await;
    }
}
