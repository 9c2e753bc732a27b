//! The agent proper as a child: it speaks lines of JSON, as with every runner.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use embedded::sandbox::process::kill_descendants;
use model::build::{AgentMessage, BuildReport, RunnerMessage, SecretNeed};

use super::{api::Api, is_kept_back, log::Log, pulse::Pulse, stop::Stop};

/// The longest line that the agent proper may send.
const MESSAGE_BYTES: u64 = 8 << 20;

/// How many messages may wait: a log that is written slowly makes the build wait.
const MESSAGES_WAITING: usize = 64;

/// How many secrets one build may ask for.
const NEEDS_MAX: usize = 1_000;

/// How much longer than the build's own timeout the agent proper may take.
const OVERTIME: Duration = Duration::from_mins(2);

/// How long a stopped build gets: the agent proper waits ten seconds for the commands (spec 70 §8).
/// The container engine gives more than that before it kills the container.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How long it may take to end after its report.
const END_WITHIN: Duration = Duration::from_secs(10);

/// How often a wish to end is looked for.
const LOOK: Duration = Duration::from_millis(200);

pub(super) struct Topic<'a> {
    pub(super) envelope: &'a Path,
    pub(super) timeout_seconds: u64,
    pub(super) api: &'a Api,
    pub(super) stop: &'a Stop,
    pub(super) pulse: &'a Pulse,
    pub(super) log: &'a mut Log,
}

/// How the agent proper ended.
pub(super) struct Ended {
    pub(super) report: Option<Box<BuildReport>>,
    /// Why there is no report, when there is none.
    pub(super) problem: String,
}

type Heard = Result<AgentMessage, String>;

/// Runs it until it has reported and ended.
pub(super) fn converse(topic: Topic<'_>) -> io::Result<Ended> {
    let mut command = Command::new(env::current_exe()?);
    for (name, _) in env::vars_os().filter(|(name, _)| is_kept_back(name)) {
        command.env_remove(name);
    }
    let mut child = command
        .arg("agent")
        .arg(topic.envelope)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let Some((stdin, stdout)) = child.stdin.take().zip(child.stdout.take()) else {
        return Err(io::Error::other("the agent cannot be spoken with"));
    };
    let (say, messages) = mpsc::sync_channel(MESSAGES_WAITING);
    thread::Builder::new()
        .name("agent".to_owned())
        .spawn(move || listen(stdout, &say))?;
    let mut talk = Talk {
        stdin,
        topic,
        needs: 0,
    };
    let heard = talk.hear(&messages);
    if heard.is_err() {
        kill(&mut child);
    }
    // Nothing more is heard of it, and a thread that still wants to tell something may end.
    drop(messages);
    let status = end(&mut child);
    drop(talk);
    Ok(match heard {
        Ok(Some(report)) => Ended {
            report: Some(report),
            problem: String::new(),
        },
        Ok(None) => Ended {
            report: None,
            problem: match status {
                Ok(status) => format!("the agent ended without a report: {status}"),
                Err(error) => format!("the agent ended without a report: {error}"),
            },
        },
        Err(problem) => Ended {
            report: None,
            problem,
        },
    })
}

struct Talk<'a> {
    stdin: ChildStdin,
    topic: Topic<'a>,
    needs: usize,
}

impl Talk<'_> {
    /// Hears it out; the error says what is wrong with it.
    fn hear(
        &mut self,
        messages: &mpsc::Receiver<Heard>,
    ) -> Result<Option<Box<BuildReport>>, String> {
        let timeout = Duration::from_secs(self.topic.timeout_seconds);
        let mut until = Instant::now() + timeout + OVERTIME;
        let mut is_stopping = false;
        loop {
            if !is_stopping && self.topic.stop.is_raised() {
                is_stopping = true;
                until = until.min(Instant::now() + STOP_GRACE);
                self.say(&RunnerMessage::Stop);
            }
            match messages.recv_timeout(LOOK) {
                Ok(Ok(AgentMessage::Log(line))) => self.topic.log.line(&line),
                Ok(Ok(AgentMessage::Phase(phase))) => self.topic.pulse.tell(*phase),
                Ok(Ok(AgentMessage::Need(need))) => self.answer(&need)?,
                Ok(Ok(AgentMessage::Report(report))) => return Ok(Some(report)),
                Ok(Err(problem)) => return Err(problem),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= until {
                return Err("the agent did not end in time and was killed".to_owned());
            }
        }
    }

    fn answer(&mut self, need: &SecretNeed) -> Result<(), String> {
        self.needs += 1;
        if self.needs > NEEDS_MAX {
            return Err(format!("the build asked for more than {NEEDS_MAX} secrets"));
        }
        let answer = self.topic.api.secret(need);
        let answer = answer.unwrap_or_else(|error| RunnerMessage::Refused(error.to_string()));
        self.say(&answer);
        Ok(())
    }

    fn say(&mut self, message: &RunnerMessage) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            // When it does not listen it has ended, or is killed later.
            let _ = self
                .stdin
                .write_all(&line)
                .and_then(|()| self.stdin.flush());
        }
    }
}

/// Reads whole lines until there are no more, or nobody wants them.
fn listen(stdout: ChildStdout, say: &mpsc::SyncSender<Heard>) {
    let mut from = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut line = Vec::new();
        let read = from
            .by_ref()
            .take(MESSAGE_BYTES)
            .read_until(b'\n', &mut line);
        let heard = match read {
            Ok(0) => return,
            Ok(_) if line.ends_with(b"\n") => serde_json::from_slice(&line)
                .map_err(|_| "the agent said something that is no message".to_owned()),
            Ok(_) if line.len() as u64 == MESSAGE_BYTES => {
                Err("a line of the agent is too long".to_owned())
            }
            // A line that was cut off is the word of an agent that was killed.
            Ok(_) => return,
            Err(error) => Err(format!("the agent cannot be understood: {error}")),
        };
        let is_last = heard.is_err();
        if say.send(heard).is_err() || is_last {
            return;
        }
    }
}

/// Waits for its end and brings it about when it is late.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let until = Instant::now() + END_WITHIN;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    kill(child);
    child.wait()
}

fn kill(child: &mut Child) {
    kill_descendants(child.id());
    // It may have ended by itself just now.
    let _ = child.kill();
}
