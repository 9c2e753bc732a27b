//! References that YAML takes for comments: `echo #{source.CommitId}` without quotes ends before
//! the `#`, and the command runs without its value.

use std::sync::Arc;

use model::declaration::{
    node::{Node, Value},
    problem::Place,
    reference::references,
};

use crate::failure::{Finding, Source};

/// A warning for each reference of the text that no value has.
pub(super) fn find(source: &Arc<Source>, root: &Node) -> Vec<Finding> {
    let mut values = Vec::new();
    collect(root, &mut values);
    // A line that is a comment from its beginning was meant as one.
    let lines = source.text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with('#'));
    let mut findings = Vec::new();
    for (at, line) in lines.clone() {
        let Some(start) = line.find(" #{").map(|space| space + 1) else {
            continue;
        };
        let end = line[start..]
            .find('}')
            .map_or(line.len(), |end| start + end + 1);
        let text = &line[start..end];
        if !references(text).is_ok_and(|found| found.len() == 1) {
            continue;
        }
        let written: usize = lines
            .clone()
            .map(|(_, line)| line.matches(text).count())
            .sum();
        let read: usize = values.iter().map(|value| value.matches(text).count()).sum();
        if written <= read {
            continue;
        }
        let message = format!("YAML takes `{text}` for a comment, so no value has it");
        let column = line[..start].chars().count() + 1;
        let place = Place {
            line: at + 1,
            column,
            end_column: column + text.chars().count(),
        };
        let help = "put the whole value in quotes";
        findings.push(Finding::warning(message).at(source, place).with_help(help));
    }
    findings
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
