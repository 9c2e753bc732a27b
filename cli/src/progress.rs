//! Progress is what is known of an execution while it runs: a fold of the announced changes.
//!
//! It is pure, so that a transcript of changes tests everything that a person sees: the live tree
//! ([`tree`]), one line per change ([`lines`]), and the summary at the end. [`show`] puts it on the
//! [`screen`] or into a stream.

pub mod lines;
pub mod screen;
pub mod show;
pub mod tree;

#[cfg(test)]
mod tests;

use model::{
    ActionCategory, ActionOutput, Change, ExecutionId, ExecutionMode, PipelineDeclaration,
    PipelineType, Subject, Timestamp,
    change::{ActionChange, EventState},
    declaration::ActionTypeId,
    job::ErrorDetails,
};
use uuid::Uuid;

use crate::terminal::harmless;

/// How much of a log line is remembered to be shown.
const LINE_CHARACTERS_MAX: usize = 300;

/// An execution and everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub pipeline: String,
    pub kind: PipelineType,
    pub mode: ExecutionMode,
    pub execution: ExecutionId,
    pub version: u32,
    pub state: Option<EventState>,
    /// The reason of a stop.
    pub comment: Option<String>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub stages: Vec<StageRow>,
    /// The sequence number of the newest change that was applied.
    applied: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageRow {
    pub name: String,
    pub state: Option<EventState>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// By run order, then as they were declared.
    pub actions: Vec<ActionRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    pub name: String,
    pub run_order: u32,
    pub kind: ActionTypeId,
    pub status: Status,
    pub attempt: u32,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Names the attempt, its build and its log.
    pub id: Option<Uuid>,
    pub output: ActionOutput,
    pub error: Option<ErrorDetails>,
    /// The newest line of its log.
    pub last_line: Option<String>,
    /// What a reviewer is to know, of an approval.
    pub question: Option<String>,
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    NotRun,
    InProgress,
    /// For a person.
    Waiting,
    Succeeded,
    Failed,
    Abandoned,
}

impl Status {
    /// The word for it, which is the API's where it has one.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotRun => "NotRun",
            Self::InProgress => "InProgress",
            Self::Waiting => "Waiting",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Abandoned => "Abandoned",
        }
    }

    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::NotRun | Self::InProgress | Self::Waiting => false,
            Self::Succeeded | Self::Failed | Self::Abandoned => true,
        }
    }
}

/// The API's word for the state of an event.
pub fn word(state: EventState) -> &'static str {
    match state {
        EventState::Started | EventState::Resumed => "InProgress",
        EventState::Stopping => "Stopping",
        EventState::Stopped => "Stopped",
        EventState::Succeeded => "Succeeded",
        EventState::Superseded => "Superseded",
        EventState::Failed => "Failed",
        EventState::Abandoned => "Abandoned",
        EventState::Canceled => "Cancelled",
    }
}

fn is_end(state: EventState) -> bool {
    match state {
        EventState::Started | EventState::Resumed | EventState::Stopping => false,
        EventState::Stopped
        | EventState::Succeeded
        | EventState::Superseded
        | EventState::Failed
        | EventState::Abandoned
        | EventState::Canceled => true,
    }
}

impl Progress {
    /// An execution of which nothing is known yet.
    pub fn new(declaration: &PipelineDeclaration, execution: ExecutionId) -> Self {
        let stages = declaration.stages.iter().map(|stage| {
            let mut actions: Vec<_> = stage
                .actions
                .iter()
                .map(|action| ActionRow {
                    name: action.name.clone(),
                    run_order: action.run_order,
                    kind: action.action_type_id.clone(),
                    status: Status::NotRun,
                    attempt: 0,
                    started: None,
                    ended: None,
                    id: None,
                    output: ActionOutput::default(),
                    error: None,
                    last_line: None,
                    question: None,
                })
                .collect();
            actions.sort_by_key(|action| action.run_order);
            StageRow {
                name: stage.name.clone(),
                state: None,
                started: None,
                ended: None,
                actions,
            }
        });
        Self {
            pipeline: declaration.name.clone(),
            kind: declaration.pipeline_type,
            mode: declaration.execution_mode,
            execution,
            version: declaration.version.unwrap_or(1),
            state: None,
            comment: None,
            started: None,
            ended: None,
            stages: stages.collect(),
            applied: 0,
        }
    }

    /// Takes in a change; says whether it was new. Repeats and other executions are not.
    pub fn apply(&mut self, change: &Change) -> bool {
        if change.execution != self.execution || change.sequence <= self.applied {
            return false;
        }
        self.applied = change.sequence;
        self.version = change.pipeline_version;
        match &change.subject {
            Subject::Pipeline { state, comment, .. } => {
                self.state = Some(*state);
                self.started = self.started.or(Some(change.started));
                self.ended = is_end(*state).then_some(change.at);
                if comment.is_some() {
                    self.comment.clone_from(comment);
                }
            }
            Subject::Stage { stage, state, .. } => {
                if let Some(row) = self.stages.iter_mut().find(|row| row.name == *stage) {
                    row.state = Some(*state);
                    row.started = row.started.or(Some(change.started));
                    row.ended = is_end(*state).then_some(change.at);
                }
            }
            Subject::Action(action) => self.apply_action(change, action),
        }
        true
    }

