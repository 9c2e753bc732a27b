//! A history: what the API tells of an execution, as the changes that must have led to it.
//!
//! The API tells where things stand, not what happened. Comparing it with what was told before gives
//! the changes, and they are folded into the same progress that a run on this machine has; so both
//! are shown by the same code. Of what happened between two looks only the outcome is told.

use std::collections::BTreeMap;

use model::{
    ActionOutput, Change, ExecutionId, PipelineDeclaration, Subject, Timestamp,
    change::{ActionChange, EventState},
    declaration::ActionTypeId,
    job::{ErrorDetails, FailureType},
    state::SourceRevision,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ApiError, Client, Service, when};

/// How many action executions of one execution are read.
const ACTIONS_MAX: usize = 10_000;

/// What the API tells of an execution at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `GetPipelineExecution`'s `pipelineExecution`.
    pub execution: Value,
    /// `ListActionExecutions`' details, the newest first.
    pub actions: Vec<Value>,
}

impl Snapshot {
    /// Asks for it.
    pub fn take(client: &Client, pipeline: &str, execution: &str) -> Result<Self, ApiError> {
        // The execution first: when it has ended, so have the actions that are read after it.
        let input = json!({"pipelineName": pipeline, "pipelineExecutionId": execution});
        let mut answer = client.call("GetPipelineExecution", &input)?;
        Ok(Self {
            execution: answer["pipelineExecution"].take(),
            actions: actions(client, pipeline, execution)?,
        })
    }

    /// The word for where the execution stands.
    pub fn status(&self) -> &str {
        self.execution["status"].as_str().unwrap_or("InProgress")
    }

    /// The revision that a source action found, by what the execution has of its output.
    fn revision(&self, action: &Value) -> Option<SourceRevision> {
        let outputs = action["output"]["outputArtifacts"].as_array()?;
        let revisions = self.execution["artifactRevisions"].as_array()?;
        let found = revisions
            .iter()
            .find(|revision| outputs.iter().any(|out| out["name"] == revision["name"]))?;
        let text = |key: &str| found[key].as_str().map(str::to_owned);
        Some(SourceRevision {
            revision_id: text("revisionId")?,
            revision_summary: text("revisionSummary"),
            revision_url: text("revisionUrl"),
            revision_change_identifier: text("revisionChangeIdentifier"),
            created: when::timestamp(&found["created"]),
        })
    }
}

/// All action executions of an execution, the newest first.
pub fn actions(client: &Client, pipeline: &str, execution: &str) -> Result<Vec<Value>, ApiError> {
    let input = json!({
        "pipelineName": pipeline,
        "filter": {"pipelineExecutionId": execution},
        "maxResults": 100,
    });
    client.list(
        Service::CodePipeline,
        "ListActionExecutions",
        &input,
        "actionExecutionDetails",
        ACTIONS_MAX,
    )
}

/// What was told of an execution so far.
#[derive(Clone, Debug)]
pub struct History {
    pipeline: String,
    execution: ExecutionId,
    version: u32,
    started: Option<Timestamp>,
    /// The stages with their actions, as they are declared.
    declared: Vec<(String, Vec<String>)>,
    sequence: u32,
    state: Option<EventState>,
    stages: BTreeMap<String, Stage>,
    /// The word that was told of each attempt.
    told: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
struct Stage {
    state: Option<EventState>,
    started: Timestamp,
    /// The newest state and the number of each action's attempts.
    actions: BTreeMap<String, (EventState, u32)>,
}

/// Something that an action execution tells of.
struct Event<'a> {
    at: Timestamp,
    started: Timestamp,
    state: EventState,
    detail: &'a Value,
}

