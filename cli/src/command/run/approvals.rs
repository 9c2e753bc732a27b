//! Approvals during a run: who answers, and how a person is asked.

use std::{collections::VecDeque, io, sync::Arc, thread};

use model::Job;
use operations::{Caller, PutApprovalResult};
use tokio::sync::mpsc;

use super::prepare::identity;
use crate::{args::Approve, terminal::harmless};

/// How many lines may wait that a person wrote before they were asked.
const LINES_WAITING_MAX: usize = 16;
/// The longest comment of an answer; what is longer is cut.
const COMMENT_CHARACTERS_MAX: usize = 512;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) how: Approve,
}

impl Policy {
    pub(super) fn new(how: Approve) -> Self {
        Self { how }
    }
}

/// An approval that waits.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) job: Arc<Job>,
}

impl Question {
    /// What the reviewer is to know.
    pub(super) fn text(&self) -> String {
        let of = |key: &str| self.job.configuration.get(key).map(String::as_str);
        let data = of("CustomData").unwrap_or("may it go on?");
        match of("ExternalEntityLink") {
            Some(link) => harmless(&format!("{data}  ({link})")),
            None => harmless(data),
        }
    }

    /// The decision with who made it.
    pub(super) fn decide(
        &self,
        pipeline: String,
        approved: bool,
        summary: &str,
    ) -> PutApprovalResult {
        PutApprovalResult {
            pipeline,
            stage: self.job.key.stage.clone(),
            action: self.job.key.action.clone(),
            token: self.job.key.token,
            approved,
            summary: summary.chars().take(COMMENT_CHARACTERS_MAX).collect(),
            by: Caller::owner(identity()),
        }
    }

    /// The lines that a person is asked with; the last one waits for the answer.
    pub(super) fn prompt(&self) -> (String, String) {
        let (stage, action) = (&self.job.key.stage, &self.job.key.action);
        let question = format!("  {stage}/{action} waits for an approval: {}", self.text());
        (
            question,
            "  approve? [y]es or [n]o, and a comment if you like: ".to_owned(),
        )
    }
}

/// What a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes(String),
    No(String),
    Unclear,
}

pub(super) fn parse(line: &str) -> Answer {
    let line = line.trim();
    let (word, comment) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let comment = comment.trim().to_owned();
    match word.to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes(comment),
        "n" | "no" => Answer::No(comment),
        _ => Answer::Unclear,
    }
}

/// Approvals that wait, of which one at a time is asked about.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) waiting: VecDeque<Question>,
    /// What a person is being asked.
    pub(super) asked: Option<Question>,
    lines: Option<mpsc::Receiver<String>>,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            asked: None,
            lines: None,
        }
    }

    /// The next line that a person writes; none when there will be no more.
    ///
    /// Never ends while nobody is asked, so that it can be waited for at any time.
    pub(super) async fn line(&mut self) -> Option<String> {
        if self.asked.is_none() {
            return std::future::pending().await;
        }
        // Only from the first question on is standard input read at all.
        self.lines.get_or_insert_with(listen).recv().await
    }
}

/// Reads standard input in a thread of its own: a read cannot be taken back.
fn listen() -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { return };
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_word_and_perhaps_a_comment() {
        for (line, answer) in [
            ("y", Answer::Yes(String::new())),
            (" YES  looks good ", Answer::Yes("looks good".into())),
            ("n", Answer::No(String::new())),
            ("no\tnot on a Friday", Answer::No("not on a Friday".into())),
            ("", Answer::Unclear),
            ("yeah", Answer::Unclear),
            ("nope", Answer::Unclear),
        ] {
            assert_eq!(parse(line), answer, "{line:?}");
        }
    }
}
