//! `logs`: what the actions of an execution wrote, in the order in which they began.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::watch::logs::Logs;
use crate::{
    args::{LogsArgs, Output},
    client::{
        Client, answer,
        find::{self, Found, short},
        history::Snapshot,
        log::Of,
    },
    exit::Exit,
    failure::Failure,
    terminal::{Style, Terminal, harmless, paint},
};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(500);

/// One attempt of an action that writes a log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    id: String,
    /// `Build/compile`, with the number of the attempt from the second one on.
    name: String,
    /// Where its log is kept, if not at the endpoint.
    url: Option<String>,
    /// The build that it ran, when it is known.
    build: Option<String>,
    is_over: bool,
}

pub(super) fn run(args: &LogsArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::open(&args.connection)?;
    let found = find::execution(&client, &args.target)?;
    let mut logs = Logs::default();
    let mut printer = Printer {
        terminal,
        grep: args.grep.clone(),
        named: args.action.is_none(),
        lines: 0,
        collected: Vec::new(),
        is_closed: false,
    };
    loop {
        let snapshot = Snapshot::take(&client, &found.pipeline, &found.execution)?;
        let attempts = attempts(&snapshot, args.action.as_deref())?;
        let mut is_read = true;
        for attempt in &attempts {
            is_read &= print(&client, &found, attempt, &mut logs, &mut printer)?;
        }
        let goes_on = matches!(snapshot.status(), "InProgress" | "Stopping");
        if logs.is_absent() && !(goes_on && args.follow) {
            return Err(absent(&attempts));
        }
        let is_complete = attempts.iter().all(|attempt| logs.is_complete(&attempt.id));
        let is_over = is_read && (!args.follow || (!goes_on && is_complete));
        if is_over || printer.is_closed {
            break;
        }
        if is_read {
            thread::sleep(LOOK);
        }
    }
    if terminal.output == Output::Json {
        let document = json!({
            "v": 1,
            "pipeline": found.pipeline,
            "execution": found.execution,
            "lines": printer.collected,
        });
        answer::one(terminal, &document)?;
    }
    if printer.lines == 0 && terminal.output == Output::Text {
        terminal.say(&nothing(&found, args));
    }
    Ok(Exit::Succeeded)
}

/// The attempts whose logs are wanted, the oldest first.
fn attempts(snapshot: &Snapshot, wanted: Option<&str>) -> Result<Vec<Attempt>, Failure> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut is_known = false;
    for detail in snapshot.actions.iter().rev() {
        let text = |key: &str| detail[key].as_str().unwrap_or_default();
        let name = format!("{}/{}", text("stageName"), text("actionName"));
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        let is_wanted =
            wanted.is_none_or(|wanted| wanted == name || name.ends_with(&format!("/{wanted}")));
        is_known |= is_wanted;
        let category = &detail["input"]["actionTypeId"]["category"];
        let has_log = serde_json::from_value(category.clone()).is_ok_and(Logs::has_log);
        if !is_wanted || !has_log {
            continue;
        }
        let name = match *count {
            1 => name,
            count => format!("{name}#{count}"),
        };
        let result = &detail["output"]["executionResult"];
        found.push(Attempt {
            id: text("actionExecutionId").to_owned(),
            name,
            url: result["externalExecutionUrl"].as_str().map(str::to_owned),
            build: result["externalExecutionId"].as_str().map(str::to_owned),
            is_over: detail["status"] != "InProgress",
        });
    }
    match wanted {
        Some(wanted) if !is_known => {
            let names: Vec<&str> = counts.keys().map(String::as_str).collect();
            let message = format!("no action `{wanted}` has run in this execution");
            let help = if names.is_empty() {
                "none has run yet".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            Err(Failure::not_found(message).with_help(help))
        }
        _ => Ok(found),
    }
}

