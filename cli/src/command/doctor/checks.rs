//! What the doctor looks at. Each check tries the thing itself where it can.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use embedded::{
    Store,
    sandbox::{
        Engine,
        probe::{self, Unavailable},
    },
};

use super::Check;
use crate::failure::chain;

/// Less free space than this is too little for a build.
const DISK_BYTES_LEAST: u64 = 256 << 20;
/// Less than this may become too little.
const DISK_BYTES_GOOD: u64 = 2 << 30;
/// The git that knows everything that is asked of it (`--end-of-options`).
const GIT_LEAST: (u32, u32) = (2, 24);
/// This program was not made before: 2026-01-01.
const CLOCK_LEAST: Duration = Duration::from_hours(490_896);
/// How far the file system's clock may be from this machine's.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);

/// Every check, in the order in which it matters.
pub(super) fn all(data: &Path) -> Vec<Check> {
    let mut checks = vec![git(), bubblewrap()];
    checks.push(container("docker", Engine::Docker));
    checks.push(container("podman", Engine::Podman));
    checks.extend([data_directory(data), disk(data), temporary(), clock()]);
    checks
}

fn git() -> Check {
    let install = "install git, for example: apt-get install git";
    let output = Command::new("git")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match version(&said) {
                Some(found) if found >= GIT_LEAST => Check::good("git", said),
                Some(_) | None => {
                    let (major, minor) = GIT_LEAST;
                    let fix = format!("install git {major}.{minor} or newer");
                    Check::bad("git", said, fix)
                }
            }
        }
        Ok(output) => Check::bad("git", format!("it ends with {}", output.status), install),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::bad("git", "not installed", install)
        }
        Err(error) => Check::bad("git", error.to_string(), install),
    }
}

/// The first two numbers of `git version 2.39.5`.
fn version(said: &str) -> Option<(u32, u32)> {
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn bubblewrap() -> Check {
    match probe::bubblewrap() {
        Ok(()) => Check::good("bubblewrap", "a sandbox was made and ended"),
        Err(Unavailable::NotInstalled(_)) => Check::lacking(
            "bubblewrap",
            "not installed: builds run as plain processes",
            "install it, for example: apt-get install bubblewrap",
        ),
        Err(error @ (Unavailable::Forbidden(_) | Unavailable::Silent { .. })) => Check::lacking(
            "bubblewrap",
            error.to_string(),
            "allow user namespaces, or accept builds without a sandbox: --runner process",
        ),
    }
}

fn container(name: &'static str, engine: Engine) -> Check {
    match probe::engine(engine) {
        Ok(version) => Check::good(name, format!("it answers: version {version}")),
        Err(Unavailable::NotInstalled(_)) => Check::lacking(
            name,
            "not installed: images of projects are not used",
            format!("install {name} if your projects name images"),
        ),
        Err(error @ (Unavailable::Silent { .. } | Unavailable::Forbidden(_))) => Check::lacking(
            name,
            error.to_string(),
            format!("start {name}, and let your user reach it, if your projects name images"),
        ),
    }
}

fn data_directory(data: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = data.display();
    let found = match fs::metadata(data) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match writable(&nearest(data)) {
                Ok(()) => Check::good(NAME, format!("{shown} is not there yet; it can be made")),
                Err(error) => Check::bad(
                    NAME,
                    format!("{shown} cannot be made: {error}"),
                    "run in a directory of your own, or name one: run --data DIR",
                ),
            };
        }
        Err(error) => {
            return Check::bad(
                NAME,
                format!("{shown}: {error}"),
                "name another: run --data DIR",
            );
        }
    };
    if !found.is_dir() {
        let said = format!("{shown} is not a directory");
        return Check::bad(NAME, said, "move it away, or name another: run --data DIR");
    }
    if let Err(error) = writable(data) {
        let fix = format!("make it yours: chown -R \"$USER\" {shown}");
        return Check::bad(NAME, format!("{shown} cannot be written: {error}"), fix);
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let said = format!("{shown} can be read by others (mode {mode:o})");
        return Check::lacking(NAME, said, format!("chmod 700 {shown}"));
    }
    if let Err(error) = Store::examine(data) {
        let fix = "nothing in it was changed; move it away, or name another: run --data DIR";
        return Check::bad(NAME, chain(&error), fix);
    }
    Check::good(NAME, format!("{shown}, yours alone"))
}

/// The directory itself, or the nearest one above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut candidates = absolute.ancestors();
    candidates
        .find(|folder| folder.is_dir())
        .map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn writable(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(|_| ())
}

