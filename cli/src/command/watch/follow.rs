//! Following an execution on a server: where it stands is asked for again and again, and what has
//! changed is shown as a run on this machine shows it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use model::{ExecutionId, PipelineDeclaration};
use serde_json::json;
use uuid::Uuid;

use super::{interrupt::Interrupts, logs::Logs, waits};
use crate::{
    args::Output,
    client::{
        ApiError, Client, Service,
        api::now,
        find::{self, Found, short},
        history::{History, Snapshot, attempt_id, question},
        log::{GOES_MAX, Of},
    },
    exit::Exit,
    failure::Failure,
    progress::{ActionRow, Progress, Status, show::Show},
    terminal::{Terminal, Volume, harmless},
};

/// How often a server that somebody named is asked.
const LOOK: Duration = Duration::from_millis(300);
/// How often AWS is asked, which counts the calls.
const LOOK_AWS: Duration = Duration::from_secs(2);
/// How often the tree is drawn anew.
const FRAME: Duration = Duration::from_millis(125);
/// How long a server may be away: time enough to start it again.
const OUTAGE_MAX: Duration = Duration::from_mins(2);
/// How long nothing happens before it is asked why.
const IDLE: Duration = Duration::from_secs(1);
/// How many executions may supersede each other while they are followed.
const SUPERSEDING_MAX: usize = 1_000;

/// How an execution is followed.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::command) struct Manner {
    pub(in crate::command) timeout: Option<Duration>,
    pub(in crate::command) with_logs: bool,
    pub(in crate::command) follow_superseding: bool,
    /// Nothing is shown before the end.
    pub(in crate::command) is_silent: bool,
}

/// Why the following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Ending {
    Over,
    TimedOut,
    Interrupted,
}

pub(in crate::command) struct Follower<'a> {
    pub(super) client: &'a Client,
    pub(super) found: Found,
    pub(super) manner: Manner,
    pub(super) terminal: Terminal,
    pub(super) progress: Progress,
    pub(super) show: Show,
    pub(super) logs: Logs,
    history: History,
    /// Approvals that somebody was told of.
    asked: BTreeSet<Uuid>,
    /// Since when the server does not answer.
    away: Option<Instant>,
    superseded: usize,
    /// Since when nothing of it is in progress.
    idle: Option<Instant>,
    /// What it was last said to wait for.
    pub(super) waits: Option<String>,
}

impl<'a> Follower<'a> {
    /// Reads the definition that the execution runs by.
    pub(super) fn begin(
        client: &'a Client,
        found: Found,
        manner: Manner,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let shown = Terminal {
            live: terminal.live && !manner.is_silent,
            ..terminal
        };
        let (declaration, execution) = declaration(client, &found)?;
        let follower = Self {
            client,
            manner,
            terminal,
            progress: Progress::new(&declaration, execution),
            show: Show::new(shown),
            logs: Logs::default(),
            history: History::new(&declaration, execution, found.started),
            asked: BTreeSet::new(),
            away: None,
            superseded: 0,
            idle: None,
            waits: None,
            found,
        };
        Ok(follower)
    }

