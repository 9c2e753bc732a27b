//! A node: one value of a JSON or YAML text, with its place in it.
//!
//! Both formats become the same tree, so that one decoder reads both and every problem can be
//! shown where it stands.

use super::{
    path::{Path, Segment},
    problem::Place,
};

/// The largest text that is read; the API takes declarations of 400 KB (spec 20 §10).
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// How deep values may nest; a declaration needs twelve levels.
pub const DEPTH_MAX: usize = 64;

/// A value and its place: of a scalar all of it, of a list or map its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number that is no 64-bit integer, as it was written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text; keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Node {
    /// The entries, when it is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry under that key, when it is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// What it is, for messages.
    pub fn what(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Where the value at `path` below this node stands; when there is none, the nearest value
    /// around it that exists.
    pub fn place_of(&self, path: &Path) -> Place {
        let mut node = self;
        let mut place = self.place;
        for segment in path.segments() {
            match (segment, &node.value) {
                (Segment::Index(index), Value::List(items)) if *index < items.len() => {
                    node = &items[*index];
                    place = node.place;
                }
                (Segment::Field(name), Value::Map(_)) => {
                    let Some(entry) = node.entry(name) else {
                        return place;
                    };
                    (node, place) = (&entry.node, entry.place());
                }
                (Segment::Key(key), Value::Map(_)) => {
                    let Some(entry) = node.entry(key) else {
                        return place;
                    };
                    (node, place) = (&entry.node, entry.place());
                }
                _ => return place,
            }
        }
        place
    }
}

impl Entry {
    /// Where to point for its value: the key tells more than the bracket of a list or map.
    pub fn place(&self) -> Place {
        match self.node.value {
            Value::List(_) | Value::Map(_) | Value::Null => self.key_place,
            Value::Bool(_) | Value::Integer(_) | Value::Number(_) | Value::Text(_) => {
                self.node.place
            }
        }
    }
}