impl History {
    /// A history of which nothing was told yet.
    pub fn new(
        declaration: &PipelineDeclaration,
        execution: ExecutionId,
        started: Option<Timestamp>,
    ) -> Self {
        let declared = declaration.stages.iter().map(|stage| {
            let actions = stage.actions.iter().map(|action| action.name.clone());
            (stage.name.clone(), actions.collect())
        });
        Self {
            pipeline: declaration.name.clone(),
            execution,
            version: declaration.version.unwrap_or(1),
            started,
            declared: declared.collect(),
            sequence: 0,
            state: None,
            stages: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// What is new in the snapshot, in the order in which it happened.
    pub fn changes(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<Change> {
        let mut events: Vec<Event<'_>> = snapshot
            .actions
            .iter()
            .rev()
            .flat_map(|detail| self.events(detail))
            .collect();
        events.sort_by_key(|event| event.at);
        let first = events.first().map(|event| event.at);
        let last = events.last().map(|event| event.at);
        let mut changes = Vec::new();
        let started = *self.started.get_or_insert(first.unwrap_or(now));
        let status = state(snapshot.status());
        let is_over = status != EventState::Started && status != EventState::Stopping;
        let was_over = self
            .state
            .is_some_and(|s| s != EventState::Started && s != EventState::Stopping);
        if self.state.is_none() {
            self.push(
                &mut changes,
                started,
                started,
                pipeline(EventState::Started, None),
            );
            self.state = Some(EventState::Started);
        } else if was_over && !is_over {
            let at = first.unwrap_or(now);
            self.push(
                &mut changes,
                started,
                at,
                pipeline(EventState::Resumed, None),
            );
            self.state = Some(EventState::Started);
        }
        for event in &events {
            self.tell(&mut changes, event, snapshot);
        }
        if self.state != Some(status) {
            let summary = &snapshot.execution["statusSummary"];
            let comment = summary.as_str().map(str::to_owned);
            let at = if is_over { last.unwrap_or(now) } else { now };
            if is_over {
                self.end_stages(&mut changes, status, at);
            }
            self.push(&mut changes, started, at, pipeline(status, comment));
            self.state = Some(status);
        }
        changes
    }

    /// What one action execution tells that was not told.
    fn events<'a>(&mut self, detail: &'a Value) -> Vec<Event<'a>> {
        let (Some(id), Some(word)) = (
            detail["actionExecutionId"].as_str(),
            detail["status"].as_str(),
        ) else {
            return Vec::new();
        };
        let started = when::timestamp(&detail["startTime"]).unwrap_or_default();
        let ended = when::timestamp(&detail["lastUpdateTime"]).unwrap_or(started);
        let before = self.told.insert(id.to_owned(), word.to_owned());
        let mut events = Vec::new();
        let state = action_state(word);
        if before.is_none() {
            events.push(Event {
                at: started,
                started,
                state: EventState::Started,
                detail,
            });
        }
        if state != EventState::Started && before.as_deref() != Some(word) {
            events.push(Event {
                at: ended.max(started),
                started,
                state,
                detail,
            });
        }
        events
    }

    fn tell(&mut self, changes: &mut Vec<Change>, event: &Event<'_>, snapshot: &Snapshot) {
        let text = |key: &str| event.detail[key].as_str().unwrap_or_default().to_owned();
        let (stage, action) = (text("stageName"), text("actionName"));
        let is_start = event.state == EventState::Started;
        if is_start {
            self.begin_stage(changes, &stage, event.at);
        }
        let entry = self.stages.entry(stage.clone()).or_default();
        let known = entry.actions.entry(action.clone());
        let known = known.or_insert((EventState::Started, 0));
        known.0 = event.state;
        known.1 += u32::from(is_start);
        let attempt = known.1;
        let Some(change) = change(event, stage.clone(), action, attempt, snapshot) else {
            return;
        };
        let subject = Subject::Action(Box::new(change));
        self.push(changes, event.started, event.at, subject);
        if !is_start {
            self.settle_stage(changes, &stage, event.at);
        }
    }

    /// Tells that a stage was entered, or entered again.
    fn begin_stage(&mut self, changes: &mut Vec<Change>, stage: &str, at: Timestamp) {
        let entry = self.stages.entry(stage.to_owned()).or_default();
        let state = match entry.state {
            None => EventState::Started,
            Some(EventState::Started | EventState::Resumed) => return,
            Some(_) => EventState::Resumed,
        };
        entry.state = Some(state);
        if state == EventState::Started {
            entry.started = at;
        }
        let started = entry.started;
        self.push(changes, started, at, stage_subject(stage, state));
    }

    /// Tells that a stage has ended, when its actions say so.
    fn settle_stage(&mut self, changes: &mut Vec<Change>, stage: &str, at: Timestamp) {
        let declared = self.declared.iter().find(|(name, _)| name == stage);
        let none = Vec::new();
        let declared = declared.map_or(&none, |(_, actions)| actions);
        let Some(entry) = self.stages.get_mut(stage) else {
            return;
        };
        let of = |wanted| entry.actions.values().any(|(state, _)| *state == wanted);
        let is_done = |name: &String| {
            let action = entry.actions.get(name);
            action.is_some_and(|(state, _)| *state == EventState::Succeeded)
        };
        let state = if of(EventState::Started) {
            return;
        } else if of(EventState::Failed) {
            EventState::Failed
        } else if of(EventState::Abandoned) {
            EventState::Stopped
        } else if !declared.is_empty() && declared.iter().all(is_done) {
            EventState::Succeeded
        } else {
            return;
        };
        if entry.state == Some(state) {
            return;
        }
        entry.state = Some(state);
        let started = entry.started;
        self.push(changes, started, at, stage_subject(stage, state));
    }

    /// Tells that the stages have ended that the execution was in when it ended.
    fn end_stages(&mut self, changes: &mut Vec<Change>, status: EventState, at: Timestamp) {
        let open: Vec<(String, Timestamp)> = self
            .stages
            .iter_mut()
            .filter(|(_, stage)| {
                matches!(stage.state, Some(EventState::Started | EventState::Resumed))
            })
            .map(|(name, stage)| {
                stage.state = Some(status);
                (name.clone(), stage.started)
            })
            .collect();
        for (stage, started) in open {
            self.push(changes, started, at, stage_subject(&stage, status));
        }
    }

    fn push(
        &mut self,
        changes: &mut Vec<Change>,
        started: Timestamp,
        at: Timestamp,
        subject: Subject,
    ) {
        self.sequence += 1;
        changes.push(Change {
            pipeline: self.pipeline.clone(),
            execution: self.execution,
            sequence: self.sequence,
            at,
            pipeline_version: self.version,
            attempt: 1,
            started,
            subject,
        });
    }
}

fn pipeline(state: EventState, comment: Option<String>) -> Subject {
    Subject::Pipeline {
        state,
        trigger: None,
        comment,
    }
}

fn stage_subject(stage: &str, state: EventState) -> Subject {
    Subject::Stage {
        stage: stage.to_owned(),
        state,
        last_retry: None,
    }
}

/// The state of an execution by the API's word for it.
fn state(word: &str) -> EventState {
    match word {
        "Succeeded" => EventState::Succeeded,
        "Failed" => EventState::Failed,
        "Stopping" => EventState::Stopping,
        "Stopped" => EventState::Stopped,
        "Superseded" => EventState::Superseded,
        "Cancelled" => EventState::Canceled,
        // What a newer server says goes on until it says something that is known.
        _ => EventState::Started,
    }
}

fn action_state(word: &str) -> EventState {
    match word {
        "Succeeded" => EventState::Succeeded,
        "Failed" => EventState::Failed,
        "Abandoned" => EventState::Abandoned,
        _ => EventState::Started,
    }
}

fn change(
    event: &Event<'_>,
    stage: String,
    action: String,
    attempt: u32,
    snapshot: &Snapshot,
) -> Option<ActionChange> {
    let detail = event.detail;
    let kind = detail["input"]["actionTypeId"].clone();
    let action_type: ActionTypeId = serde_json::from_value(kind).ok()?;
    let id = detail["actionExecutionId"].as_str()?;
    let result = &detail["output"]["executionResult"];
    let text = |key: &str| result[key].as_str().map(str::to_owned);
    // Only what succeeded has the revision that its output is of.
    let is_done = event.state == EventState::Succeeded;
    let revision = snapshot.revision(detail).filter(|_| is_done);
    let of_revision = revision.as_ref().and_then(|r| r.revision_summary.clone());
    let output = ActionOutput {
        external_execution_id: text("externalExecutionId"),
        external_execution_url: text("externalExecutionUrl"),
        summary: text("externalExecutionSummary").or(of_revision),
        revision,
        ..ActionOutput::default()
    };
    let is_end = event.state != EventState::Started;
    Some(ActionChange {
        stage,
        action,
        attempt,
        state: event.state,
        action_execution_id: attempt_id(id),
        action_type,
        region: None,
        artifacts: Vec::new(),
        error: is_end.then(|| error(&result["errorDetails"])).flatten(),
        output: is_end.then_some(output),
    })
}

/// The id of an attempt, which is a UUID wherever it was seen.
pub fn attempt_id(id: &str) -> Uuid {
    Uuid::parse_str(id).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()))
}

fn error(details: &Value) -> Option<ErrorDetails> {
    let message = details["message"].as_str()?.to_owned();
    // A code that is not known is told by its message all the same.
    let code = serde_json::from_value(details["code"].clone()).unwrap_or(FailureType::JobFailed);
    Some(ErrorDetails { code, message })
}

/// What a reviewer is to know of an approval, from its action execution.
pub fn question(detail: &Value) -> String {
    let of = |key: &str| {
        let input = &detail["input"];
        let resolved = input["resolvedConfiguration"][key].as_str();
        resolved
            .or_else(|| input["configuration"][key].as_str())
            .filter(|text| !text.is_empty())
    };
    let data = of("CustomData").unwrap_or("may it go on?");
    match of("ExternalEntityLink") {
        Some(link) => format!("{data}  ({link})"),
        None => data.to_owned(),
    }
}

#[cfg(test)]
mod tests;