fn print(
    client: &Client,
    found: &Found,
    attempt: &Attempt,
    logs: &mut Logs,
    printer: &mut Printer,
) -> Result<bool, Failure> {
    let of = Of {
        pipeline: &found.pipeline,
        execution: &found.execution,
        action_execution: &attempt.id,
        build: attempt.build.as_deref(),
        is_over: attempt.is_over,
    };
    let mut lines = Vec::new();
    let is_read = logs.read(client, of, &mut |line| lines.push(line.to_owned()))?;
    printer.print(&attempt.name, &lines)?;
    Ok(is_read)
}

/// Writes lines as they come.
struct Printer {
    terminal: Terminal,
    grep: Option<String>,
    /// Whether each line says whose it is.
    named: bool,
    lines: usize,
    /// What becomes one document at the end.
    collected: Vec<Value>,
    /// Nobody reads any more: then there is nothing left to wait for.
    is_closed: bool,
}

impl Printer {
    fn print(&mut self, action: &str, lines: &[String]) -> Result<(), Failure> {
        let is_wanted = |line: &&String| {
            let grep = self.grep.as_deref();
            grep.is_none_or(|text| line.contains(text))
        };
        let wanted: Vec<&String> = lines.iter().filter(is_wanted).collect();
        self.lines += wanted.len();
        if self.terminal.output == Output::Json {
            let lines = wanted.iter().map(|line| event(action, line));
            self.collected.extend(lines);
            return Ok(());
        }
        let text: String = wanted.iter().map(|line| self.line(action, line)).collect();
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::system("write the log", &error)),
        }
    }

    fn line(&self, action: &str, line: &str) -> String {
        match self.terminal.output {
            Output::Text if self.named => {
                let name = paint(&format!("{action} |"), Style::Dim, self.terminal.colour);
                format!("{name} {}\n", harmless(line))
            }
            Output::Text => format!("{}\n", harmless(line)),
            Output::Json | Output::Jsonl | Output::Yaml => {
                let mut event = event(action, line);
                event["v"] = json!(1);
                format!("{event}\n")
            }
        }
    }
}

fn event(action: &str, line: &str) -> Value {
    json!({"type": "log", "action": action, "line": line})
}

fn nothing(found: &Found, args: &LogsArgs) -> String {
    let id = short(&found.execution);
    match &args.grep {
        Some(text) => format!("No line of {id} has `{text}` in it."),
        None => format!("{id} has written no log. See how it stands: pipewright exec show {id}"),
    }
}

fn absent(attempts: &[Attempt]) -> Failure {
    let failure = Failure::new(Exit::NotFound, "this endpoint gives no logs");
    let urls: Vec<String> = attempts
        .iter()
        .filter_map(|attempt| Some(format!("{}: {}", attempt.name, attempt.url.as_ref()?)))
        .collect();
    if urls.is_empty() {
        failure.with_help("they are where the actions ran, CloudWatch on AWS")
    } else {
        failure.with_help(format!(
            "they are where the actions ran\n{}",
            urls.join("\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let detail = |id: &str, name: &str, category: &str| {
            json!({"actionExecutionId": id, "stageName": "Build", "actionName": name,
                   "input": {"actionTypeId": {"category": category}}})
        };
        Snapshot {
            execution: json!({}),
            actions: vec![
                detail("3", "compile", "Build"),
                detail("2", "ok", "Approval"),
                detail("1", "compile", "Build"),
            ],
        }
    }

    fn names(wanted: Option<&str>) -> Vec<String> {
        let attempts = attempts(&snapshot(), wanted).expect("attempts");
        attempts
            .into_iter()
            .map(|a| format!("{}={}", a.id, a.name))
            .collect()
    }

    #[test]
    fn attempts_come_in_the_order_in_which_they_began() {
        assert_eq!(names(None), ["1=Build/compile", "3=Build/compile#2"]);
        assert_eq!(names(Some("compile")), names(None));
        assert_eq!(names(Some("Build/ok")), Vec::<String>::new());
    }

    #[test]
    fn an_action_that_has_not_run_is_not_found() {
        let failure = attempts(&snapshot(), Some("Build/x")).expect_err("none");
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(
            failure.findings[0].help.as_deref(),
            Some("there are: Build/compile, Build/ok")
        );
    }
}
