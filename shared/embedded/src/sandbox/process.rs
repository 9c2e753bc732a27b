//! A process and what it has started: found in `/proc`, ended as a whole.

use std::{collections::BTreeMap, fs, os::unix::ffi::OsStrExt, path::Path, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

/// How often descendants are looked for again: one may have started another meanwhile.
const ROUNDS: usize = 50;

/// How long the killed ones get to disappear before the next look.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(2);

/// A process as `/proc/<pid>/stat` has it.
struct Stat {
    parent: i32,
    is_zombie: bool,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, which may hold anything; proc(5).
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        parent,
        is_zombie: matches!(state, "Z" | "X"),
        started,
    })
}

fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// When a process started, in ticks since the machine did; with its number it is unmistakable.
pub fn started(pid: u32) -> Option<u64> {
    let stat = stat(i32::try_from(pid).ok()?)?;
    (!stat.is_zombie).then_some(stat.started)
}

/// The living descendants of a process.
fn descendants(root: i32) -> Vec<i32> {
    let stats: BTreeMap<i32, Stat> = all()
        .into_iter()
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let descends = |pid: i32| {
        let mut at = pid;
        // A chain of parents is no longer than there are processes.
        for _ in 0..stats.len() {
            match stats.get(&at) {
                Some(stat) if stat.parent == root => return true,
                Some(stat) => at = stat.parent,
                None => return false,
            }
        }
        false
    };
    stats
        .iter()
        .filter(|(pid, stat)| !stat.is_zombie && descends(**pid))
        .map(|(pid, _)| *pid)
        .collect()
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be gone already.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn kill_until_none(find: impl Fn() -> Vec<i32>) {
    for _ in 0..ROUNDS {
        let found = find();
        if found.is_empty() {
            return;
        }
        for pid in found {
            kill(pid);
        }
        thread::sleep(BETWEEN_ROUNDS);
    }
}

/// Kills everything that a process started, in whatever group or session it is.
///
/// What lost its parents is found only when the process is their subreaper.
pub fn kill_descendants(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        kill_until_none(|| descendants(pid));
    }
}

/// Kills the process that was recorded, with what it started, unless its number is another's now.
pub fn kill_recorded(pid: u32, started_at: u64) {
    if started(pid) == Some(started_at) {
        kill_descendants(pid);
        if let Ok(pid) = i32::try_from(pid) {
            kill(pid);
        }
    }
}

/// Kills the processes whose home directory is below `directory`: strays of builds, whose agent
/// was killed before it could end them.
pub fn kill_at_home_below(directory: &Path) {
    let mut wanted = b"HOME=".to_vec();
    wanted.extend_from_slice(directory.as_os_str().as_bytes());
    wanted.push(b'/');
    let own = i32::try_from(std::process::id()).ok();
    kill_until_none(|| {
        let is_stray = |pid: &i32| {
            Some(*pid) != own
                && fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|environ| environ.split(|b| *b == 0).any(|v| v.starts_with(&wanted)))
        };
        all().into_iter().filter(is_stray).collect()
    });
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    use super::*;

    /// How often a test looks whether a killed process is gone: ten seconds in all.
    const LOOKS_MAX: usize = 5_000;

    #[test]
    fn everything_that_a_process_started_is_killed_and_itself_too() {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "(sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait); exit 7",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let below: Vec<u32> = (0..2)
            .map(|_| lines.next().unwrap().unwrap().parse().unwrap())
            .collect();
        assert!(below.iter().all(|pid| started(*pid).is_some()));
        let started_at = started(child.id()).unwrap();

        kill_recorded(child.id(), started_at + 1);
        assert!(child.try_wait().unwrap().is_none(), "that was another one");
        kill_recorded(child.id(), started_at);
        assert!(!child.wait().unwrap().success());
        for pid in below {
            // Killed is not gone yet: that takes until the machine lets it run once more.
            let is_gone = (0..LOOKS_MAX).any(|_| {
                thread::sleep(BETWEEN_ROUNDS);
                started(pid).is_none()
            });
            assert!(is_gone, "{pid} lives");
        }
    }

    #[test]
    fn a_stray_is_known_by_its_home() {
        let directory = tempfile::tempdir().unwrap();
        let spawn = |home: &Path| {
            Command::new("sleep")
                .arg("1000")
                .env("HOME", home)
                .spawn()
                .unwrap()
        };
        let mut stray = spawn(&directory.path().join("b1/home"));
        let mut other = spawn(directory.path());
        kill_at_home_below(directory.path());
        assert!(!stray.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