    fn apply_action(&mut self, change: &Change, action: &ActionChange) {
        let Some(row) = self.action_mut(&action.stage, &action.action) else {
            return;
        };
        if action.attempt > row.attempt {
            row.attempt = action.attempt;
            row.output = ActionOutput::default();
            row.error = None;
            row.last_line = None;
        }
        row.id = Some(action.action_execution_id);
        row.started = Some(change.started);
        row.ended = is_end(action.state).then_some(change.at);
        row.status = match action.state {
            EventState::Started | EventState::Resumed | EventState::Stopping => {
                if row.kind.category == ActionCategory::Approval {
                    Status::Waiting
                } else {
                    Status::InProgress
                }
            }
            EventState::Succeeded => Status::Succeeded,
            EventState::Failed | EventState::Superseded => Status::Failed,
            EventState::Abandoned | EventState::Canceled | EventState::Stopped => Status::Abandoned,
        };
        if let Some(output) = &action.output {
            row.output = output.clone();
        }
        row.error.clone_from(&action.error);
    }

    /// Takes in a line of a log; says whose it is.
    pub fn log(&mut self, stream: &str, line: &str) -> Option<(String, String)> {
        let id = Uuid::parse_str(stream).ok()?;
        for stage in &mut self.stages {
            let Some(action) = stage.actions.iter_mut().find(|a| a.id == Some(id)) else {
                continue;
            };
            let line = harmless(line);
            let shown: String = without_stamp(&line)
                .chars()
                .take(LINE_CHARACTERS_MAX)
                .collect();
            if !shown.trim().is_empty() {
                action.last_line = Some(shown);
            }
            return Some((stage.name.clone(), action.name.clone()));
        }
        None
    }

    /// The action of that name.
    pub fn action_mut(&mut self, stage: &str, action: &str) -> Option<&mut ActionRow> {
        let stage = self.stages.iter_mut().find(|row| row.name == stage)?;
        stage.actions.iter_mut().find(|row| row.name == action)
    }

    /// The action of that name.
    pub fn action(&self, stage: &str, action: &str) -> Option<&ActionRow> {
        let stage = self.stages.iter().find(|row| row.name == stage)?;
        stage.actions.iter().find(|row| row.name == action)
    }

    /// All actions with their stages, in order.
    pub fn actions(&self) -> impl Iterator<Item = (&StageRow, &ActionRow)> {
        self.stages
            .iter()
            .flat_map(|stage| stage.actions.iter().map(move |action| (stage, action)))
    }

    /// The first failed action that ended.
    pub fn failed(&self) -> Option<(&StageRow, &ActionRow)> {
        let failed = self
            .actions()
            .filter(|(_, action)| action.status == Status::Failed);
        failed.min_by_key(|(_, action)| action.ended)
    }

    /// Whether the execution has ended and so have all of its actions.
    pub fn is_over(&self) -> bool {
        let is_running = |(_, action): (_, &ActionRow)| {
            matches!(action.status, Status::InProgress | Status::Waiting)
        };
        self.ended.is_some() && !self.actions().any(is_running)
    }

    /// The actions that the total time hung on: of each group the one that took longest.
    pub fn critical_path(&self) -> Vec<(&str, &str)> {
        let mut path: Vec<(&str, &str)> = Vec::new();
        for stage in &self.stages {
            let mut orders: Vec<u32> = stage.actions.iter().map(|a| a.run_order).collect();
            orders.dedup();
            for order in orders {
                let group = stage
                    .actions
                    .iter()
                    .filter(|action| action.run_order == order);
                let ended = group.filter(|action| action.ended.is_some());
                // A failure ends the execution, however long the others go on.
                let failed = ended
                    .clone()
                    .filter(|action| action.status == Status::Failed);
                let decisive = failed.min_by_key(|action| action.ended);
                if let Some(action) = decisive.or_else(|| ended.max_by_key(|a| a.ended)) {
                    path.push((&stage.name, &action.name));
                }
            }
        }
        path
    }
}

/// The line without what CodeBuild puts before its own ones, `[Container] 2026/11/21 11:33:41.970302`:
/// a row of the tree has its time, and little room.
fn without_stamp(line: &str) -> &str {
    let stamped = line.strip_prefix("[Container] ");
    let message = stamped.and_then(|line| line.splitn(3, ' ').nth(2));
    message.unwrap_or(line)
}

impl ActionRow {
    /// What a person may want to know of it beside its status, in one line.
    pub fn detail(&self) -> String {
        let text = match self.status {
            Status::NotRun => String::new(),
            Status::InProgress => self.last_line.clone().unwrap_or_default(),
            Status::Waiting => self.question.clone().unwrap_or_default(),
            Status::Failed | Status::Abandoned => match &self.error {
                Some(error) => error.message.clone(),
                None => self.summary(),
            },
            Status::Succeeded => self.summary(),
        };
        harmless(text.lines().next().unwrap_or_default())
    }

    fn summary(&self) -> String {
        let summary = self.output.summary.clone().unwrap_or_default();
        match &self.output.revision {
            Some(revision) if !summary.contains(&revision.revision_id) => {
                let id: String = revision.revision_id.chars().take(8).collect();
                format!("{id} {summary}")
            }
            Some(_) | None => summary,
        }
    }
}
