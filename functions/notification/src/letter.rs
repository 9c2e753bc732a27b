//! An event as a mail.

use std::fmt::Write;

use model::{Change, Subject, change::EventState};

use crate::{Event, channel::mail::Letter, time};

pub(crate) fn letter(change: &Change, event: &Event) -> Letter {
    let (of, state) = match &change.subject {
        Subject::Pipeline { state, .. } => (String::new(), *state),
        Subject::Stage { stage, state, .. } => (format!(" {stage}"), *state),
        Subject::Action(action) => (format!(" {}/{}", action.stage, action.action), action.state),
    };
    let subject = format!("[pipewright] {}{of}: {}", change.pipeline, name(state));
    let detail = &event.detail;
    let mut facts = vec![
        ("Pipeline", change.pipeline.clone()),
        ("Execution", change.execution.to_string()),
        ("State", name(state)),
        ("At", time::people(change.at)),
    ];
    facts.extend(detail.stage.clone().map(|stage| ("Stage", stage)));
    facts.extend(detail.action.clone().map(|action| ("Action", action)));
    if let Some(trigger) = &detail.execution_trigger {
        let by = format!("{:?} {}", trigger.trigger_type, trigger.trigger_detail);
        facts.push(("Started by", by));
    }
    let comment = detail.stop_execution_comments.clone();
    facts.extend(comment.map(|comment| ("Reason", comment)));
    if let Some(result) = &detail.execution_result {
        let summary = result.external_execution_summary.clone();
        facts.extend(summary.map(|summary| ("Summary", summary)));
        let url = result.external_execution_url.clone();
        facts.extend(url.map(|url| ("More", url)));
    }
    let mut text = String::new();
    for (name, value) in facts {
        let _ = writeln!(text, "{name}: {value}");
    }
    Letter {
        id: event.id.to_string(),
        subject,
        text,
        html: None,
    }
}

/// As events spell it.
fn name(state: EventState) -> String {
    format!("{state:?}").to_uppercase()
}
