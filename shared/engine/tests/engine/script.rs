//! A script of what happens to a pipeline, and the transcript of what the engine makes of it.
//!
//! `start e1 [by Webhook] [name=value …] [revision:Source=r]`, `finish e1 lint [Key=value …]`, `fail e1 lint why`,
//! `progress e1 lint 40`, `forge e1 lint` (a foreign token), `approve e1 Approve`,
//! `reject e1 Approve why`, `stop e1 [why]`, `abandon e1 [why]`, `retry e1 Build failed|all`,
//! `disable Build why`, `enable Build`, `update: …` (a new definition), `wait 5m`, `back 5m`,
//! `tick`, `show e1 lint` (the job). `lint#1` names an attempt; the newest one is meant otherwise.
//! `start e1..e9` starts nine, `quietly …` prints the state alone.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::Arc,
    time::Duration,
};

use expect_test::Expect;
use model::{
    ActionOutput, AttemptKey, Effect, ExecutionId, Input, Job, Rejection,
    declaration::{PipelineDeclaration, RetryMode},
    derive,
    input::{ApprovalDecision, Start},
    job::{ActionResult, ErrorDetails},
    state::{RevisionType, SourceRevision, SourceRevisionOverride, Trigger, TriggerType},
};
use uuid::Uuid;

use crate::{declare::declare, oracle::Watched, transcript};

/// Runs the script and compares the transcript.
#[expect(
    clippy::needless_pass_by_value,
    reason = "each test makes its own `expect!`"
)]
pub(crate) fn check(script: &str, expect: Expect) {
    let transcript = run(script);
    expect.assert_eq(&transcript);
}

fn run(script: &str) -> String {
    let mut play = Play::new();
    let mut lines: VecDeque<&str> = script.lines().collect();
    while let Some(line) = lines.pop_front() {
        if line.trim().is_empty() {
            continue;
        }
        let mut details = Vec::new();
        if line.contains("pipeline: ") || line.contains("update: ") {
            let depth = |line: &str| line.len() - line.trim_start().len();
            while lines.front().is_some_and(|next| depth(next) > depth(line)) {
                details.extend(lines.pop_front());
            }
        }
        play.line(line.trim(), &details);
    }
    play.out
}

struct Play {
    watched: Watched,
    names: BTreeMap<ExecutionId, String>,
    jobs: BTreeMap<(ExecutionId, String, u32), Job>,
    quiet: bool,
    out: String,
}

impl Play {
    fn new() -> Self {
        Self {
            watched: Watched::new(transcript::BEGINNING),
            names: BTreeMap::new(),
            jobs: BTreeMap::new(),
            quiet: false,
            out: String::new(),
        }
    }