    /// Follows it to its end, or as long as it may take.
    pub(super) fn follow(&mut self) -> Result<Ending, Failure> {
        let interrupts = Interrupts::listen()?;
        let deadline = self.manner.timeout.map(|time| Instant::now() + time);
        let between = if self.client.settings.is_named(Service::CodePipeline) {
            LOOK
        } else {
            LOOK_AWS
        };
        if !self.manner.is_silent {
            self.show.begin(&self.progress);
        }
        loop {
            if let Some(snapshot) = self.look()? {
                // What an action wrote comes before the news of its end.
                let is_over = !matches!(snapshot.status(), "InProgress" | "Stopping");
                let is_enough = self.read_on(is_over, &interrupts, between)?;
                self.take(&snapshot);
                if self.progress.is_over() && !is_enough {
                    self.read_on(true, &interrupts, between)?;
                }
                if self.progress.is_over() && !self.goes_on_elsewhere(&snapshot)? {
                    self.draw();
                    return Ok(Ending::Over);
                }
                self.explain()?;
            }
            let next = Instant::now() + between;
            while Instant::now() < next {
                self.draw();
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(Ending::TimedOut);
                }
                let left = next.saturating_duration_since(Instant::now());
                if interrupts.wait(left.min(FRAME)) {
                    return Ok(Ending::Interrupted);
                }
            }
        }
    }

    /// Where it stands; nothing while the server is away for a moment.
    fn look(&mut self) -> Result<Option<Snapshot>, Failure> {
        let taken = Snapshot::take(self.client, &self.found.pipeline, &self.found.execution);
        self.bear(taken)
    }

    /// Waits for a server that is away, but not for ever.
    fn bear<T>(&mut self, answer: Result<T, ApiError>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(answer) => {
                if self.away.take().is_some() {
                    self.show.insist("the server answers again");
                }
                Ok(Some(answer))
            }
            Err(error) if error.is_outage() => {
                let Some(since) = self.away else {
                    self.away = Some(Instant::now());
                    let failure = Failure::from(error);
                    self.show
                        .insist(&format!("warning: {failure}; it is asked again"));
                    return Ok(None);
                };
                if since.elapsed() > OUTAGE_MAX {
                    return Err(error.into());
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, snapshot: &Snapshot) {
        for change in self.history.changes(snapshot, now()) {
            if self.progress.apply(&change) && !self.manner.is_silent {
                self.show.change(&self.progress, &change);
            }
        }
        for detail in &snapshot.actions {
            let text = |key: &str| detail[key].as_str().unwrap_or_default();
            let id = attempt_id(text("actionExecutionId"));
            let (stage, action) = (text("stageName"), text("actionName"));
            let Some(row) = self.progress.action_mut(stage, action) else {
                continue;
            };
            if row.id == Some(id) {
                let result = &detail["output"]["executionResult"];
                let external = result["externalExecutionId"].as_str();
                // Where it writes its log is known before its end.
                row.output.external_execution_id = external.map(str::to_owned);
            }
            if row.status != Status::Waiting || row.id != Some(id) || !self.asked.insert(id) {
                continue;
            }
            let question = harmless(&question(detail));
            row.question = Some(question.clone());
            self.show.approval(stage, action, &question, now());
            let name = format!("{}/{stage}/{action}", self.found.pipeline);
            self.show.say(&format!(
                "{stage}/{action} waits for an approval: {question}\n  pipewright approve {name}"
            ));
        }
    }

    /// Says what an execution waits for that does nothing.
    fn explain(&mut self) -> Result<(), Failure> {
        let acts = |status| matches!(status, Status::InProgress | Status::Waiting);
        let is_idle = !self.progress.actions().any(|(_, row)| acts(row.status));
        if !is_idle {
            (self.idle, self.waits) = (None, None);
            return Ok(());
        }
        if self.idle.get_or_insert_with(Instant::now).elapsed() < IDLE {
            return Ok(());
        }
        self.idle = Some(Instant::now());
        let state = self
            .client
            .call("GetPipelineState", &json!({"name": self.found.pipeline}));
        let Some(state) = self.bear(state)? else {
            return Ok(());
        };
        let reason = waits::reason(&state, &self.found.execution);
        if let Some(reason) = reason.as_ref().filter(|_| reason != self.waits) {
            let id = short(&self.found.execution);
            self.show.say(&format!("{id} {reason}"));
        }
        self.waits = reason;
        Ok(())
    }

    /// Reads on in the logs; all that is left of them once the execution is over and each line is
    /// shown, unless somebody interrupts that. Whether that was to be the last of them.
    fn read_on(
        &mut self,
        is_over: bool,
        interrupts: &Interrupts,
        between: Duration,
    ) -> Result<bool, Failure> {
        let shows_lines =
            self.terminal.volume == Volume::Verbose || self.terminal.output == Output::Jsonl;
        for _ in 0..GOES_MAX {
            if self.read_logs()? || !is_over || !shows_lines {
                return Ok(false);
            }
            let pause = self.away.map_or(Duration::ZERO, |_| between);
            if interrupts.wait(pause) {
                break;
            }
            self.draw();
        }
        let id = short(&self.found.execution);
        self.show.insist(&format!(
            "warning: the logs have more lines: pipewright logs {id}"
        ));
        Ok(true)
    }

    /// Reads on in the logs of what is going on: their last lines are part of the tree. Whether all
    /// that was there has been read.
    fn read_logs(&mut self) -> Result<bool, Failure> {
        if self.manner.is_silent || self.terminal.is_quiet() {
            return Ok(true);
        }
        let mut is_read = true;
        let wanted: Vec<(String, String, ActionRow)> = self
            .progress
            .actions()
            .filter(|(_, row)| self.logs.is_wanted(row))
            .filter_map(|(stage, row)| {
                let id = row.id?.to_string();
                Some((id, stage.name.clone(), row.clone()))
            })
            .collect();
        for (stream, stage, row) in wanted {
            let action = row.name.clone();
            let mut lines = Vec::new();
            let read = self.logs.read(
                self.client,
                Of {
                    pipeline: &self.found.pipeline,
                    execution: &self.found.execution,
                    action_execution: &stream,
                    build: row.output.external_execution_id.as_deref(),
                    is_over: row.status.is_terminal(),
                },
                &mut |line| lines.push(line.to_owned()),
            );
            is_read &= self.bear(read)?.unwrap_or(false);
            for line in lines {
                self.progress.log(&stream, &line);
                self.show.log(&stage, &action, &line, now());
            }
        }
        if self.logs.is_absent() && self.manner.with_logs && self.progress.is_over() {
            self.manner.with_logs = false;
            self.show
                .insist("warning: this endpoint gave no logs: they are where the actions ran");
        }
        Ok(is_read)
    }

    /// Goes over to the execution that took this one's place, when that is wanted.
    fn goes_on_elsewhere(&mut self, snapshot: &Snapshot) -> Result<bool, Failure> {
        let is_superseded = snapshot.status() == "Superseded";
        if !is_superseded || !self.manner.follow_superseding || self.superseded >= SUPERSEDING_MAX {
            return Ok(false);
        }
        let all = find::executions(self.client, &self.found.pipeline, SUPERSEDING_MAX)?;
        // The newest come first: what is before this one is newer, and the last of it that was not
        // itself superseded is what took its place.
        let newer = all
            .iter()
            .take_while(|one| one["pipelineExecutionId"] != self.found.execution.as_str())
            .filter(|one| one["status"] != "Superseded")
            .last();
        let next = newer.and_then(|one| one["pipelineExecutionId"].as_str());
        let Some(next) = next else { return Ok(false) };
        self.superseded += 1;
        self.show.insist(&format!(
            "{} was superseded; {} took its place",
            short(&self.found.execution),
            short(next)
        ));
        let found = Found {
            pipeline: self.found.pipeline.clone(),
            execution: next.to_owned(),
            started: newer.and_then(|one| crate::client::when::timestamp(&one["startTime"])),
        };
        let (declaration, execution) = declaration(self.client, &found)?;
        self.progress = Progress::new(&declaration, execution);
        self.history = History::new(&declaration, execution, found.started);
        self.logs = Logs::default();
        self.found = found;
        Ok(true)
    }

    fn draw(&mut self) {
        if !self.manner.is_silent {
            self.show.draw(&self.progress, now());
        }
    }
}

/// The definition that an execution runs by, and its id.
fn declaration(
    client: &Client,
    found: &Found,
) -> Result<(PipelineDeclaration, ExecutionId), Failure> {
    let input = json!({"pipelineName": found.pipeline, "pipelineExecutionId": found.execution});
    let answer = client.call("GetPipelineExecution", &input)?;
    let version = &answer["pipelineExecution"]["pipelineVersion"];
    let mut answer = client.call(
        "GetPipeline",
        &json!({"name": found.pipeline, "version": version}),
    )?;
    let declaration = serde_json::from_value(answer["pipeline"].take());
    let declaration = declaration.map_err(|error| {
        let message = format!(
            "the definition of `{}` is not understood: {error}",
            found.pipeline
        );
        Failure::new(Exit::Unreachable, message).with_help("a newer Pipewright may know more")
    })?;
    let execution = found.execution.parse().map_err(|_| {
        Failure::not_found(format!("`{}` is no execution id", found.execution))
            .with_help("pipewright exec list NAME")
    })?;
    Ok((declaration, execution))
}
