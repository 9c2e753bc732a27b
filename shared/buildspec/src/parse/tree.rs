//! A tree of YAML nodes that keeps each scalar's own spelling and place.
//!
//! The library resolves `1.10` to a float; a buildspec means the text, so the text is taken from
//! the place that the library names.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{BUILDSPEC_MAX_BYTES, Problem};

pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

pub(super) struct Key {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) text: String,
}

impl Node {
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    pub(super) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

fn problem(line: usize, column: usize, message: impl Into<String>) -> Problem {
    Problem {
        line,
        column,
        message: message.into(),
    }
}

/// Loads the one document of a text.
pub(super) fn load(text: &str) -> Result<Node, Problem> {
    if text.len() > BUILDSPEC_MAX_BYTES {
        let message = format!("a buildspec holds at most {BUILDSPEC_MAX_BYTES} bytes");
        return Err(problem(1, 1, message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|e| problem(e.marker().line(), e.marker().col() + 1, e.info()))?;
    // The library counts places in characters.
    let characters: Vec<char> = text.chars().collect();
    match documents.as_slice() {
        [document] => convert(document, &characters),
        [] => Err(problem(1, 1, "the buildspec is empty")),
        [_, second, ..] => Err(problem(
            second.span.start.line(),
            second.span.start.col() + 1,
            "a buildspec is a single YAML document",
        )),
    }
}

fn convert(yaml: &MarkedYaml<'_>, characters: &[char]) -> Result<Node, Problem> {
    let (line, column) = (yaml.span.start.line(), yaml.span.start.col() + 1);
    let kind = match &yaml.data {
        YamlData::Value(Scalar::Null) => Kind::Null,
        YamlData::Value(Scalar::String(text)) | YamlData::Representation(text, ..) => {
            Kind::Scalar(text.to_string())
        }
        YamlData::Value(_) => {
            let range = yaml.span.start.index()..yaml.span.end.index();
            let text: String = characters.get(range).unwrap_or_default().iter().collect();
            Kind::Scalar(text.trim().to_owned())
        }
        YamlData::Sequence(items) => Kind::List(
            items
                .iter()
                .map(|item| convert(item, characters))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(entries) => {
            let mut converted = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                converted.push((convert_key(key, characters)?, convert(value, characters)?));
            }
            Kind::Map(converted)
        }
        YamlData::Tagged(_, inner) => return convert(inner, characters),
        YamlData::BadValue | YamlData::Alias(_) => {
            return Err(problem(
                line,
                column,
                "this value does not fit its YAML tag",
            ));
        }
    };
    Ok(Node { line, column, kind })
}

fn convert_key(yaml: &MarkedYaml<'_>, characters: &[char]) -> Result<Key, Problem> {
    let node = convert(yaml, characters)?;
    match node.kind {
        Kind::Scalar(text) => Ok(Key {
            line: node.line,
            column: node.column,
            text,
        }),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            Err(problem(node.line, node.column, "a key is a single value"))
        }
    }
}
