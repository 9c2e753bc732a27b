//! A conversation with an agent: lines of JSON over its stdin and stdout while the build runs.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use model::build::{AgentMessage, BuildReport, RunnerMessage};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::oneshot;

use super::{course::Course, directory::RunningProcess};
use crate::{
    logs::LogWriter,
    sandbox::{Kind, container, process, program},
    secrets::Secrets,
};

/// The longest line that an agent may send: a report with all the variables and failed tests that
/// it may have, each character escaped.
const MESSAGE_BYTES: usize = 8 << 20;

/// How many messages may wait for an agent that does not read them.
const MESSAGES_WAITING: usize = 16;

/// How many secrets one build may ask for.
const NEEDS: usize = 1_000;

/// How long an agent may take to end after its report.
const END_WITHIN: Duration = Duration::from_secs(10);

/// How often an agent that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a conversation needs.
pub(crate) struct Topic {
    pub(crate) command: Command,
    pub(crate) kind: Kind,
    /// The build, as its container is named.
    pub(crate) name: String,
    pub(crate) room: PathBuf,
    pub(crate) log: LogWriter,
    pub(crate) secrets: Arc<Secrets>,
    /// Told of the build's phases.
    pub(crate) course: Course,
}

/// How an agent ended.
pub(crate) struct Ended {
    pub(crate) report: Option<Box<BuildReport>>,
    /// Why there is no report, when there is none.
    pub(crate) problem: String,
    pub(crate) log: LogWriter,
}

/// A running agent. Whoever lets go of it ends it.
pub(crate) struct Conversation {
    pub(crate) process: RunningProcess,
    pub(crate) ended: oneshot::Receiver<Ended>,
    to_agent: mpsc::SyncSender<RunnerMessage>,
    handle: Arc<Handle>,
}

/// Names a process even after its number went to another one.
struct Handle {
    pidfd: OwnedFd,
    kind: Kind,
    name: String,
    process: RunningProcess,
}

impl Handle {
    /// Ends the agent and all that it started, at once.
    fn kill(&self) {
        if let Kind::Process = self.kind {
            process::kill_recorded(self.process.pid, self.process.started);
        }
        // A sandbox dies with its first process. It may be gone already.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if let Kind::Container(engine) = self.kind {
            container::remove(engine, &self.name);
        }
    }
}

impl Conversation {
    /// Starts the agent.
    ///
    /// A thread of its own does it and stays until the end: the kernel takes the thread that
    /// started a sandbox for its parent, with which it is to die.
    pub(crate) fn begin(topic: Topic) -> io::Result<Self> {
        let (to_agent, messages) = mpsc::sync_channel(MESSAGES_WAITING);
        let (say_started, started) = mpsc::sync_channel(1);
        let (say_ended, ended) = oneshot::channel();
        let (kind, name, answers) = (topic.kind, topic.name.clone(), to_agent.clone());
        thread::Builder::new()
            .name("build".to_owned())
            .spawn(move || {
                if let Some(ended) = converse(topic, answers, messages, &say_started) {
                    // Whoever waited may have given up.
                    let _ = say_ended.send(ended);
                }
            })?;
        let (process, pidfd) = started
            .recv()
            .map_err(|_| io::Error::other("the thread of the build has ended"))??;
        Ok(Self {
            handle: Arc::new(Handle {
                pidfd,
                kind,
                name,
                process: process.clone(),
            }),
            process,
            ended,
            to_agent,
        })
    }

    /// Asks the agent to end its build.
    pub(crate) fn stop(&self) {
        // When it does not listen it is killed later.
        let _ = self.to_agent.try_send(RunnerMessage::Stop);
    }

    pub(crate) async fn kill(&self) {
        let handle = Arc::clone(&self.handle);
        // It fails when the runtime ends, and then this conversation is let go of.
        let _ = tokio::task::spawn_blocking(move || handle.kill()).await;
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if matches!(
            self.ended.try_recv(),
            Err(oneshot::error::TryRecvError::Empty)
        ) {
            self.handle.kill();
        }
    }
}

type Started = io::Result<(RunningProcess, OwnedFd)>;

