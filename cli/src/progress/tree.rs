//! The tree: an execution as a picture of lines, for a region of the screen that is drawn again.

use model::{Timestamp, change::EventState};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{ActionRow, Progress, StageRow, Status, word};
use crate::{
    clock,
    plan::{kind, mode},
    terminal::{Style, paint},
};

/// Stage and action names are padded to the longest, but not beyond this.
const NAME_CHARACTERS_MAX: usize = 28;
/// The column of durations.
const DURATION_CHARACTERS: usize = 7;
/// A region is never taller than this, however tall the screen.
const ROWS_MAX: usize = 60;

/// How the tree is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    pub colour: bool,
    pub now: Timestamp,
}

/// One row, as pieces in their styles.
type Row = Vec<(String, Style)>;

/// The lines of the tree; none is wider than the canvas, and they fit into its height.
pub fn render(progress: &Progress, canvas: Canvas) -> Vec<String> {
    let names = Names::of(progress);
    let mut groups: Vec<Vec<Row>> = vec![vec![header(progress, canvas.width)]];
    groups.extend(
        progress
            .stages
            .iter()
            .map(|stage| rows(stage, &names, canvas.now)),
    );
    fit(progress, &names, &mut groups, canvas);
    let mut lines: Vec<Row> = groups.into_iter().flatten().collect();
    let most = limit(canvas);
    if lines.len() > most {
        let more = lines.len() - most + 1;
        lines.truncate(most - 1);
        lines.push(vec![(format!("   … and {more} more rows"), Style::Dim)]);
    }
    lines.iter().map(|row| draw(row, canvas)).collect()
}

/// The headline: which pipeline, how large, which execution.
pub fn headline(progress: &Progress) -> String {
    let actions = progress.actions().count();
    let plural = |number: usize| if number == 1 { "" } else { "s" };
    let id = progress.execution.to_string();
    format!(
        "{} v{} ({}, {}) · {} stage{} · {actions} action{} · execution {}",
        progress.pipeline,
        progress.version,
        kind(progress.kind),
        mode(progress.mode),
        progress.stages.len(),
        plural(progress.stages.len()),
        plural(actions),
        &id[..8]
    )
}

/// On a narrow screen only what names the execution: its id is what everything else is asked by.
fn header(progress: &Progress, width: usize) -> Row {
    const TITLE: &str = "  Pipeline  ";
    let mut line = headline(progress);
    if TITLE.width() + line.width() >= width {
        let id = &progress.execution.to_string()[..8];
        line = format!(
            "{} v{} · execution {id}",
            progress.pipeline, progress.version
        );
    }
    vec![(TITLE.to_owned(), Style::Bold), (line, Style::Plain)]
}

fn limit(canvas: Canvas) -> usize {
    // The last line of the screen is where the cursor waits.
    canvas.height.saturating_sub(1).clamp(3, ROWS_MAX)
}

struct Names {
    stage: usize,
    action: usize,
}

impl Names {
    fn of(progress: &Progress) -> Self {
        let longest = |lengths: &mut dyn Iterator<Item = usize>| {
            lengths.max().unwrap_or(0).min(NAME_CHARACTERS_MAX)
        };
        Self {
            stage: longest(
                &mut progress
                    .stages
                    .iter()
                    .map(|stage| stage.name.chars().count()),
            ),
            action: longest(&mut progress.actions().map(|(_, a)| a.name.chars().count())),
        }
    }
}

fn rows(stage: &StageRow, names: &Names, now: Timestamp) -> Vec<Row> {
    let mut rows = Vec::with_capacity(stage.actions.len());
    for (at, action) in stage.actions.iter().enumerate() {
        let same = |other: Option<&ActionRow>| {
            other.is_some_and(|other| other.run_order == action.run_order)
        };
        let before = same(at.checked_sub(1).and_then(|at| stage.actions.get(at)));
        let after = same(stage.actions.get(at + 1));
        let branch = match (before, after) {
            (false, false) => ' ',
            (false, true) => '┬',
            (true, true) => '├',
            (true, false) => '└',
        };
        let name = if at == 0 { stage.name.as_str() } else { "" };
        rows.push(row(name, branch, action, names, now));
    }
    rows
}

fn row(stage: &str, branch: char, action: &ActionRow, names: &Names, now: Timestamp) -> Row {
    let (sign, style) = sign(action.status);
    let time = match (action.started, action.ended) {
        (Some(started), Some(ended)) => clock::between(started, ended),
        (Some(started), None) => clock::between(started, now),
        (None, _) => String::new(),
    };
    let attempt = match action.attempt {
        0 | 1 => String::new(),
        attempt => format!("attempt {attempt} · "),
    };
    let width = names.stage;
    let name_style = if action.status == Status::NotRun {
        Style::Dim
    } else {
        Style::Plain
    };
    let detail_style = match action.status {
        Status::Failed => Style::Bad,
        Status::Waiting => Style::Attention,
        Status::NotRun | Status::InProgress | Status::Succeeded | Status::Abandoned => Style::Dim,
    };
    vec![
        (format!(" {:>width$} ", short(stage)), Style::Bold),
        (format!("{branch} "), Style::Dim),
        (
            format!("{:<1$}  ", short(&action.name), names.action),
            name_style,
        ),
        (format!("{sign} "), style),
        (format!("{time:<DURATION_CHARACTERS$}  "), Style::Plain),
        (format!("{attempt}{}", action.detail()), detail_style),
    ]
}

