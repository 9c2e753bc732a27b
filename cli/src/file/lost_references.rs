//! References that YAML takes for comments: `echo #{source.CommitId}` without quotes ends before
//! the `#`, and the command runs without its value.

use std::sync::Arc;

use model::declaration::{
    node::{Node, Value},
    problem::Place,
    reference::references,
};

use crate::failure::{Finding, Source};

/// How many are reported: after so many the reader knows what to look for.
const REPORTED_MAX: usize = 20;

/// A warning for each reference of the text that no value has.
pub(super) fn find(source: &Arc<Source>, root: &Node) -> Vec<Finding> {
    let mut values = Vec::new();
    collect(root, &mut values);
    let lost = source.text.lines().enumerate().filter_map(|(at, line)| {
        let (start, text) = cut_off(line)?;
        // A line of a block has no comments: it is part of a value as it stands.
        let is_whole = values.iter().any(|value| value.contains(line.trim()));
        let column = line[..start].chars().count() + 1;
        let place = Place {
            line: at + 1,
            column,
            end_column: column + text.chars().count(),
        };
        (!is_whole).then_some((place, text))
    });
    lost.take(REPORTED_MAX)
        .map(|(place, text)| {
            let message = format!("YAML takes `{text}` for a comment, so no value has it");
            let help = "put the whole value in quotes";
            Finding::warning(message).at(source, place).with_help(help)
        })
        .collect()
}

/// The reference with which the comment of a line begins, and where.
fn cut_off(line: &str) -> Option<(usize, &str)> {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            // Elsewhere in a value, a quote is a character like any other.
            (None, '"' | '\'') if " [{,".contains(before) => quote = Some(character),
            (None, '#') if before.is_whitespace() => {
                let is_after_value = !line[..at].trim().is_empty();
                let end = line[at..].find('}').map(|end| at + end + 1)?;
                let text = &line[at..end];
                let is_reference = references(text).is_ok_and(|found| found.len() == 1);
                return (is_after_value && is_reference && text.starts_with("#{"))
                    .then_some((at, text));
            }
            (Some(_) | None, _) => {}
        }
        before = character;
    }
    None
}

fn collect<'a>(node: &'a Node, values: &mut Vec<&'a str>) {
    match &node.value {
        Value::Text(text) => values.push(text),
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, values)),
        Value::Map(entries) => {
            for entry in entries {
                values.push(&entry.key);
                collect(&entry.node, values);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_comment_is_cut_off() {
        let found = |line| cut_off(line).map(|(_, text)| text);
        let reference = Some("#{source.CommitId}");
        assert_eq!(found("- echo #{source.CommitId} now"), reference);
        assert_eq!(found("  - echo it's #{source.CommitId}"), reference);
        assert_eq!(found("Über: ß #{source.CommitId}"), reference);
        for line in [
            "- 'echo #{source.CommitId}'",
            "- \"echo #{source.CommitId}\"",
            "# echo #{source.CommitId}",
            "- make # with #{source.CommitId}",
            "- echo#{source.CommitId}",
            "- {a: 'x #{source.CommitId}'}",
            "- echo #{not closed",
            "- echo # {source.CommitId}",
            "",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
