//! A mapping that is taken apart field by field, and what was found wrong on the way.

use std::collections::BTreeMap;

use super::{
    Problem, Warning,
    tree::{Key, Kind, Node},
};

/// How alike an unknown key and a known one are before the latter is suggested.
const SUGGESTION_MAX_EDITS: usize = 2;

#[derive(Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Findings {
    pub(super) fn problem(&mut self, node: &Node, message: impl Into<String>) {
        self.problem_at(node.line, node.column, message);
    }

    pub(super) fn problem_at(&mut self, line: usize, column: usize, message: impl Into<String>) {
        self.problems.push(Problem {
            line,
            column,
            message: message.into(),
        });
    }

    pub(super) fn warning(&mut self, line: usize, column: usize, message: impl Into<String>) {
        self.warnings.push(Warning {
            line,
            column,
            message: message.into(),
        });
    }

    pub(super) fn into_result<T>(mut self, value: T) -> Result<(T, Vec<Warning>), Vec<Problem>> {
        if self.problems.is_empty() {
            Ok((value, self.warnings))
        } else {
            self.problems
                .sort_by_key(|problem| (problem.line, problem.column));
            Err(self.problems)
        }
    }
}

/// The fields of one mapping; what nobody takes is reported by [`Fields::finish`].
pub(super) struct Fields<'n, 'f> {
    owner: &'static str,
    left: Vec<(&'n Key, &'n Node)>,
    pub(super) findings: &'f mut Findings,
}

impl<'n, 'f> Fields<'n, 'f> {
    pub(super) fn of(node: &'n Node, owner: &'static str, findings: &'f mut Findings) -> Self {
        let left = match &node.kind {
            Kind::Map(entries) => entries.iter().map(|(key, value)| (key, value)).collect(),
            Kind::Null => Vec::new(),
            Kind::Scalar(_) | Kind::List(_) => {
                let what = node.what();
                findings.problem(node, format!("{owner} is a mapping, not {what}"));
                Vec::new()
            }
        };
        Self {
            owner,
            left,
            findings,
        }
    }

    pub(super) fn key(&self, name: &str) -> Option<&'n Key> {
        self.left
            .iter()
            .find(|(key, _)| key.text == name)
            .map(|(key, _)| *key)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<&'n Node> {
        let index = self.left.iter().position(|(key, _)| key.text == name)?;
        Some(self.left.remove(index).1)
    }

    /// A single value; an empty one counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let node = self.take(name)?;
        text(node, name, self.findings)
    }

    pub(super) fn yes(&mut self, name: &str) -> bool {
        let Some(node) = self.take(name) else {
            return false;
        };
        match node.scalar().map(str::to_ascii_lowercase).as_deref() {
            Some("yes" | "true") => true,
            Some("no" | "false") => false,
            _ => {
                self.findings.problem(node, format!("{name} is yes or no"));
                false
            }
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let node = self.take(name)?;
        Some(list(node, name, self.findings))
    }

    pub(super) fn map(&mut self, name: &'static str) -> BTreeMap<String, String> {
        self.take(name)
            .map(|node| map(node, name, self.findings))
            .unwrap_or_default()
    }

    /// Reports the keys that are left: nothing acts on them.
    pub(super) fn finish(self, known: &[&str]) {
        for (key, _) in self.left {
            let near = known
                .iter()
                .map(|name| (strsim::damerau_levenshtein(name, &key.text), *name))
                .min()
                .filter(|(edits, _)| *edits <= SUGGESTION_MAX_EDITS);
            let hint = near
                .map(|(_, name)| format!("; did you mean {name}?"))
                .unwrap_or_default();
            let message = format!(
                "{} has no key {}: it is ignored{hint}",
                self.owner, key.text
            );
            self.findings.warning(key.line, key.column, message);
        }
    }
}

fn text(node: &Node, name: &str, findings: &mut Findings) -> Option<String> {
    match &node.kind {
        Kind::Scalar(text) if text.is_empty() => None,
        Kind::Scalar(text) => Some(text.clone()),
        Kind::Null => None,
        Kind::List(_) | Kind::Map(_) => {
            findings.problem(
                node,
                format!("{name} is a single value, not {}", node.what()),
            );
            None
        }
    }
}

/// A list of values; a single value is a list of one, and nested lists are flattened
/// (spec 70 §2).
fn list(node: &Node, name: &str, findings: &mut Findings) -> Vec<String> {
    let mut values = Vec::new();
    match &node.kind {
        Kind::Null => {}
        Kind::Scalar(text) => values.push(text.clone()),
        Kind::List(items) => {
            for item in items {
                values.extend(list(item, name, findings));
            }
        }
        Kind::Map(_) => {
            let hint = "; put a value that contains a colon in quotes";
            findings.problem(
                node,
                format!("{name} is a list of values, not a mapping{hint}"),
            );
        }
    }
    values
}

fn map(node: &Node, name: &'static str, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    match &node.kind {
        Kind::Null => {}
        Kind::Map(entries) => {
            for (key, value) in entries {
                let text = match &value.kind {
                    Kind::Scalar(text) => text.clone(),
                    Kind::Null => String::new(),
                    Kind::List(_) | Kind::Map(_) => {
                        let message =
                            format!("{} is a single value, not {}", key.text, value.what());
                        findings.problem(value, message);
                        continue;
                    }
                };
                values.insert(key.text.clone(), text);
            }
        }
        Kind::Scalar(_) | Kind::List(_) => {
            findings.problem(node, format!("{name} is a mapping, not {}", node.what()));
        }
    }
    values
}
