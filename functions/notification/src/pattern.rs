//! Patterns: which events somebody wants, in EventBridge's own language.
//!
//! A pattern is an object that looks like the event. At each leaf stands a list of what is
//! acceptable there; objects mean *all of these*, lists *any of these*, `$or` a choice between
//! objects. What is not understood is refused when the pattern is read, so a pattern never matches
//! less or more than was meant.
//!
//! Where an event has a list, one item has to fit everything that the pattern asks below that field.
//! Choices are spread out when the pattern is read, at most [`ALTERNATIVES_MAX`] of them; after that
//! a match looks at each value once for each part of the pattern that stands at its place.
//!
//! Numbers are compared by value: `1` accepts `1.0`. A field is there when it has a value that is
//! neither object nor list.

mod matcher;
mod read;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use model::declaration::path::Path;
use serde_json::{Map, Value};

use matcher::Matcher;

/// The longest pattern, as JSON without blanks; the most that AWS grants.
pub const PATTERN_BYTES_MAX: usize = 4_096;

/// How deep the objects of a pattern may nest; events have five levels.
pub const PATTERN_DEPTH_MAX: usize = 16;

/// How many combinations the choices of one pattern may make.
pub const ALTERNATIVES_MAX: usize = 256;

/// A pattern that was understood.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Matches when one of them does.
    alternatives: Vec<Fields>,
}

/// One thing in a pattern that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where in the pattern.
    pub path: Path,
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// What is asked of the fields of one object.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<String, Field>);

/// What is asked of one field: all of it, of the same item when the event has a list there.
#[derive(Clone, Debug, Default)]
struct Field {
    /// In each list one matcher has to accept the value.
    tests: Vec<Arc<Vec<Matcher>>>,
    below: Option<Fields>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; help: {}", self.path, self.message, self.help)
    }
}

impl Pattern {
    /// Reads a pattern; reports everything in it that is not understood.
    pub fn read(pattern: &Value) -> Result<Self, Vec<Refused>> {
        read::pattern(pattern).map(|alternatives| Self { alternatives })
    }

    /// Whether somebody with this pattern wants the event.
    pub fn matches(&self, event: &Value) -> bool {
        let event = event.as_object();
        self.alternatives.iter().any(|fields| fields.hold_in(event))
    }
}

impl Fields {
    fn hold_in(&self, object: Option<&Map<String, Value>>) -> bool {
        let mut fields = self.0.iter();
        fields.all(|(name, field)| field.matches(object.and_then(|object| object.get(name))))
    }

    /// Asks for all that `other` asks, too.
    fn join(&mut self, other: &Self) {
        for (name, field) in &other.0 {
            let own = self.0.entry(name.clone()).or_default();
            own.tests.extend(field.tests.iter().cloned());
            if let Some(below) = &field.below {
                own.below.get_or_insert_default().join(below);
            }
        }
    }
}

impl Field {
    fn matches(&self, value: Option<&Value>) -> bool {
        let mut items = Vec::new();
        flatten(value, &mut items);
        if items.is_empty() {
            return self.accepts(None);
        }
        items.iter().any(|item| self.accepts(Some(item)))
    }

    fn accepts(&self, item: Option<&Value>) -> bool {
        let object = item.and_then(Value::as_object);
        let leaf = item.filter(|_| object.is_none());
        let mut tests = self.tests.iter();
        tests.all(|any| any.iter().any(|matcher| matcher.accepts(leaf)))
            && self
                .below
                .as_ref()
                .is_none_or(|below| below.hold_in(object))
    }
}

/// The items of a list, and of the lists in it; of anything else, the value itself.
fn flatten<'a>(value: Option<&'a Value>, items: &mut Vec<&'a Value>) {
    match value {
        Some(Value::Array(list)) => list.iter().for_each(|item| flatten(Some(item), items)),
        Some(item) => items.push(item),
        None => {}
    }
}
