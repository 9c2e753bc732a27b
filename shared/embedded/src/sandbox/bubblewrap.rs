//! Bubblewrap: namespaces of the kernel and a file system put together for one build.

use std::{ffi::OsStr, path::Path, process::Command};

use super::{
    AGENT, Ambient, ENVELOPE, Launch, ROOM,
    visible::{Mount, mounts},
};

/// What every sandbox has: namespaces of its own but for the network, which builds need; the
/// death of its parent as its own; no terminal; no privileges, also not over its own processes,
/// so that the build cannot read the agent's memory or write to its output. For the same reason
/// the agent is the first process: bubblewrap's own one could be written to.
const ALWAYS: &[&str] = &[
    "--unshare-all",
    "--share-net",
    "--die-with-parent",
    "--new-session",
    "--as-pid-1",
    "--cap-drop",
    "ALL",
];

pub(super) fn command(launch: &Launch<'_>) -> Command {
    let mut command = Command::new("bwrap");
    command
        .env_clear()
        .envs(launch.ambient.environment())
        .args(ALWAYS)
        .args(["--proc", "/proc", "--dev", "/dev", "--dir", "/run"])
        .args([
            "--symlink",
            "/run",
            "/var/run",
            "--symlink",
            "/tmp",
            "/var/tmp",
        ])
        .arg("--bind")
        .args([launch.tmp.as_os_str(), OsStr::new("/tmp")]);
    for mount in mounts(launch.ambient, launch.hidden) {
        add(&mut command, &mount);
    }
    command
        .arg("--bind")
        .args([launch.room.as_os_str(), OsStr::new(ROOM)]);
    if let Some(cache) = launch.cache {
        let at = Path::new(ROOM).join("cache");
        command.arg("--bind").args([cache, &at]);
    }
    command
        .arg("--ro-bind")
        .args([launch.agent, Path::new(AGENT)])
        .arg("--ro-bind")
        .args([launch.envelope, Path::new(ENVELOPE)])
        .args(["--chdir", ROOM, "--", AGENT, "agent", ENVELOPE]);
    command
}

fn add(command: &mut Command, mount: &Mount) {
    match mount {
        Mount::ReadOnly(path) => command.arg("--ro-bind").args([path, path]),
        Mount::Symlink { target, at } => command.arg("--symlink").args([target, at]),
        Mount::HideDirectory(path) => command.arg("--tmpfs").arg(path),
        Mount::HideFile(path) => command
            .arg("--ro-bind")
            .args([Path::new("/dev/null"), path.as_path()]),
    };
}

/// The command that finds out whether a sandbox can be made here at all.
pub(super) fn trial(ambient: &Ambient) -> Command {
    let mut command = Command::new("bwrap");
    command
        .env_clear()
        .envs(ambient.environment())
        .args(ALWAYS)
        .args(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"])
        .args(["--", "sh", "-c", "exit 0"]);
    command
}
