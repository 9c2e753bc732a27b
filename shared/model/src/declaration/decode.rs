//! The decoder: turns nodes into values and gathers every problem on the way.
//!
//! A reader is any `fn(&mut Decoder, &Node, &Path) -> Option<T>`; it reports what it cannot read
//! and gives `None`. Whoever asks puts a placeholder in and goes on, so that one pass finds all
//! that is wrong. It knows nothing of pipelines: the readers of a pipeline are in the modules
//! below, and other files beside a pipeline are read with the same decoder.

pub(super) mod action;
pub(super) mod condition;
pub(super) mod pipeline;
pub(super) mod trigger;

use std::collections::BTreeMap;

use super::{
    node::{Entry, Node, Value},
    path::Path,
    problem::{Exception, Place, Problem, nearest, quoted, rule},
};

/// What to do with a field that nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// It is a problem: in a file it is a slip of the pen.
    Refuse,
    /// It is passed over, as the API does (spec 10 §1).
    Ignore,
}

/// Gathers problems while nodes are read.
#[derive(Debug)]
pub struct Decoder {
    unknown: UnknownFields,
    problems: Vec<Problem>,
    /// Values that could not be read: what rules say about them would mislead.
    damaged: Vec<Path>,
}

impl Decoder {
    pub fn new(unknown: UnknownFields) -> Self {
        Self {
            unknown,
            problems: Vec::new(),
            damaged: Vec::new(),
        }
    }

    /// The problems found, in the order of the text.
    pub fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.place);
        self.problems
    }

    /// The problems, and the paths of the values that stand in for what could not be read.
    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Path>) {
        (self.problems, self.damaged)
    }

    /// Reports a problem.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn wrong_type(&mut self, node: &Node, path: &Path, expected: &str) {
        let help = match &node.value {
            Value::Integer(number) if expected == "a string" => {
                Some(format!("put the value in quotes: \"{number}\""))
            }
            Value::Number(number) if expected == "a string" => {
                Some(format!("put the value in quotes: \"{number}\""))
            }
            Value::Bool(value) if expected == "a string" => {
                Some(format!("put the value in quotes: \"{value}\""))
            }
            Value::Text(text) if expected == "an integer" && text.parse::<i64>().is_ok() => {
                Some(format!("write the value without quotes: {text}"))
            }
            Value::Text(text) if expected == "a boolean" && text.parse::<bool>().is_ok() => {
                Some(format!("write the value without quotes: {text}"))
            }
            _ => None,
        };
        let message = format!("`{path}` is {}, where {expected} is expected", node.what());
        let mut problem = Problem::new(
            rule::READING,
            Exception::Serialization,
            path.clone(),
            message,
        )
        .at(node.place);
        problem.help = help;
        self.problems.push(problem);
        self.damaged.push(path.clone());
    }

    /// A string.
    pub fn text(&mut self, node: &Node, path: &Path) -> Option<String> {
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, path, "a string");
            return None;
        };
        Some(text.clone())
    }

    /// An integer that is not negative.
    pub fn integer(&mut self, node: &Node, path: &Path) -> Option<u32> {
        self.integer_within(node, path, 0, u32::MAX)
    }

    /// An integer between bounds. What fits the type is given even when it is out of bounds, and
    /// left to validation.
    pub fn integer_within(&mut self, node: &Node, path: &Path, min: u32, max: u32) -> Option<u32> {
        let Value::Integer(number) = &node.value else {
            self.wrong_type(node, path, "an integer");
            return None;
        };
        if let Ok(number) = u32::try_from(*number) {
            return Some(number);
        }
        let constraint = if *number < 0 {
            format!("Member must have value greater than or equal to {min}")
        } else {
            format!("Member must have value less than or equal to {max}")
        };
        let help = Some(format!("write {min} to {max}"));
        self.constraint(path, &number.to_string(), node.place, &constraint, help);
        None
    }

    /// A boolean.
    pub fn boolean(&mut self, node: &Node, path: &Path) -> Option<bool> {
        let Value::Bool(value) = node.value else {
            self.wrong_type(node, path, "a boolean");
            return None;
        };
        Some(value)
    }

    /// One of a few names.
    pub fn choice<T: Copy>(&mut self, node: &Node, path: &Path, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, path)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let help = match nearest(&text, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        let constraint = format!("Member must satisfy enum value set: [{}]", names.join(", "));
        self.constraint(path, &text, node.place, &constraint, Some(help));
        None
    }

    fn constraint(
        &mut self,
        path: &Path,
        value: &str,
        place: Place,
        constraint: &str,
        help: Option<String>,
    ) {
        let spelt = if path.is_in_pipeline() {
            path.api()
        } else {
            path.to_string()
        };
        let value = quoted(value);
        let message =
            format!("Value '{value}' at '{spelt}' failed to satisfy constraint: {constraint}");
        let mut problem =
            Problem::new(rule::SHAPE, Exception::Validation, path.clone(), message).at(place);
        problem.help = help;
        self.problems.push(problem);
        self.damaged.push(path.clone());
    }

    /// A list whose items all have the same reader.
    pub fn list<T>(
        &mut self,
        node: &Node,
        path: &Path,
        mut item: impl FnMut(&mut Self, &Node, &Path) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::List(items) = &node.value else {
            self.wrong_type(node, path, "a list");
            return None;
        };
        let read = items.iter().enumerate();
        Some(
            read.filter_map(|(place, node)| item(self, node, &path.index(place)))
                .collect(),
        )
    }

    /// A list that has at least one item when it is written at all.
    pub fn list_of_some<T>(
        &mut self,
        node: &Node,
        path: &Path,
        item: impl FnMut(&mut Self, &Node, &Path) -> Option<T>,
    ) -> Option<Vec<T>> {
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let constraint = "Member must have length greater than or equal to 1";
            let help = Some("leave the field out, or add an item".to_owned());
            self.constraint(path, "[]", node.place, constraint, help);
            return None;
        }
        self.list(node, path, item)
    }

    /// A map with keys that the author chose.
    pub fn map<T>(
        &mut self,
        node: &Node,
        path: &Path,
        mut value: impl FnMut(&mut Self, &Node, &Path) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let Some(entries) = node.entries() else {
            self.wrong_type(node, path, "a map");
            return None;
        };
        let mut map = BTreeMap::new();
        for Entry { key, node, .. } in entries {
            if let Some(value) = value(self, node, &path.key(key)) {
                map.insert(key.clone(), value);
            }
        }
        Some(map)
    }

    /// A structure: `read` asks for its fields; what it did not ask for is unknown.
    pub fn object<T>(
        &mut self,
        node: &Node,
        path: &Path,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Option<T> {
        if node.entries().is_none() {
            self.wrong_type(node, path, "a map");
            return None;
        }
        let mut fields = Fields {
            decoder: self,
            node,
            path,
            asked: Vec::new(),
            missing: Vec::new(),
        };
        let value = read(&mut fields);
        fields.finish();
        Some(value)
    }
}