fn converse(
    topic: Topic,
    answers: mpsc::SyncSender<RunnerMessage>,
    messages: mpsc::Receiver<RunnerMessage>,
    say_started: &mpsc::SyncSender<Started>,
) -> Option<Ended> {
    let mut topic = topic;
    let (mut child, streams) = match start(&mut topic, say_started) {
        Ok(started) => started,
        Err(error) => {
            // Whoever began the conversation waits for this.
            let _ = say_started.send(Err(error));
            return None;
        }
    };
    let complaints = child.stderr.take().map(program::keep);
    thread::spawn(move || tell(streams.stdin, &messages));
    let mut listener = Listener {
        answers,
        log: topic.log,
        secrets: topic.secrets,
        course: topic.course,
        needs: 0,
    };
    let heard = listener.listen(streams.stdout);
    drop(listener.answers);
    if heard.is_err() {
        kill(&mut child);
    }
    let status = end(&mut child);
    if topic.kind == Kind::Process && !matches!(heard, Ok(Some(_))) {
        // The agent would have ended what it started, had it lived to.
        process::kill_at_home_below(&topic.room);
    }
    let said = complaints
        .and_then(|kept| kept.recv_timeout(Duration::from_millis(200)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        .unwrap_or_default();
    let (report, problem) = match heard {
        Ok(Some(report)) => (Some(report), String::new()),
        Ok(None) => (None, problem_of(status, &said, topic.kind)),
        Err(problem) => (None, problem),
    };
    Some(Ended {
        report,
        problem,
        log: listener.log,
    })
}

struct Streams {
    stdin: ChildStdin,
    stdout: ChildStdout,
}

fn start(
    topic: &mut Topic,
    say_started: &mpsc::SyncSender<Started>,
) -> io::Result<(Child, Streams)> {
    let mut child = topic
        .command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal is for the runner, which decides what becomes of its builds.
        .process_group(0)
        .spawn()?;
    let streams = child.stdin.take().zip(child.stdout.take());
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pidfd = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let (Some((stdin, stdout)), Some(Ok(pidfd))) = (streams, pidfd) else {
        kill(&mut child);
        child.wait()?;
        return Err(io::Error::other("the agent cannot be held on to"));
    };
    let process = RunningProcess {
        pid: child.id(),
        started: process::started(child.id()).unwrap_or_default(),
        isolation: topic.kind.name().to_owned(),
    };
    // Whoever began the conversation waits for this.
    let _ = say_started.send(Ok((process, pidfd)));
    Ok((child, Streams { stdin, stdout }))
}

/// Writes messages until there are no more to come; then the agent sees the end of its input.
fn tell(mut stdin: ChildStdin, messages: &mpsc::Receiver<RunnerMessage>) {
    while let Ok(message) = messages.recv() {
        let Ok(mut line) = serde_json::to_vec(&message) else {
            return;
        };
        line.push(b'\n');
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

struct Listener {
    answers: mpsc::SyncSender<RunnerMessage>,
    log: LogWriter,
    secrets: Arc<Secrets>,
    course: Course,
    needs: usize,
}

impl Listener {
    /// Hears the agent out; the error says what is wrong with it.
    fn listen(&mut self, stdout: ChildStdout) -> Result<Option<Box<BuildReport>>, String> {
        let mut from = BufReader::with_capacity(64 << 10, stdout);
        let mut line = Vec::new();
        loop {
            match read_line(&mut from, &mut line) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Err(format!("the agent cannot be understood: {error}")),
            }
            let message = serde_json::from_slice(&line)
                .map_err(|_| "the agent said something that is no message".to_owned())?;
            match message {
                AgentMessage::Log(text) => self
                    .log
                    .line(&text)
                    .map_err(|error| format!("the log cannot be written: {error}"))?,
                AgentMessage::Phase(phase) => self.course.tell(*phase),
                AgentMessage::Need(need) => {
                    self.needs += 1;
                    if self.needs > NEEDS {
                        return Err(format!("the build asked for more than {NEEDS} secrets"));
                    }
                    if self.answers.try_send(self.secrets.answer(&need)).is_err() {
                        return Err("the agent does not listen to its answers".to_owned());
                    }
                }
                AgentMessage::Report(report) => return Ok(Some(report)),
            }
        }
    }
}

/// Reads one line without its end, no longer than a message may be; false at the end of all.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            // A line that was cut off is the word of an agent that was killed.
            return Ok(false);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        if line.len() + taken > MESSAGE_BYTES {
            return Err(io::Error::other("a line of it is too long"));
        }
        line.extend_from_slice(&buffer[..taken]);
        from.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Waits for the agent's end and brings it about when it is late.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let until = Instant::now() + END_WITHIN;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            kill(child);
            return child.wait();
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn kill(child: &mut Child) {
    process::kill_descendants(child.id());
    // It may have ended by itself just now.
    let _ = child.kill();
}

/// What an engine ends with when it cannot start a program: the agent is this very program, and an
/// image whose C library is another one, or older, cannot run it.
const NOT_STARTED: [i32; 2] = [126, 127];

fn problem_of(status: io::Result<ExitStatus>, said: &str, kind: Kind) -> String {
    let code = status.as_ref().ok().and_then(ExitStatus::code);
    let is_container = matches!(kind, Kind::Container(_));
    if is_container && code.is_some_and(|code| NOT_STARTED.contains(&code)) {
        let said = said.lines().last().unwrap_or_default();
        return format!(
            "the image cannot run Pipewright's agent: it needs the C library (glibc) of this \
             machine, or a newer one; {said}"
        );
    }
    let status = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let last = said.lines().last().unwrap_or_default();
    if last.is_empty() {
        format!("the agent ended without a report: {status}")
    } else {
        format!("the agent ended without a report: {status}: {last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_cannot_run_the_agent_is_named_as_the_cause() {
        use std::os::unix::process::ExitStatusExt;
        let ended = |code: i32| Ok(ExitStatus::from_raw(code << 8));
        let container = Kind::Container(crate::sandbox::Engine::Docker);
        let said = "exec /pipewright: no such file or directory";
        let problem = problem_of(ended(127), said, container);
        assert!(
            problem.starts_with("the image cannot run") && problem.ends_with(said),
            "{problem}"
        );
        let problem = problem_of(ended(127), said, Kind::Process);
        assert!(problem.starts_with("the agent ended without"), "{problem}");
        let problem = problem_of(ended(3), "", container);
        assert!(problem.starts_with("the agent ended without"), "{problem}");
    }

    #[test]
    fn a_line_is_read_whole_and_never_longer_than_a_message() {
        let mut line = Vec::new();
        let mut from = BufReader::with_capacity(3, &b"hello\n\nworld"[..]);
        assert!(read_line(&mut from, &mut line).unwrap());
        assert_eq!(line, b"hello");
        assert!(read_line(&mut from, &mut line).unwrap());
        assert_eq!(line, b"");
        assert!(!read_line(&mut from, &mut line).unwrap(), "it was cut off");
        let endless = vec![b'x'; MESSAGE_BYTES + 1];
        assert!(read_line(&mut endless.as_slice(), &mut line).is_err());
    }
}