fn disk(data: &Path) -> Check {
    const NAME: &str = "disk space";
    let folder = nearest(data);
    match rustix::fs::statvfs(&folder) {
        Ok(found) => space(found.f_bavail.saturating_mul(found.f_frsize), &folder),
        Err(error) => Check::bad(NAME, error.to_string(), "check that the disk is mounted"),
    }
}

fn space(free: u64, folder: &Path) -> Check {
    const NAME: &str = "disk space";
    let found = format!("{} MB free at {}", free >> 20, folder.display());
    if free < DISK_BYTES_LEAST {
        Check::bad(
            NAME,
            found,
            "make room, or keep the state elsewhere: run --data DIR",
        )
    } else if free < DISK_BYTES_GOOD {
        Check::lacking(NAME, found, "make room before large builds")
    } else {
        Check::good(NAME, found)
    }
}

fn temporary() -> Check {
    const NAME: &str = "temporary files";
    let folder = std::env::temp_dir();
    match writable(&folder) {
        Ok(()) => Check::good(NAME, format!("{} can be written", folder.display())),
        Err(error) => Check::bad(
            NAME,
            format!("{} cannot be written: {error}", folder.display()),
            "name a directory that can be: export TMPDIR=DIR",
        ),
    }
}

fn clock() -> Check {
    let now = SystemTime::now();
    let file = tempfile::tempfile().and_then(|file| file.metadata());
    let written = file
        .ok()
        .and_then(|found| u64::try_from(found.mtime()).ok());
    judge_clock(
        now.duration_since(UNIX_EPOCH).unwrap_or_default(),
        written.map(Duration::from_secs),
    )
}

/// Deadlines and signatures need a clock that is roughly right, and file times that agree with it.
fn judge_clock(now: Duration, file: Option<Duration>) -> Check {
    const NAME: &str = "clock";
    let fix = "set the clock, for example: timedatectl set-ntp true";
    let millis = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let shown = crate::clock::date_and_time(model::Timestamp(millis));
    if now < CLOCK_LEAST {
        return Check::bad(
            NAME,
            format!("{shown} is before this program was made"),
            fix,
        );
    }
    let skew = file.map_or(Duration::ZERO, |file| now.abs_diff(file));
    // File times are whole seconds here.
    if skew > CLOCK_SKEW_MAX + Duration::from_secs(1) {
        let said = format!("files are written {} s off the clock", skew.as_secs());
        return Check::lacking(NAME, said, fix);
    }
    Check::good(NAME, shown)
}

#[cfg(test)]
mod tests {
    use super::{super::Health, *};

    #[test]
    fn the_version_of_git_is_found_in_what_it_says() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("git version 2.50.windows.1"), Some((2, 50)));
        assert_eq!(version("nonsense"), None);
    }

    #[test]
    fn space_is_judged_by_what_a_build_needs() {
        let folder = Path::new("/d");
        assert_eq!(space(DISK_BYTES_LEAST - 1, folder).health, Health::Bad);
        assert_eq!(space(DISK_BYTES_LEAST, folder).health, Health::Lacking);
        assert_eq!(space(DISK_BYTES_GOOD, folder).health, Health::Good);
    }

    #[test]
    fn a_clock_that_stands_in_the_past_or_apart_from_the_files_is_found() {
        let now = CLOCK_LEAST + Duration::from_secs(1000);
        assert_eq!(judge_clock(now, Some(now)).health, Health::Good);
        assert_eq!(judge_clock(now, None).health, Health::Good);
        assert_eq!(
            judge_clock(Duration::from_secs(5), None).health,
            Health::Bad
        );
        let off = now + Duration::from_mins(1);
        assert_eq!(judge_clock(now, Some(off)).health, Health::Lacking);
        assert_eq!(judge_clock(off, Some(now)).health, Health::Lacking);
    }

    #[test]
    fn a_data_directory_is_looked_at_and_never_made() {
        let root = tempfile::tempdir().expect("a folder");
        let there = root.path().join("new/deep");
        assert_eq!(data_directory(&there).health, Health::Good);
        assert!(!there.exists());
        let file = root.path().join("file");
        fs::write(&file, "x").expect("write");
        assert_eq!(data_directory(&file).health, Health::Bad);
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        assert_eq!(data_directory(root.path()).health, Health::Lacking);
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
        assert_eq!(data_directory(root.path()).health, Health::Good);
        fs::write(root.path().join("pipewright.db"), "no database".repeat(500)).expect("write");
        let damaged = data_directory(root.path());
        assert_eq!(damaged.health, Health::Bad);
        assert!(damaged.found.contains("is damaged"), "{}", damaged.found);
    }
}
