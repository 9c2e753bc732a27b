//! The first of an agent's two processes collects those whose parents are gone, and ends them all
//! when the second one, the agent proper, has ended.
//!
//! It is the first process of its namespace where there is one. Sandboxes and engines have such a
//! process of their own, but theirs would hold the line to the runner open for the build to write
//! to.

use std::{
    env, io,
    path::Path,
    process::{Command, ExitCode},
};

use embedded::sandbox::process::kill_descendants;
use model::build::Envelope;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, set_child_subreaper, set_parent_process_death_signal, wait,
};

/// Set in the environment of the second process.
pub(super) const SECOND: &str = "PIPEWRIGHT_AGENT_PROPER";

/// Whether this is the second process, which is to end with the first one.
pub(super) fn is_over() -> io::Result<bool> {
    if env::var_os(SECOND).is_none() {
        return Ok(false);
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(true)
}

/// Runs the second process and ends what is left when it has ended.
pub(super) fn run(path: &Path, envelope: &Envelope) -> io::Result<ExitCode> {
    set_child_subreaper(Some(getpid()))?;
    let agent = Command::new(env::current_exe()?)
        .arg("agent")
        .arg(path)
        .env(SECOND, "1")
        .spawn()?;
    let is_success = collect(agent.id())?;
    if !envelope.own_process_namespace {
        // What left its process group, as a daemon does, is not the build's to keep.
        kill_descendants(std::process::id());
    }
    Ok(if is_success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for children until it is this one; says whether it succeeded.
fn collect(agent: u32) -> io::Result<bool> {
    let agent = i32::try_from(agent).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if Some(ended) == agent => {
                return Ok(status.exit_status() == Some(0));
            }
            // Somebody without parents has ended, or nobody has.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
