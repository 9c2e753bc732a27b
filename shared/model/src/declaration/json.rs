//! JSON text as a tree of nodes: RFC 8259 and nothing more.
//!
//! `serde_json` decides whether the text is JSON; the second parser is more tolerant, but knows
//! the place of every value.

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectPropName, Value as Ast},
    common::{Range, Ranged},
    errors::ParseErrorKind,
};

use super::{
    node::{DEPTH_MAX, Entry, Node, Value},
    path::Path,
    problem::{Exception, Place, Problem, rule},
};

/// Reads the one value of a text.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(vec![problem(lines.place_of_error(&error), reason(&error))]);
    }
    let refused = |error: jsonc_parser::errors::ParseError| {
        let message = match error.kind() {
            ParseErrorKind::NestingDepthExceeded => too_deep(),
            other => format!("the text is not JSON: {other}"),
        };
        vec![problem(lines.place(error.range()), message)]
    };
    let parsed =
        jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &strict()).map_err(refused)?;
    let Some(value) = parsed.value else {
        return Err(vec![problem(
            Place::at(1, 1),
            "the text holds no declaration",
        )]);
    };
    let mut reader = Reader {
        lines,
        problems: Vec::new(),
    };
    let node = reader.convert(&value, 0);
    if reader.problems.is_empty() {
        Ok(node)
    } else {
        Err(reader.problems)
    }
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
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

fn too_deep() -> String {
    format!("values are nested more than {DEPTH_MAX} levels deep")
}

/// What the parser says, without the place that it adds.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text
        .rfind(" at line ")
        .map_or(text.as_str(), |end| &text[..end]);
    format!("the text is not JSON: {reason}")
}

/// Where the lines of a text begin, to turn bytes into lines and columns.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// The line and column of a byte, both from 1.
    fn position(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts[line - 1];
        let before = self.text.get(start..byte).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    fn place(&self, range: Range) -> Place {
        let (line, column) = self.position(range.start);
        match self.position(range.end) {
            (end_line, end_column) if end_line == line && end_column > column => Place {
                line,
                column,
                end_column,
            },
            _ => Place::at(line, column),
        }
    }

    /// The parser counts columns in bytes, and from 0 after a line break.
    fn place_of_error(&self, error: &serde_json::Error) -> Place {
        let start = self
            .starts
            .get(error.line().saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let mut byte = (start + error.column().saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let (line, column) = self.position(byte);
        Place::at(line, column)
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn convert(&mut self, value: &Ast<'_>, depth: usize) -> Node {
        let place = self.lines.place(value.range());
        if depth > DEPTH_MAX {
            self.problems.push(problem(place, too_deep()));
            return Node {
                place,
                value: Value::Null,
            };
        }
        let value = match value {
            Ast::StringLit(literal) => Value::Text(literal.value.to_string()),
            Ast::NumberLit(literal) => match literal.value.parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Number(literal.value.to_owned()),
            },
            Ast::BooleanLit(literal) => Value::Bool(literal.value),
            Ast::NullKeyword(_) => Value::Null,
            Ast::Array(array) => {
                let convert = |item| self.convert(item, depth + 1);
                let items = array.elements.iter().map(convert).collect();
                return Node {
                    place: Place::at(place.line, place.column),
                    value: Value::List(items),
                };
            }
            Ast::Object(object) => {
                let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
                let mut keys = std::collections::BTreeSet::new();
                for property in &object.properties {
                    let key_place = self.lines.place(match &property.name {
                        ObjectPropName::String(literal) => literal.range,
                        ObjectPropName::Word(literal) => literal.range,
                    });
                    let key = property.name.as_str().to_owned();
                    if !keys.insert(key.clone()) {
                        let message = format!("the key `{key}` occurs twice in one object");
                        self.problems.push(problem(key_place, message));
                    }
                    let node = self.convert(&property.value, depth + 1);
                    entries.push(Entry {
                        key,
                        key_place,
                        node,
                    });
                }
                let place = Place::at(place.line, place.column);
                return Node {
                    place,
                    value: Value::Map(entries),
                };
            }
        };
        Node { place, value }
    }
}
