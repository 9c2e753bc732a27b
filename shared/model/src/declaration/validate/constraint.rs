//! A constraint on one value, and the words in which the API says that it is broken (spec 10 §2).

use std::collections::BTreeMap;

use super::super::{
    path::Path,
    problem::{Exception, Problem, quoted, rule},
};

/// How long a text may be and of what it may be made.
pub(super) struct Constraint {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) pattern: Option<Pattern>,
}

/// A regular expression of the API's model and a function that decides the same.
pub(super) struct Pattern {
    pub(super) text: &'static str,
    pub(super) matches: fn(&str) -> bool,
}

impl Constraint {
    pub(super) const fn length(min: usize, max: usize) -> Self {
        Self {
            min,
            max,
            pattern: None,
        }
    }

    pub(super) const fn matching(
        min: usize,
        max: usize,
        text: &'static str,
        matches: fn(&str) -> bool,
    ) -> Self {
        Self {
            min,
            max,
            pattern: Some(Pattern { text, matches }),
        }
    }

    /// Checks a text; only the first broken constraint of a value is told.
    pub(super) fn check(&self, value: &str, path: &Path, problems: &mut Vec<Problem>) {
        let length = value.chars().count();
        let (min, max) = (self.min, self.max);
        let (constraint, help) = if length < min {
            (
                at_least("length", min),
                format!("write {min} to {max} characters"),
            )
        } else if length > max {
            let help = format!("it has {length} characters; shorten it to {max}");
            (at_most("length", max), help)
        } else {
            match &self.pattern {
                Some(pattern) if !(pattern.matches)(value) => {
                    let constraint = format!(
                        "Member must satisfy regular expression pattern: {}",
                        pattern.text
                    );
                    (
                        constraint,
                        format!("write it so that all of it matches {}", pattern.text),
                    )
                }
                Some(_) | None => return,
            }
        };
        let message = format!(
            "Value '{}' at '{}' failed to satisfy constraint: {constraint}",
            quoted(value),
            path.api()
        );
        problems.push(violation(path.clone(), message).with_help(help));
    }

    /// Checks a text that may be missing.
    pub(super) fn check_some(
        &self,
        value: Option<&String>,
        path: &Path,
        problems: &mut Vec<Problem>,
    ) {
        if let Some(value) = value {
            self.check(value, path, problems);
        }
    }

    /// Checks each text of a list, and how many there are.
    pub(super) fn check_each(
        &self,
        values: &[String],
        max: usize,
        path: &Path,
        problems: &mut Vec<Problem>,
    ) {
        items(values.len(), 0, max, path, problems);
        for (place, value) in values.iter().enumerate() {
            self.check(value, &path.index(place), problems);
        }
    }
}

fn violation(path: Path, message: String) -> Problem {
    Problem::new(rule::SHAPE, Exception::Validation, path, message)
}

fn at_least(what: &str, bound: usize) -> String {
    format!("Member must have {what} greater than or equal to {bound}")
}

fn at_most(what: &str, bound: usize) -> String {
    format!("Member must have {what} less than or equal to {bound}")
}

/// Checks how many items a list has.
pub(super) fn items(
    count: usize,
    min: usize,
    max: usize,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    let constraint = if count < min {
        at_least("length", min)
    } else if count > max {
        at_most("length", max)
    } else {
        return;
    };
    let message = format!(
        "Value at '{}' failed to satisfy constraint: {constraint}",
        path.api()
    );
    let help = format!("it has {count} items; {min} to {max} are allowed");
    problems.push(violation(path.clone(), message).with_help(help));
}

/// Checks that a number is in a range.
pub(super) fn range(value: u32, min: u32, max: u32, path: &Path, problems: &mut Vec<Problem>) {
    let constraint = if value < min {
        format!("Member must have value greater than or equal to {min}")
    } else if value > max {
        format!("Member must have value less than or equal to {max}")
    } else {
        return;
    };
    let spelt = path.api();
    let message =
        format!("Value '{value}' at '{spelt}' failed to satisfy constraint: {constraint}");
    problems.push(violation(path.clone(), message).with_help(format!("write {min} to {max}")));
}

/// Checks that a text is one of a few.
pub(super) fn one_of(value: &str, known: &[&str], path: &Path, problems: &mut Vec<Problem>) {
    if known.contains(&value) {
        return;
    }
    let names = known.join(", ");
    let message = format!(
        "Value '{}' at '{}' failed to satisfy constraint: \
         Member must satisfy enum value set: [{names}]",
        quoted(value),
        path.api()
    );
    problems.push(violation(path.clone(), message).with_help(format!("write one of: {names}")));
}

/// Checks the lengths of a configuration. Values are not repeated: they may be secrets.
pub(super) fn configuration(
    map: &BTreeMap<String, String>,
    key_max: usize,
    value_max: usize,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    let mut check = |what: &str, key: &str, text: &str, max: usize| {
        let length = text.chars().count();
        if (1..=max).contains(&length) {
            return;
        }
        let message = format!(
            "Value at '{}' failed to satisfy constraint: Map {what} must satisfy constraint: \
             [{}, {}]",
            path.api(),
            at_most("length", max),
            at_least("length", 1)
        );
        let help = format!("it has {length} characters; 1 to {max} are allowed");
        problems.push(violation(path.key(key), message).with_help(help));
    };
    for (key, value) in map {
        check("keys", key, key, key_max);
        check("value", key, value, value_max);
    }
}
