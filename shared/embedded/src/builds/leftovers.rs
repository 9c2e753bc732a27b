//! Leftovers are what builds of a process that died left: processes and directories.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use model::Timestamp;

use super::directory::{self, Directory, RunningProcess};
use crate::sandbox::{Engine, container, process};

/// How many builds that are over are remembered.
const REMEMBERED: usize = 10_000;

/// Ends what still runs and removes what nobody will ask for.
pub(crate) fn clear(builds: &Path) -> io::Result<()> {
    let mut over = Vec::new();
    for entry in fs::read_dir(builds)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let directory = Directory::new(builds, id);
        if directory.report().exists() {
            over.push((entry.metadata()?.modified()?, entry.path()));
            continue;
        }
        end(&directory, id);
        // Results that are complete are stored when the same build is ordered again.
        if !directory.pending().exists() {
            directory.remove()?;
        }
    }
    process::kill_at_home_below(builds);
    forget(over)
}

fn end(directory: &Directory, id: &str) {
    // Without a readable record there is nothing that could be ended by number.
    let Ok(Some(running)) = directory::read_json::<RunningProcess>(&directory.process()) else {
        return;
    };
    process::kill_recorded(running.pid, running.started);
    for engine in [Engine::Docker, Engine::Podman] {
        if running.isolation == engine.program() {
            container::remove(engine, id);
        }
    }
}

fn forget(mut over: Vec<(SystemTime, PathBuf)>) -> io::Result<()> {
    over.sort();
    let too_many = over.len().saturating_sub(REMEMBERED);
    for (_, path) in over.drain(..too_many) {
        directory::remove_tree(&path)?;
    }
    Ok(())
}

/// Builds of one project may begin together, and a number is given once.
static COUNTING: Mutex<()> = Mutex::new(());

/// The next number of a project's builds (`CODEBUILD_BUILD_NUMBER`).
///
/// It says which build came after which; a number may be left out after a crash.
pub(crate) fn next_number(builds: &Path, project: &str, now: Timestamp) -> io::Result<u64> {
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers = builds.join(".numbers");
    directory::create_private(&numbers)?;
    let path = numbers.join(format!("{project}.json"));
    let last: Option<(u64, Timestamp)> = directory::read_json(&path)?;
    let next = last.map_or(0, |(number, _)| number) + 1;
    directory::write_json(&path, &(next, now))?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_ran_is_ended_and_what_is_over_is_remembered() {
        let data = tempfile::tempdir().unwrap();
        let builds = data.path().join("builds");
        for id in ["over", "half", "stored"] {
            Directory::new(&builds, id).create().unwrap();
        }
        let half = Directory::new(&builds, "half");
        let over = Directory::new(&builds, "over");
        let stored = Directory::new(&builds, "stored");
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let running = RunningProcess {
            pid: child.id(),
            started: process::started(child.id()).unwrap(),
            isolation: "process".to_owned(),
        };
        directory::write_json(&half.process(), &running).unwrap();
        directory::write_json(&over.report(), &1).unwrap();
        directory::write_json(&stored.pending(), &1).unwrap();

        clear(&builds).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!half.room().exists() && over.report().exists());
        assert!(stored.outputs().exists());
    }

    #[test]
    fn the_builds_of_each_project_are_counted() {
        let builds = tempfile::tempdir().unwrap();
        let next = |project| next_number(builds.path(), project, Timestamp(1)).unwrap();
        assert_eq!([next("a"), next("a"), next("b"), next("a")], [1, 2, 1, 3]);
    }

    #[test]
    fn builds_that_begin_together_get_numbers_of_their_own() {
        let builds = tempfile::tempdir().unwrap();
        let next = || next_number(builds.path(), "a", Timestamp(1)).unwrap();
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..8).map(|_| next()).collect::<Vec<_>>()))
                .collect();
            let each = threads.into_iter().map(|thread| thread.join().unwrap());
            each.flatten().collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    }
}
