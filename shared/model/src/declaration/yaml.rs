//! YAML 1.2 text as a tree of nodes.
//!
//! Only the core schema: `yes` is a string, merge keys are plain keys, tags of an application's own
//! are refused. Anchors and aliases work; the library bounds what aliases expand to.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{
    node::{DEPTH_MAX, Entry, Node, Value},
    path::Path,
    problem::{Exception, Place, Problem, rule},
};

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let marker = error.marker();
        let place = Place::at(marker.line().max(1), marker.col() + 1);
        vec![problem(
            place,
            format!("the text is not YAML: {}", error.info()),
        )]
    })?;
    // The library counts places in characters.
    let characters: Vec<char> = text.chars().collect();
    match documents.as_slice() {
        [document] if !is_empty(document) => {
            convert(document, &characters, 0).map_err(|problem| vec![problem])
        }
        [] | [_] => Err(vec![problem(
            Place::at(1, 1),
            "the text holds no declaration",
        )]),
        [_, second, ..] => {
            let place = Place::at(second.span.start.line(), second.span.start.col() + 1);
            Err(vec![problem(
                place,
                "the text holds more than one YAML document",
            )])
        }
    }
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(
        rule::READING,
        Exception::Serialization,
        Path::document(),
        message,
    )
    .at(place)
}

fn is_empty(yaml: &MarkedYaml<'_>) -> bool {
    matches!(
        yaml.data,
        YamlData::BadValue | YamlData::Value(Scalar::Null)
    )
}

fn place(yaml: &MarkedYaml<'_>) -> Place {
    let (start, end) = (yaml.span.start, yaml.span.end);
    let column = start.col() + 1;
    let is_scalar = !matches!(yaml.data, YamlData::Sequence(_) | YamlData::Mapping(_));
    if is_scalar && end.line() == start.line() && end.col() > start.col() {
        return Place {
            line: start.line(),
            column,
            end_column: end.col() + 1,
        };
    }
    Place::at(start.line(), column)
}

fn convert(yaml: &MarkedYaml<'_>, characters: &[char], depth: usize) -> Result<Node, Problem> {
    let place = place(yaml);
    if depth > DEPTH_MAX {
        let message = format!("values are nested more than {DEPTH_MAX} levels deep");
        return Err(problem(place, message));
    }
    let value = match &yaml.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        YamlData::Value(Scalar::Integer(value)) => Value::Integer(*value),
        YamlData::Value(Scalar::FloatingPoint(_)) => {
            let range = yaml.span.start.index()..yaml.span.end.index();
            let raw: String = characters.get(range).unwrap_or_default().iter().collect();
            Value::Number(raw.trim().to_owned())
        }
        YamlData::Value(Scalar::String(text)) | YamlData::Representation(text, ..) => {
            Value::Text(text.to_string())
        }
        YamlData::Sequence(items) => Value::List(
            items
                .iter()
                .map(|item| convert(item, characters, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| entry(key, value, characters, depth))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Tagged(tag, _) => {
            return Err(
                problem(place, format!("the tag `{tag}` has no meaning here"))
                    .with_help("write the value without the tag"),
            );
        }
        YamlData::BadValue | YamlData::Alias(_) => {
            return Err(problem(place, "this value does not fit its YAML tag"));
        }
    };
    Ok(Node { place, value })
}

fn entry(
    key: &MarkedYaml<'_>,
    value: &MarkedYaml<'_>,
    characters: &[char],
    depth: usize,
) -> Result<Entry, Problem> {
    let place = place(key);
    let text = match convert(key, characters, depth + 1)?.value {
        Value::Text(text) | Value::Number(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => return Err(problem(place, "a key must be a string")),
    };
    let node = convert(value, characters, depth + 1)?;
    Ok(Entry {
        key: text,
        key_place: place,
        node,
    })
}
