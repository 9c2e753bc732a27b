//! The line between an agent and its runner: stdin and stdout.

use std::{
    io::{self, BufRead, BufReader, Read, Stdout, Write},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use buildspec::build::{PhaseReport, SecretError, SecretReference, Secrets, Sink, StopFlag};
use embedded::sandbox::process::kill_descendants;
use model::build::{AgentMessage, RunnerMessage, SecretNeed};

use super::outcome;

/// The longest line that a runner may send: the value of a secret, each character escaped.
const MESSAGE_BYTES: u64 = 1 << 20;

/// How long a runner may take to look up a secret.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// How long a build has to end by itself when its runner is gone: nobody waits for it.
const ALONE: Duration = Duration::from_secs(2);

/// How long the agent has after that.
const LAST: Duration = Duration::from_secs(2);

pub(super) struct Line {
    /// Messages are whole lines, and a question has its answer before the next one is asked.
    ends: Mutex<Ends>,
    stop: StopFlag,
}

struct Ends {
    out: Stdout,
    answers: mpsc::Receiver<RunnerMessage>,
}

impl Line {
    /// Begins to listen to the runner; when it says so, or falls silent, the flag is raised.
    pub(super) fn open(stop: StopFlag) -> io::Result<Self> {
        // One answer may come at a time, for one question.
        let (to_asker, answers) = mpsc::sync_channel(1);
        let raised = stop.clone();
        thread::Builder::new()
            .name("runner".to_owned())
            .spawn(move || {
                listen(BufReader::new(io::stdin()), &to_asker, &raised);
                drop(to_asker);
                raised.raise();
                end_alone();
            })?;
        Ok(Self {
            ends: Mutex::new(Ends {
                out: io::stdout(),
                answers,
            }),
            stop,
        })
    }

    pub(super) fn say(&self, message: &AgentMessage) -> io::Result<()> {
        say(&mut self.ends().out, message)
    }

    pub(super) fn sink(&self) -> impl Sink + '_ {
        ToRunner(self)
    }

    pub(super) fn secrets(&self) -> impl Secrets + '_ {
        ToRunner(self)
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        // A line that a panic cut off ends the build: the runner cannot read it.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, need: SecretNeed) -> Result<String, SecretError> {
        let mut ends = self.ends();
        let asked = say(&mut ends.out, &AgentMessage::Need(need));
        let lost = |why: &dyn ToString| SecretError::Unavailable(why.to_string());
        asked.map_err(|error| lost(&error))?;
        match ends.answers.recv_timeout(ANSWER_WITHIN) {
            Ok(RunnerMessage::Value(value)) => Ok(value),
            Ok(RunnerMessage::Missing) => Err(SecretError::NotFound),
            Ok(RunnerMessage::Refused(why)) => Err(SecretError::Denied(why)),
            Ok(RunnerMessage::Stop) => Err(lost(&"the build is stopped")),
            Err(error) => Err(lost(&error)),
        }
    }
}

fn say(out: &mut impl Write, message: &AgentMessage) -> io::Result<()> {
    let mut text = serde_json::to_vec(message)?;
    text.push(b'\n');
    out.write_all(&text)?;
    out.flush()
}

/// Hears the runner until it has no more to say, or says what is no message.
fn listen(mut from: impl BufRead, to_asker: &mpsc::SyncSender<RunnerMessage>, stop: &StopFlag) {
    loop {
        let mut text = Vec::new();
        let read = from
            .by_ref()
            .take(MESSAGE_BYTES)
            .read_until(b'\n', &mut text);
        if !matches!(read, Ok(1..)) || text.last() != Some(&b'\n') {
            return;
        }
        match serde_json::from_slice(&text) {
            Ok(RunnerMessage::Stop) => stop.raise(),
            Ok(answer) => {
                // Nobody may be asking; then it is dropped when there is one already.
                let _ = to_asker.try_send(answer);
            }
            Err(_) => return,
        }
    }
}

/// Ends everything, this process at last, because there is nobody to report to.
#[expect(
    clippy::exit,
    reason = "the thread that runs the build may hang in a write that nobody reads"
)]
fn end_alone() {
    thread::sleep(ALONE);
    kill_descendants(std::process::id());
    thread::sleep(LAST);
    kill_descendants(std::process::id());
    std::process::exit(1);
}

/// What the build is given: a log and secrets, both at the runner's.
struct ToRunner<'a>(&'a Line);

impl Sink for ToRunner<'_> {
    fn line(&mut self, line: &str) {
        if self.0.say(&AgentMessage::Log(line.to_owned())).is_err() {
            // Nobody reads it.
            self.0.stop.raise();
        }
    }

    fn phase(&mut self, phase: &PhaseReport) {
        let phase = Box::new(outcome::phase(phase));
        if self.0.say(&AgentMessage::Phase(phase)).is_err() {
            self.0.stop.raise();
        }
    }
}

impl Secrets for ToRunner<'_> {
    fn parameter(&self, name: &str) -> Result<String, SecretError> {
        self.0.ask(SecretNeed::Parameter(name.to_owned()))
    }

    fn secret(&self, reference: &SecretReference) -> Result<String, SecretError> {
        self.0.ask(SecretNeed::Secret {
            id: reference.id.clone(),
            version_stage: reference.version_stage.clone(),
            version_id: reference.version_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> (bool, Vec<String>) {
        let (to_asker, answers) = mpsc::sync_channel(8);
        let stop = StopFlag::new();
        listen(text.as_bytes(), &to_asker, &stop);
        drop(to_asker);
        let answers = answers.iter().map(|answer| match answer {
            RunnerMessage::Value(value) => value,
            RunnerMessage::Missing => "missing".to_owned(),
            RunnerMessage::Refused(why) => why,
            RunnerMessage::Stop => "stop".to_owned(),
        });
        (stop.is_raised(), answers.collect())
    }

    #[test]
    fn answers_go_to_who_asked_and_stop_stops() {
        let (is_stopped, answers) = heard("{\"value\":\"x\"}\n\"missing\"\n\"stop\"\n");
        assert!(is_stopped);
        assert_eq!(answers, ["x", "missing"]);
    }

    #[test]
    fn what_is_no_message_ends_the_talk() {
        let (is_stopped, answers) = heard("hello\n\"missing\"\n");
        assert!(!is_stopped && answers.is_empty());
        let (_, answers) = heard("\"missing\"");
        assert!(answers.is_empty(), "it was cut off");
    }

    #[test]
    fn a_message_is_one_line() {
        let mut out = Vec::new();
        say(&mut out, &AgentMessage::Log("a\nb\"".to_owned())).unwrap();
        assert_eq!(out, b"{\"log\":\"a\\nb\\\"\"}\n");
    }
}