fn short(name: &str) -> String {
    crate::plan::cut(name, NAME_CHARACTERS_MAX)
}

fn sign(status: Status) -> (char, Style) {
    match status {
        Status::NotRun => ('·', Style::Dim),
        Status::InProgress => ('▶', Style::Busy),
        Status::Waiting => ('⏸', Style::Attention),
        Status::Succeeded => ('✔', Style::Good),
        Status::Failed => ('✘', Style::Bad),
        Status::Abandoned => ('■', Style::Dim),
    }
}

/// Puts stages into one row each, first those that are done, then those that are far, until the
/// tree fits.
fn fit(progress: &Progress, names: &Names, groups: &mut [Vec<Row>], canvas: Canvas) {
    let most = limit(canvas);
    let stages = progress.stages.iter().enumerate();
    let done = stages
        .clone()
        .filter(|(_, stage)| stage.state == Some(EventState::Succeeded));
    let far = stages.filter(|(_, stage)| stage.state.is_none());
    let order: Vec<_> = done.chain(far.rev()).collect();
    for (at, stage) in order {
        if groups.iter().map(Vec::len).sum::<usize>() <= most {
            return;
        }
        if let Some(rows) = groups.get_mut(at + 1).filter(|rows| rows.len() > 1) {
            *rows = vec![summary(stage, names)];
        }
    }
}

fn summary(stage: &StageRow, names: &Names) -> Row {
    let (sign, style) = match stage.state {
        Some(EventState::Succeeded) => sign(Status::Succeeded),
        Some(_) | None => sign(Status::NotRun),
    };
    let time = match (stage.started, stage.ended) {
        (Some(started), Some(ended)) => clock::between(started, ended),
        _ => String::new(),
    };
    let actions = format!("{} actions", stage.actions.len());
    vec![
        (
            format!(" {:>1$} ", short(&stage.name), names.stage),
            Style::Bold,
        ),
        (format!("  {actions:<0$}  ", names.action), Style::Dim),
        (format!("{sign} "), style),
        (time, Style::Plain),
    ]
}

/// The row in its styles, cut where the canvas ends.
fn draw(row: &Row, canvas: Canvas) -> String {
    let mut left = canvas.width.saturating_sub(1);
    let mut line = String::new();
    for (text, style) in row {
        if left == 0 {
            break;
        }
        if text.width() > left {
            // What is cut says so.
            let shown = format!("{}…", cells(text, left.saturating_sub(1)));
            line.push_str(&paint(&shown, *style, canvas.colour));
            break;
        }
        left -= text.width();
        line.push_str(&paint(text, *style, canvas.colour));
    }
    line.trim_end().to_owned()
}

/// As much of the text as fits into so many cells of a terminal: some characters take two, and a
/// line that is too long would wrap and break the tree.
fn cells(text: &str, most: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > most {
            return &text[..at];
        }
    }
    text
}

/// The word at the end: how it went, and how long it took.
pub fn verdict(progress: &Progress, colour: bool) -> String {
    let state = progress.state.unwrap_or(EventState::Started);
    let style = match state {
        EventState::Succeeded => Style::Good,
        EventState::Failed => Style::Bad,
        EventState::Started
        | EventState::Resumed
        | EventState::Stopping
        | EventState::Stopped
        | EventState::Superseded
        | EventState::Abandoned
        | EventState::Canceled => Style::Attention,
    };
    let time = match (progress.started, progress.ended) {
        (Some(started), Some(ended)) => format!("  in {}", clock::between(started, ended)),
        _ => String::new(),
    };
    let path: Vec<_> = progress
        .critical_path()
        .iter()
        .map(|(stage, action)| format!("{stage}/{action}"))
        .collect();
    let path = if path.len() > 1 {
        format!("  (critical path {})", path.join(" → "))
    } else {
        String::new()
    };
    let waits = progress
        .actions()
        .any(|(_, action)| action.status == Status::Waiting);
    let word = if waits && progress.ended.is_none() {
        Status::Waiting.word()
    } else {
        word(state)
    };
    format!("{}{time}{path}", paint(word, style, colour))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_the_cells_that_it_takes() {
        assert_eq!(cells("漢字漢字", 5), "漢字");
        assert_eq!(cells("plain", 5), "plain");
        assert_eq!(cells("plain", 4), "plai");
        assert_eq!(cells("", 0), "");
    }
}
