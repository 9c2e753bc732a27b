//! Diagnostics: findings as people and programs read them: what, where, and what to do.

use std::{fmt::Write as _, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use model::declaration::problem::Place;
use serde_json::{Value, json};

use crate::{
    failure::{Finding, Severity},
    terminal::{Style, paint},
};

/// The longest line of a text that is shown around a problem.
const SHOWN_LINE_BYTES_MAX: usize = 400;

/// The finding as text, without a line break at its end.
pub fn text(finding: &Finding, colour: bool, width: usize) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = match finding.exception {
        Some(exception) => format!("{}   [{exception}]", finding.message),
        None => finding.message.clone(),
    };
    let (Some(source), Some(place)) = (&finding.source, finding.place) else {
        return without_place(finding, &title, colour);
    };
    let mut group = Group::with_title(level.primary_title(title));
    // Only the line itself is handed over: a file may be long, and its problems many.
    let line = line(&source.text, place.line);
    if line.len() <= SHOWN_LINE_BYTES_MAX {
        let snippet = Snippet::source(line.to_owned())
            .line_start(place.line)
            .path(source.name.clone())
            .annotation(AnnotationKind::Primary.span(span(line, place)));
        group = group.element(snippet);
    } else {
        let origin = Origin::path(source.name.clone());
        group = group.element(origin.line(place.line).char_column(place.column));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(width).render(&[group])
}

/// What and what to do, of a finding that is about no place in a text.
fn without_place(finding: &Finding, title: &str, colour: bool) -> String {
    let (word, style) = match finding.severity {
        Severity::Error => ("error", Style::Bad),
        Severity::Warning => ("warning", Style::Attention),
    };
    let mut text = format!(
        "{}: {}",
        paint(word, style, colour),
        paint(title, Style::Bold, colour)
    );
    if let Some(source) = &finding.source {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  --> {}", source.name);
    }
    for (at, line) in finding
        .help
        .iter()
        .flat_map(|help| help.lines())
        .enumerate()
    {
        let word = if at == 0 { "help:" } else { "     " };
        let _ = write!(text, "\n  {word} {line}");
    }
    text
}

/// The finding as a member of a JSON document.
pub fn json(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "exception": finding.exception,
        "message": finding.message,
        "path": finding.path,
        "file": finding.source.as_ref().map(|source| &source.name),
        "line": finding.place.map(|place| place.line),
        "column": finding.place.map(|place| place.column),
        "help": finding.help,
    })
}

fn line(text: &str, number: usize) -> &str {
    text.split('\n')
        .nth(number.saturating_sub(1))
        .map_or("", |line| line.trim_end_matches('\r'))
}

/// The bytes of the place within its line; at least one, so that something is underlined.
fn span(line: &str, place: Place) -> Range<usize> {
    let byte = |column: usize| {
        let characters = column.saturating_sub(1);
        line.char_indices()
            .nth(characters)
            .map_or(line.len(), |(at, _)| at)
    };
    let start = byte(place.column);
    start..byte(place.end_column.max(place.column + 1)).max(start)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::failure::Source;

    fn check(finding: &Finding, expected: &Expect) {
        expected.assert_eq(&text(finding, false, 100));
    }

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source {
            name: "pipeline.yml".into(),
            text: text.into(),
        })
    }

    #[test]
    fn a_problem_says_what_and_where_and_what_to_do() {
        let source = source("name: p\nstages:\n  - näme: Büild\n");
        let place = Place {
            line: 3,
            column: 5,
            end_column: 9,
        };
        let mut finding = Finding::error("unknown field `näme`")
            .at(&source, place)
            .with_help("did you mean `name`?");
        finding.exception = Some("ValidationException");
        check(
            &finding,
            &expect![[r#"
                error: unknown field `näme`   [ValidationException]
                 --> pipeline.yml:3:5
                  |
                3 |   - näme: Büild
                  |     ^^^^
                  |
                  = help: did you mean `name`?"#]],
        );
    }

    #[test]
    fn what_has_no_place_has_its_message_and_help() {
        check(
            &Finding::warning("no cache").with_help("add one"),
            &expect![[r#"
                warning: no cache
                  help: add one"#]],
        );
    }

    #[test]
    fn a_place_beyond_the_text_and_a_very_long_line_do_no_harm() {
        let beyond = Place {
            line: 9,
            column: 80,
            end_column: 90,
        };
        assert!(text(&Finding::error("x").at(&source("a"), beyond), false, 80).contains('x'));
        let long = "y".repeat(SHOWN_LINE_BYTES_MAX + 1);
        let shown = text(
            &Finding::error("x").at(&source(&long), Place::at(1, 7)),
            false,
            80,
        );
        assert!(
            shown.contains("pipeline.yml:1:7") && !shown.contains("yyy"),
            "{shown}"
        );
    }

    #[test]
    fn a_program_gets_every_part_of_it() {
        let finding = Finding::error("m")
            .at(&source("a: b"), Place::at(1, 4))
            .with_path("a");
        expect![[r#"{"column":4,"exception":null,"file":"pipeline.yml","help":null,"line":1,"message":"m","path":"a","severity":"error"}"#]]
            .assert_eq(&json(&finding).to_string());
    }
}
