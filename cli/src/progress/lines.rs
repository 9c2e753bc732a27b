//! One line per change: what a log file of a run is made of.

use model::{Change, Subject, change::EventState};

use super::{Progress, word};
use crate::clock;

/// The change as a line; `progress` has taken it in already.
pub fn line(progress: &Progress, change: &Change) -> String {
    let time = clock::time_of_day(change.at);
    let rest = match &change.subject {
        Subject::Pipeline { state, comment, .. } => {
            let what = format!("{} {}", progress.pipeline, word(*state));
            let what = with_time(what, *state, change);
            comment
                .as_ref()
                .map_or(what.clone(), |comment| format!("{what}  {comment}"))
        }
        Subject::Stage { stage, state, .. } => {
            with_time(format!("{stage} {}", word(*state)), *state, change)
        }
        Subject::Action(action) => {
            let row = progress.action(&action.stage, &action.action);
            let status = row.map_or(word(action.state), |row| row.status.word());
            let attempt = match action.attempt {
                0 | 1 => String::new(),
                attempt => format!(" (attempt {attempt})"),
            };
            let what = format!("{}/{} {status}{attempt}", action.stage, action.action);
            let what = with_time(what, action.state, change);
            let detail = row.map(super::ActionRow::detail).unwrap_or_default();
            if detail.is_empty() {
                what
            } else {
                format!("{what}  {detail}")
            }
        }
    };
    format!("{time} {rest}")
}

fn with_time(what: String, state: EventState, change: &Change) -> String {
    if super::is_end(state) {
        format!("{what} {}", clock::between(change.started, change.at))
    } else {
        what
    }
}
