//! A process group of the build: its output, its end, and how it is made to end.

use std::{
    io::{self, PipeReader, Read},
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
};

use super::{log::Log, stop::StopFlag};

/// How long a process group has between the request and the order to end (spec 70 §8).
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How often the clock, the stop flag and the child are looked at while nothing is printed.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// The same when nothing can be printed any more: the end is near.
const LAST_TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 2_000_000,
};
const READ_BYTES: usize = 64 * 1024;
/// A pipe holds no more than this: reading as much empties it of all that was in it, even while
/// something in the background goes on writing.
const PIPE_MAX_BYTES: usize = 1024 * 1024;

/// When a build has to end.
pub(super) struct Watch {
    pub(super) deadline: Instant,
    pub(super) stop: StopFlag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    TimedOut,
    Stopped,
}

impl Watch {
    pub(super) fn interruption(&self) -> Option<Interruption> {
        if self.stop.is_raised() {
            Some(Interruption::Stopped)
        } else if Instant::now() >= self.deadline {
            Some(Interruption::TimedOut)
        } else {
            None
        }
    }
}

/// The reading end of what a process group prints, standard output and error in one.
pub(super) struct Output {
    pipe: PipeReader,
    is_open: bool,
    buffer: Vec<u8>,
}

impl Output {
    /// Starts a command as the leader of a group of its own, both its outputs in one pipe.
    pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Self)> {
        let (pipe, writer) = io::pipe()?;
        fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        let child = command
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        // The command keeps copies of the writing end; without this the pipe would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok((
            child,
            Self {
                pipe,
                is_open: true,
                buffer: vec![0; READ_BYTES],
            },
        ))
    }

    /// Waits for output, for `other` to become readable, or for the tick; passes one piece of
    /// output on. Says whether `other` is readable.
    pub(super) fn wait(&mut self, other: Option<&impl AsFd>, log: &mut Log) -> io::Result<bool> {
        let mut fds = Vec::with_capacity(2);
        if self.is_open {
            fds.push(PollFd::new(&self.pipe, PollFlags::IN));
        }
        if let Some(other) = other {
            fds.push(PollFd::from_borrowed_fd(other.as_fd(), PollFlags::IN));
        }
        let tick = if self.is_open { TICK } else { LAST_TICK };
        match poll(&mut fds, Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if self.is_open && ready.first() == Some(&true) {
            self.read(log)?;
        }
        Ok(other.is_some() && ready.last() == Some(&true))
    }

    /// Passes on one piece of output; says how much it was, nought when there is none now.
    fn read(&mut self, log: &mut Log) -> io::Result<usize> {
        match self.pipe.read(&mut self.buffer) {
            Ok(0) => {
                self.is_open = false;
                Ok(0)
            }
            Ok(read) => {
                log.output(&self.buffer[..read]);
                Ok(read)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Passes on all that was printed before this call.
    pub(super) fn drain(&mut self, log: &mut Log) -> io::Result<()> {
        let mut drained = 0;
        while self.is_open && drained < PIPE_MAX_BYTES {
            match self.read(log)? {
                0 => break,
                read => drained += read,
            }
        }
        Ok(())
    }
}

/// The group of a child that leads it.
pub(super) fn group_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

pub(super) fn is_alive(group: Pid) -> bool {
    test_kill_process_group(group).is_ok()
}

pub(super) fn kill(group: Pid) {
    // It fails when nobody is left, which is what is wanted.
    let _ = kill_process_group(group, Signal::KILL);
}

pub(super) fn ask_to_end(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
}

/// The status as a shell reports it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Exited(i32),
    Interrupted(Interruption),
}

/// Asks process groups to end, gives them [`GRACE`], and ends them.
pub(super) fn end_groups(
    child: &mut Child,
    output: &mut Output,
    groups: &[Pid],
    log: &mut Log,
) -> io::Result<()> {
    groups.iter().copied().for_each(ask_to_end);
    let patience = Instant::now() + GRACE;
    while Instant::now() < patience {
        output.wait(None::<&PipeReader>, log)?;
        // Collecting the leader lets its group disappear once the others are gone.
        let is_collected = child.try_wait()?.is_some();
        if is_collected && !groups.iter().copied().any(is_alive) {
            break;
        }
    }
    groups.iter().copied().for_each(kill);
    child.wait()?;
    output.drain(log)?;
    log.flush();
    Ok(())
}
