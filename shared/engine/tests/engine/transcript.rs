//! Orders and states as lines that a person can read.

use std::{collections::BTreeMap, fmt::Write};

use model::{
    ActionStatus, Effect, Execution, ExecutionId, ExecutionStatus, Subject, Timestamp,
    change::{ActionChange, Change, EventState},
    state::Position,
};

use crate::oracle::Watched;

/// How many live executions a state line names; more are counted.
const NAMED_MAX: usize = 6;

/// When the story begins.
pub(crate) const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn time(now: Timestamp) -> String {
    let minutes = (now.0 - BEGINNING.0) / 60_000;
    let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
    let clock = format!("{hours}:{:02}", minutes % 60);
    if days == 0 {
        clock
    } else {
        format!("{days}d {clock}")
    }
}

/// One line for each run of orders that concern the same execution.
pub(crate) fn effects(
    watched: &Watched,
    effects: &[Effect],
    names: &BTreeMap<ExecutionId, String>,
) -> String {
    let mut lines: Vec<(ExecutionId, Vec<String>)> = Vec::new();
    for (at, effect) in effects.iter().enumerate() {
        let (execution, text) = match effect {
            Effect::Announce(change) => {
                let rest = &effects[at + 1..];
                let mut text = announced(change, rest.first());
                let ended = watched.ended.get(&change.execution);
                let summary = ended.and_then(|ended| ended.status_summary.as_ref());
                if let Some(summary) = summary.filter(|_| rest.is_empty()) {
                    let _ = write!(text, " ({summary})");
                }
                (change.execution, text)
            }
            Effect::Cancel(key) => (key.execution, format!("cancel {}", key.action)),
            Effect::Record(update) if update.status == ActionStatus::InProgress => {
                let percent = update.output.percent_complete.unwrap_or(0);
                (
                    update.execution,
                    format!("note {} {percent}%", update.action),
                )
            }
            Effect::Dispatch(_) | Effect::Ask(_) | Effect::Refuse(_) | Effect::Record(_) => {
                continue;
            }
        };
        match lines.last_mut() {
            Some((same, texts)) if *same == execution => texts.push(text),
            Some(_) | None => lines.push((execution, vec![text])),
        }
    }
    let mut out = String::new();
    for (execution, texts) in lines {
        let _ = writeln!(out, "    {}: {}", names[&execution], texts.join(", "));
    }
    out
}

fn announced(change: &Change, next: Option<&Effect>) -> String {
    match &change.subject {
        Subject::Pipeline {
            state,
            trigger,
            comment,
        } => {
            let mut text = state_name(*state);
            if let Some(trigger) = trigger.as_ref().filter(|t| t.detail != "start") {
                let _ = write!(text, " by {:?} {}", trigger.kind, trigger.detail);
            }
            if let Some(comment) = comment {
                let _ = write!(text, " because {comment}");
            }
            if change.attempt > 1 {
                let _ = write!(text, " (attempt {})", change.attempt);
            }
            text
        }
        Subject::Stage { stage, state, .. } => format!("{stage} {}", state_name(*state)),
        Subject::Action(action) => acted(action, next),
    }
}

fn acted(change: &ActionChange, next: Option<&Effect>) -> String {
    let mut text = format!("{}/{}", change.stage, change.action);
    if change.attempt > 1 {
        let _ = write!(text, "#{}", change.attempt);
    }
    let _ = write!(text, " {}", state_name(change.state));
    if change.state == EventState::Started {
        match next {
            Some(Effect::Dispatch(job)) if job.key.action == change.action => {}
            Some(Effect::Ask(job)) if job.key.action == change.action => text.push_str(" (asks)"),
            Some(Effect::Refuse(job)) if job.key.action == change.action => {}
            other => panic!("{text} is followed by {other:?}"),
        }
    }
    if let Some(error) = &change.error {
        let _ = write!(text, " ({:?}: {})", error.code, error.message);
    }
    text
}

fn state_name(state: EventState) -> String {
    format!("{state:?}").to_uppercase()
}

/// Where everybody is, in one line.
pub(crate) fn state(watched: &Watched, names: &BTreeMap<ExecutionId, String>) -> String {
    let mut live: Vec<_> = watched.state.executions.values().collect();
    live.sort_by_key(|execution| execution.sequence);
    let mut parts = Vec::new();
    if live.len() > NAMED_MAX {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for execution in live {
            *counts.entry(place(watched, execution, false)).or_default() += 1;
        }
        parts.extend(
            counts
                .iter()
                .map(|(place, count)| format!("{count} {place}")),
        );
    } else {
        let named = |e: &Execution| format!("{} {}", names[&e.id], place(watched, e, true));
        parts.extend(live.into_iter().map(|execution| named(execution)));
    }
    for (stage, head) in &watched.state.head.stages {
        for id in &head.inbound {
            let stopped = watched
                .ended
                .get(id)
                .filter(|e| e.status == ExecutionStatus::Stopped);
            parts.extend(stopped.map(|_| format!("{} Stopped before {stage}", names[id])));
        }
        if head
            .transition
            .as_ref()
            .is_some_and(|transition| !transition.enabled)
        {
            parts.push(format!("way into {stage} closed"));
        }
    }
    if watched.state.head.unsettled {
        parts.push("more to do".to_owned());
    }
    if parts.is_empty() {
        "idle".to_owned()
    } else {
        parts.join(" · ")
    }
}

fn place(watched: &Watched, execution: &Execution, in_detail: bool) -> String {
    let definition = &watched.state.definitions[&execution.definition];
    match execution.position {
        Position::Done => format!("{:?}", execution.status),
        Position::Inbound { stage, .. } => format!("before {}", definition.stages[stage].name),
        Position::Inside { stage } => {
            let declared = &definition.stages[stage];
            let running = &execution.stages[&declared.name];
            let mut actions = Vec::new();
            for action in &declared.actions {
                let Some(state) = running.actions.get(&action.name) else {
                    continue;
                };
                let standing = match state.status {
                    _ if state.rerun => "again",
                    ActionStatus::InProgress => "…",
                    ActionStatus::Succeeded => "✓",
                    ActionStatus::Failed => "✗",
                    ActionStatus::Abandoned => "abandoned",
                };
                actions.push(format!("{} {standing}", action.name));
            }
            let status = match execution.status {
                ExecutionStatus::InProgress if execution.cancelling => "cancelling ".to_owned(),
                ExecutionStatus::InProgress => String::new(),
                other => format!("{other:?} "),
            };
            let detail = if in_detail {
                format!(" ({})", actions.join(", "))
            } else {
                String::new()
            };
            format!("{status}in {}{detail}", declared.name)
        }
    }
}
