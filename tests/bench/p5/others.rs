//! What people would use instead, measured beside us.

use std::{
    env, fs,
    io::{self, Error},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::figures::{Latency, say};

const MAKEFILE: &str = "\
.PHONY: all source build test approve deploy
all: deploy
source:
\t@/bin/true
build test: source
\t@/bin/true
approve: build test
\t@/bin/true
deploy: approve
\t@/bin/true
";

/// GNU make with the same five children: no durability, no history.
pub(crate) fn make(folder: &Path, count: usize) -> io::Result<Latency> {
    let makefile = folder.join("Makefile");
    fs::write(&makefile, MAKEFILE)?;
    let mut each = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let status = Command::new("make")
            .args(["-s", "-j2", "-f"])
            .arg(&makefile)
            .status()?;
        each.push(began.elapsed());
        if !status.success() {
            return Err(Error::other("make failed"));
        }
    }
    Ok(Latency::new(each))
}

/// Restate's own measurement, by the scripts that were written for it.
///
/// `PEERS` names the folder that it is installed in, `PEER_SCRIPTS` the one with the scripts.
pub(crate) fn restate(folder: &Path) -> io::Result<()> {
    let Some(peers) = env::var_os("PEERS").map(PathBuf::from) else {
        say("\nRestate was not measured: PEERS names no folder that it is installed in");
        return Ok(());
    };
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers");
    let scripts = env::var_os("PEER_SCRIPTS").map_or(beside, PathBuf::from);
    let copy = folder.join("peers");
    fs::create_dir_all(copy.join("restate"))?;
    fs::create_dir_all(copy.join("results"))?;
    fs::create_dir_all(peers.join("scratch"))?;
    for name in [
        "common.py",
        "restate/bench.py",
        "restate/svc.mjs",
        "restate/polyfill.mjs",
    ] {
        fs::copy(scripts.join(name), copy.join(name))?;
    }
    let modules = copy.join("restate/node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(peers.join("restate/node_modules"), &modules)?;
    }
    say("\nRestate:");
    // It prints a JSON object a line; the lines are shown as they are.
    let status = Command::new("timeout")
        .args(["400", "python3", "restate/bench.py"])
        .current_dir(&copy)
        .envs([("PEERS", peers.as_os_str()), ("RR", "0".as_ref())])
        .stdin(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::other("the measurement of Restate failed"))
    }
}
