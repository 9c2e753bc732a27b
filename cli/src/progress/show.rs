//! How an execution is shown while it goes on: a live tree, or one line per change, on standard error;
//! and a stream of JSON on standard output for those who asked for it.

use std::io::{self, Write as _};

use model::{Change, Subject, Timestamp};
use serde_json::{Value, json};

use super::{
    Progress, lines,
    screen::Screen,
    tree::{self, Canvas},
    word,
};
use crate::{
    args::Output,
    clock,
    terminal::{self, Style, Terminal, Volume, harmless, paint},
};

pub struct Show {
    terminal: Terminal,
    screen: Screen,
    /// The number of the last JSON line.
    sequence: u64,
    /// A question stands on the screen, and nothing may be drawn over it.
    asking: bool,
}

impl Show {
    pub fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            screen: Screen::default(),
            sequence: 0,
            asking: false,
        }
    }

    /// Says something to people, above the tree.
    pub fn say(&mut self, line: &str) {
        if self.terminal.live && !self.asking {
            // Nobody is left to tell when standard error is closed.
            let _ = self
                .screen
                .above(&mut io::stderr().lock(), &[line.to_owned()]);
        } else {
            self.terminal.say(line);
        }
    }

    /// Says something to people even if they want quiet.
    pub fn insist(&mut self, line: &str) {
        if self.terminal.is_quiet() {
            self.terminal.insist(line);
        } else {
            self.say(line);
        }
    }

    /// The execution as it is when somebody begins to look.
    pub fn begin(&mut self, progress: &Progress) {
        if !self.terminal.live {
            self.terminal
                .say(&format!("Pipeline {}", tree::headline(progress)));
        }
    }

    pub fn change(&mut self, progress: &Progress, change: &Change) {
        if !self.terminal.live {
            self.terminal.say(&lines::line(progress, change));
        }
        if self.terminal.output == Output::Jsonl {
            self.write(change.at, event(progress, change));
        }
    }

    pub fn log(&mut self, stage: &str, action: &str, line: &str, at: Timestamp) {
        if self.terminal.volume == Volume::Verbose {
            let name = paint(
                &format!("{stage}/{action} |"),
                Style::Dim,
                self.terminal.colour,
            );
            self.say(&format!("{name} {}", harmless(line)));
        }
        if self.terminal.output == Output::Jsonl {
            let event = json!({"type": "log", "stage": stage, "action": action, "line": line});
            self.write(at, event);
        }
    }

    /// Lines of logs were written faster than they could be shown; the files have them all.
    pub fn missed(&mut self, count: u64, at: Timestamp) {
        if self.terminal.output == Output::Jsonl {
            self.write(at, json!({"type": "gap", "missed": count}));
        }
    }

    /// A question to a person, of which `prompt` is the last line.
    pub fn ask(&mut self, progress: &Progress, question: &str, prompt: &str, now: Timestamp) {
        self.draw(progress, now);
        self.screen.leave();
        self.asking = true;
        let mut out = io::stderr().lock();
        let question = paint(question, Style::Attention, self.terminal.colour);
        // Nobody can answer when standard error is closed; the end of the input tells.
        let _ = write!(out, "{question}\n{prompt}").and_then(|()| out.flush());
    }

    /// The question is off the screen.
    pub fn asked(&mut self) {
        self.asking = false;
    }

    /// Whether a tree is drawn again and again.
    pub fn is_live(&self) -> bool {
        self.terminal.live
    }

    /// Whether a question stands on the screen.
    pub fn is_asking(&self) -> bool {
        self.asking
    }

    pub fn approval(&mut self, stage: &str, action: &str, text: &str, at: Timestamp) {
        if self.terminal.output == Output::Jsonl {
            let event =
                json!({"type": "approval", "stage": stage, "action": action, "question": text});
            self.write(at, event);
        }
    }

    /// Draws the tree anew, where there is one.
    pub fn draw(&mut self, progress: &Progress, now: Timestamp) {
        if !self.terminal.live || self.asking {
            return;
        }
        let (width, height) = self.terminal.size();
        let canvas = Canvas {
            width,
            height,
            colour: self.terminal.colour,
            now,
        };
        let lines = tree::render(progress, canvas);
        let _ = self.screen.draw(&mut io::stderr().lock(), &lines);
    }

    /// The last event: the same document that `-o json` prints.
    /// Prints the result for programs: whoever asked for it must learn that it cannot be written.
    pub fn result(&mut self, document: &Value, at: Timestamp) -> io::Result<()> {
        match self.terminal.output {
            Output::Text => Ok(()),
            Output::Json | Output::Yaml => terminal::print(&format!("{document:#}\n")),
            Output::Jsonl => {
                let mut event = document.clone();
                event["type"] = json!("result");
                terminal::print(&self.numbered(at, event))
            }
        }
    }

    fn write(&mut self, at: Timestamp, event: Value) {
        // A reader that went away does not end the run.
        let _ = terminal::print(&self.numbered(at, event));
    }

    fn numbered(&mut self, at: Timestamp, mut event: Value) -> String {
        self.sequence += 1;
        event["v"] = json!(1);
        event["seq"] = json!(self.sequence);
        event["time"] = json!(clock::date_and_time(at));
        format!("{event}\n")
    }
}

fn event(progress: &Progress, change: &Change) -> Value {
    match &change.subject {
        Subject::Pipeline { state, comment, .. } => json!({
            "type": "pipeline",
            "pipeline": change.pipeline,
            "execution": change.execution.to_string(),
            "status": word(*state),
            "comment": comment,
        }),
        Subject::Stage { stage, state, .. } => json!({
            "type": "stage", "stage": stage, "status": word(*state),
        }),
        Subject::Action(action) => {
            let row = progress.action(&action.stage, &action.action);
            json!({
                "type": "action",
                "stage": action.stage,
                "action": action.action,
                "attempt": action.attempt,
                "id": action.action_execution_id.to_string(),
                "status": row.map_or(word(action.state), |row| row.status.word()),
                "summary": row.and_then(|row| row.output.summary.clone()),
                "error": action.error,
            })
        }
    }
}