    fn line(&mut self, line: &str, details: &[&str]) {
        let (quiet, line) = match line.strip_prefix("quietly ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        self.quiet = quiet;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let now = transcript::time(self.watched.now);
        match verb {
            "pipeline:" => {
                let declaration = Arc::new(declare(rest, details));
                let input = Input::DefinitionChanged { declaration };
                self.watched
                    .step(&input, None)
                    .expect("a definition is never rejected");
                return;
            }
            "wait" => return self.watched.now = self.watched.now.plus(duration(rest)),
            "back" => {
                let millis = i64::try_from(duration(rest).as_millis()).expect("a short time");
                self.watched.now.0 -= millis;
                return;
            }
            "show" => return self.show(rest),
            _ => {}
        }
        let _ = writeln!(self.out, "{now}  {line}");
        match verb {
            "start" => self.start(rest),
            "update:" => {
                let declaration: Arc<PipelineDeclaration> = Arc::new(declare(rest, details));
                self.apply(&Input::DefinitionChanged { declaration }, None);
            }
            _ => {
                let (input, also) = self.input(verb, rest);
                self.apply(&input, also);
            }
        }
        let state = transcript::state(&self.watched, &self.names);
        let _ = writeln!(self.out, "    = {state}");
    }

    fn start(&mut self, rest: &str) {
        let (who, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (first, last) = who.split_once("..").unwrap_or((who, who));
        let (kind, rest) = match rest.strip_prefix("by ") {
            Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
            None => ("StartPipelineExecution", rest),
        };
        for number in number(first)..=number(last) {
            let execution = id(number);
            self.names.insert(execution, format!("e{number}"));
            let start = Start {
                execution,
                secret: Uuid::from_u128(1_000_000 + u128::from(number)),
                trigger: Trigger {
                    kind: trigger(kind),
                    detail: "start".to_owned(),
                },
                variables: given("", rest),
                overrides: given("revision:", rest)
                    .into_iter()
                    .map(overriding)
                    .collect(),
            };
            self.apply(&Input::Start(Box::new(start)), None);
        }
    }

    fn input(&self, verb: &str, rest: &str) -> (Input, Option<ExecutionId>) {
        let (who, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (what, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "tick" => (Input::Tick, None),
            "delete" => (Input::PipelineDeleted, None),
            "disable" | "enable" => {
                let input = Input::TransitionSet {
                    stage: who.to_owned(),
                    enabled: verb == "enable",
                    reason: Some(rest.to_owned()).filter(|reason| !reason.is_empty()),
                    by: "ann".to_owned(),
                };
                (input, None)
            }
            "stop" | "abandon" => {
                let execution = id(number(who));
                let input = Input::StopRequested {
                    execution,
                    abandon: verb == "abandon",
                    reason: Some(rest.to_owned()),
                    by: "ann".to_owned(),
                };
                (input, Some(execution))
            }
            "retry" => {
                let execution = id(number(who));
                let mode = if more == "all" {
                    RetryMode::AllActions
                } else {
                    RetryMode::FailedActions
                };
                let input = Input::RetryRequested {
                    stage: what.to_owned(),
                    execution,
                    mode,
                };
                (input, Some(execution))
            }
            "approve" | "reject" => {
                let key = self.key(who, what);
                let decision = ApprovalDecision {
                    stage: key.stage,
                    action: key.action,
                    token: if more == "with a foreign token" {
                        Uuid::from_u128(666)
                    } else {
                        key.token
                    },
                    approved: verb == "approve",
                    summary: more.to_owned(),
                    by: "ann".to_owned(),
                };
                // The answer may come after the end: whoever was latest in the stage is loaded.
                let head = self.watched.state.head.stages.get(&decision.stage);
                let latest = head.and_then(|head| head.latest);
                (Input::ApprovalDecided(decision), latest)
            }
            _ => (self.news(verb, self.key(who, what), more), None),
        }
    }

    /// What a worker reports.
    fn news(&self, verb: &str, mut key: AttemptKey, more: &str) -> Input {
        let job = self.job(&key);
        let is_source = job.action_type.category == model::ActionCategory::Source;
        let output = ActionOutput {
            variables: Arc::new(if verb == "finish" {
                pairs(more)
            } else {
                BTreeMap::new()
            }),
            revision: is_source.then(|| revision(&key)),
            ..ActionOutput::default()
        };
        match verb {
            "finish" => Input::ActionFinished {
                key,
                result: ActionResult::Succeeded(output),
            },
            "forge" => {
                key.token = Uuid::from_u128(666);
                Input::ActionFinished {
                    key,
                    result: ActionResult::Succeeded(output),
                }
            }
            "fail" => {
                let why = if more.is_empty() { "exit 1" } else { more };
                let error = ErrorDetails::job_failed(why);
                let output = ActionOutput::default();
                Input::ActionFinished {
                    key,
                    result: ActionResult::Failed { error, output },
                }
            }
            "progress" => {
                let percent_complete = Some(more.parse().expect("a number of percent"));
                let output = ActionOutput {
                    percent_complete,
                    ..ActionOutput::default()
                };
                Input::ActionProgressed { key, output }
            }
            other => panic!("a script has no `{other}`"),
        }
    }

    fn apply(&mut self, input: &Input, also: Option<ExecutionId>) {
        match self.watched.step(input, also) {
            Ok(effects) => {
                for effect in &effects {
                    if let Effect::Dispatch(job) | Effect::Ask(job) | Effect::Refuse(job) = effect {
                        let key = &job.key;
                        let place = (key.execution, key.action.clone(), key.attempt);
                        self.jobs.insert(place, (**job).clone());
                    }
                }
                let settled = !self.watched.state.head.unsettled;
                if settled && matches!(input, Input::ActionFinished { .. }) {
                    let repeated = self.watched.step(input, also);
                    assert_eq!(
                        repeated,
                        Ok(Vec::new()),
                        "a repeated result changes something"
                    );
                }
                if !self.quiet {
                    self.out += &transcript::effects(&self.watched, &effects, &self.names);
                }
            }
            Err(rejection) => {
                let text = self.named(&rejection);
                let _ = writeln!(self.out, "    refused: {}: {text}", rejection.exception());
            }
        }
    }

    /// The message with the names of this script in place of ids.
    fn named(&self, rejection: &Rejection) -> String {
        let mut text = rejection.to_string();
        for (id, name) in &self.names {
            text = text.replace(&id.to_string(), name);
        }
        text
    }

    /// The key of `e1` and `lint` or `lint#2`.
    fn key(&self, who: &str, what: &str) -> AttemptKey {
        let execution = id(number(who));
        let (action, attempt) = match what.split_once('#') {
            Some((action, attempt)) => (action, Some(attempt.parse().expect("a number"))),
            None => (what, None),
        };
        let mut known = self.jobs.iter().filter(|((of, name, number), _)| {
            *of == execution && name == action && attempt.is_none_or(|attempt| attempt == *number)
        });
        let job = known.next_back().map(|(_, job)| job);
        match job {
            Some(job) => job.key.clone(),
            None => AttemptKey {
                pipeline: "shop".to_owned(),
                execution,
                stage: action.to_owned(),
                action: action.to_owned(),
                attempt: attempt.unwrap_or(1),
                token: derive::attempt_token(Uuid::from_u128(0), action, action, 1),
            },
        }
    }

    fn job(&self, key: &AttemptKey) -> &Job {
        let place = (key.execution, key.action.clone(), key.attempt);
        self.jobs.get(&place).expect("the attempt was begun")
    }

    /// What the worker of an attempt was given, as far as it says something.
    fn show(&mut self, rest: &str) {
        let (who, what) = rest.split_once(' ').expect("an execution and an action");
        let job = self.job(&self.key(who, what)).clone();
        let _ = writeln!(self.out, "    the job of {what} of {who}:");
        let mut lines = Vec::new();
        lines.extend(
            job.configuration
                .iter()
                .map(|(key, value)| format!("{key} = {value}")),
        );
        lines.extend(job.commands.iter().map(|command| format!("$ {command}")));
        let variables = job.environment_variables.iter();
        lines.extend(variables.map(|v| format!("{}={}", v.name, v.value)));
        for input in &job.inputs {
            let revision = input
                .revision
                .as_ref()
                .map(|r| format!(" at {r}"))
                .unwrap_or_default();
            lines.push(format!(
                "in  {} {}/{}{revision}",
                input.name, input.bucket, input.key
            ));
        }
        let outputs = job.outputs.iter();
        lines.extend(outputs.map(|o| format!("out {} {}/{}", o.name, o.bucket, o.key)));
        let pinned = job.overrides.iter();
        lines.extend(pinned.map(|o| format!("pinned {:?} {}", o.revision_type, o.revision_value)));
        let minutes = job.until.since(job.started).as_secs() / 60;
        lines.push(format!("up to {minutes} minutes"));
        for line in lines {
            let _ = writeln!(self.out, "      {line}");
        }
    }
}

fn id(number: u64) -> ExecutionId {
    // The ids run against the order of the starts: nothing may depend on the order of ids.
    ExecutionId(Uuid::from_u128(u128::from(u64::MAX - number)))
}

fn number(name: &str) -> u64 {
    let digits = name
        .strip_prefix('e')
        .and_then(|digits| digits.parse().ok());
    digits.unwrap_or_else(|| panic!("`{name}` is no execution: e1, e2, …"))
}

fn trigger(kind: &str) -> TriggerType {
    match kind {
        "StartPipelineExecution" => TriggerType::StartPipelineExecution,
        "PutActionRevision" => TriggerType::PutActionRevision,
        "CreatePipeline" => TriggerType::CreatePipeline,
        "Webhook" => TriggerType::Webhook,
        "CloudWatchEvent" => TriggerType::CloudWatchEvent,
        other => panic!("no trigger is called {other} here"),
    }
}

/// The pairs whose names begin with the prefix; without one, those that have none.
fn given(prefix: &str, text: &str) -> BTreeMap<String, String> {
    let all = pairs(text).into_iter();
    let stripped = all.filter_map(|(name, value)| {
        let rest = name.strip_prefix(prefix)?.to_owned();
        (!rest.contains(':')).then_some((rest, value))
    });
    stripped.collect()
}

fn overriding((action_name, revision_value): (String, String)) -> SourceRevisionOverride {
    SourceRevisionOverride {
        action_name,
        revision_type: RevisionType::S3ObjectVersionId,
        revision_value,
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').expect("name=value");
        (
            key.to_owned(),
            value.replace("\\s", " ").replace("\\n", "\n"),
        )
    };
    text.split_whitespace().map(pair).collect()
}

/// A revision that tells which execution and attempt found it.
fn revision(key: &AttemptKey) -> SourceRevision {
    let number = u64::MAX - u64::try_from(key.execution.0.as_u128()).expect("ids are small");
    SourceRevision {
        revision_id: format!("rev-e{number}-{}", key.attempt),
        revision_summary: None,
        revision_url: None,
        revision_change_identifier: None,
        created: None,
    }
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().expect("a number and a unit");
    match unit {
        "s" => Duration::from_secs(number),
        "m" => Duration::from_mins(number),
        "h" => Duration::from_hours(number),
        "d" => Duration::from_hours(24 * number),
        other => panic!("no unit of time is called {other}"),
    }
}
