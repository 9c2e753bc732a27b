//! The agent runs one build: an envelope in, lines of JSON out, and nothing left when it ends.
//!
//! It knows files and words only: no credentials, no pipeline, no network of its own. Its runner
//! talks to it over stdin, and when there is no more to hear from it the runner is gone, and the
//! build ends too. Where the runner is far away, a process between the two, `remote`, speaks with
//! the API in its stead.
//!
//! What the build prints never gets to the agent's own stdout, which is the runner's; and the
//! agent's memory and streams are closed to the build, as far as the kernel can keep a process
//! from another one of the same user.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use buildspec::build::{self, StopFlag};
use model::build::{AgentMessage, Envelope, FileOwner};
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};

mod first;
mod line;
mod order;
mod outcome;
mod remote;

use line::Line;

/// Runs the build that an envelope describes, or the one that the environment names; it succeeds
/// when the build's end was reported, whatever the end is.
pub fn run(envelope: Option<&Path>) -> ExitCode {
    let ended = match envelope {
        Some(envelope) => report(envelope),
        None => keep_to_itself()
            .map_err(Into::into)
            .and_then(|()| remote::run()),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            // The runner keeps the last line; where it cannot be written nobody reads it.
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report(path: &Path) -> anyhow::Result<ExitCode> {
    let envelope = order::open(path)?;
    keep_to_itself()?;
    if !first::is_over()? {
        return Ok(first::run(path, &envelope)?);
    }
    let order = order::order(&envelope);
    let stop = StopFlag::new();
    let line = Line::open(stop.clone())?;
    let report = build::run(&order, &line.secrets(), &mut line.sink(), &stop);
    if let Some(owner) = envelope.owner {
        give_away(&envelope, owner)?;
    }
    line.say(&AgentMessage::Report(Box::new(outcome::report(report))))?;
    Ok(ExitCode::SUCCESS)
}

/// Closes this process to others of the same user.
fn keep_to_itself() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A core dump of a build would hold its secrets.
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, nothing)?;
    umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Makes the runner's user the owner of what the build left, so that it can be read and removed.
fn give_away(envelope: &Envelope, owner: FileOwner) -> io::Result<()> {
    let is_own = rustix::process::getuid().as_raw() == owner.user;
    // In a rootless container the root user is the runner's already; only real roots can give.
    if is_own || !rustix::process::getuid().is_root() {
        return Ok(());
    }
    let room = envelope.directory.parent().unwrap_or(&envelope.directory);
    let mut left = vec![room.to_owned()];
    while let Some(path) = left.pop() {
        if path.symlink_metadata()?.is_dir() {
            for entry in path.read_dir()? {
                left.push(entry?.path());
            }
        }
        std::os::unix::fs::lchown(&path, Some(owner.user), Some(owner.group))?;
    }
    Ok(())
}