/// The fields of one structure while they are read.
#[derive(Debug)]
pub struct Fields<'a> {
    decoder: &'a mut Decoder,
    node: &'a Node,
    path: &'a Path,
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl Fields<'_> {
    /// A field that may be missing or null.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Decoder, &Node, &Path) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(name);
        let entry = self.node.entry(name)?;
        if entry.node.value == Value::Null {
            return None;
        }
        read(self.decoder, &entry.node, &self.path.field(name))
    }

    /// A field that must be there; `None` was reported.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Decoder, &Node, &Path) -> Option<T>,
    ) -> Option<T> {
        let is_there = self
            .node
            .entry(name)
            .is_some_and(|e| e.node.value != Value::Null);
        if !is_there {
            self.missing.push(name);
        }
        self.optional(name, read)
    }

    /// A required string; empty when it could not be read.
    pub fn text(&mut self, name: &'static str) -> String {
        self.required(name, Decoder::text).unwrap_or_default()
    }

    /// An optional string.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.optional(name, Decoder::text)
    }

    /// An optional integer between bounds; see [`Decoder::integer_within`].
    pub fn optional_integer(&mut self, name: &'static str, min: u32, max: u32) -> Option<u32> {
        self.optional(name, |d, node, path| d.integer_within(node, path, min, max))
    }

    /// An optional list, empty when it is missing, which has an item when it is there.
    pub fn some<T>(
        &mut self,
        name: &'static str,
        item: impl FnMut(&mut Decoder, &Node, &Path) -> Option<T>,
    ) -> Vec<T> {
        self.optional(name, |d, node, path| d.list_of_some(node, path, item))
            .unwrap_or_default()
    }

    /// An optional list, empty when it is missing.
    pub fn any<T>(
        &mut self,
        name: &'static str,
        item: impl FnMut(&mut Decoder, &Node, &Path) -> Option<T>,
    ) -> Vec<T> {
        self.optional(name, |d, node, path| d.list(node, path, item))
            .unwrap_or_default()
    }

    /// An optional map of strings, empty when it is missing.
    pub fn texts(&mut self, name: &'static str) -> BTreeMap<String, String> {
        self.optional(name, |d, node, path| d.map(node, path, Decoder::text))
            .unwrap_or_default()
    }

    /// Reports what nobody asked for and what nobody wrote. A misspelt field is one problem, not a
    /// missing field as well.
    fn finish(mut self) {
        let node = self.node;
        if self.decoder.unknown == UnknownFields::Refuse {
            for entry in node.entries().unwrap_or_default() {
                if !self.asked.contains(&entry.key.as_str()) {
                    self.report_unknown(entry);
                }
            }
        }
        for name in std::mem::take(&mut self.missing) {
            self.report_missing(name);
        }
    }

    fn report_unknown(&mut self, entry: &Entry) {
        let key = entry.key.as_str();
        let absent = |name: &&str| self.node.entry(name).is_none();
        let meant = nearest(key, self.asked.iter().copied().filter(absent));
        let help = match meant {
            Some(name) => format!("did you mean `{name}`?"),
            None if key == "<<" => {
                "YAML 1.2 has no merge keys; repeat the fields, or alias the whole value".into()
            }
            None => format!("remove it; the fields here are {}", self.asked.join(", ")),
        };
        self.decoder
            .damaged
            .extend(meant.map(|name| self.path.field(name.to_owned())));
        let path = self.path.field(key.to_owned());
        let problem = Problem::new(
            rule::READING,
            Exception::Validation,
            path,
            format!("unknown field `{key}`"),
        );
        self.decoder
            .problems
            .push(problem.at(entry.key_place).with_help(help));
    }

    fn report_missing(&mut self, name: &'static str) {
        let path = self.path.field(name);
        if self.decoder.damaged.contains(&path) {
            return;
        }
        let message = if path.is_in_pipeline() {
            let spelt = path.api();
            format!("Value null at '{spelt}' failed to satisfy constraint: Member must not be null")
        } else {
            format!("`{path}` is missing")
        };
        self.decoder.damaged.push(path.clone());
        let place = self
            .node
            .entry(name)
            .map_or(self.node.place, |entry| entry.key_place);
        let problem = Problem::new(rule::SHAPE, Exception::Validation, path, message)
            .at(place)
            .with_help(format!("add `{name}`"));
        self.decoder.problems.push(problem);
    }
}
