//! Reading a pattern: a tree of JSON becomes alternatives, or everything in it that is not
//! understood.

use std::sync::Arc;

use model::declaration::{path::Path, problem::nearest};
use serde_json::{Map, Value};

use super::{
    ALTERNATIVES_MAX, Field, Fields, PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX, Refused,
    matcher::{Cidr, Comparison, Matcher, TextTest, fold},
};

const OR: &str = "$or";

/// What a matcher in a pattern may be called.
const MATCHERS: [&str; 8] = [
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
];

/// What `anything-but` may hold instead of values.
const BUT_MATCHERS: [&str; 4] = ["prefix", "suffix", "equals-ignore-case", "wildcard"];

const COMPARISONS: [(&str, Comparison); 5] = [
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

/// The largest number, either way, that AWS compares.
const NUMBER_MAX: f64 = 5.0e9;

pub(super) fn pattern(value: &Value) -> Result<Vec<Fields>, Vec<Refused>> {
    let mut reader = Reader::default();
    let top = Path::document();
    let bytes = value.to_string().len();
    let alternatives = if bytes > PATTERN_BYTES_MAX {
        reader.refuse(
            &top,
            format!("the pattern takes {bytes} bytes, and the most is {PATTERN_BYTES_MAX}"),
            "make several rules of it",
        )
    } else {
        match value.as_object() {
            Some(object) => reader.object(object, &top, 0),
            None => reader.refuse(
                &top,
                format!("the pattern is {}, where an object is expected", what(value)),
                r#"write it like the event, with a list at each leaf: {"source": ["aws.codepipeline"]}"#,
            ),
        }
    };
    match alternatives {
        Some(alternatives) if reader.refused.is_empty() => Ok(alternatives),
        _ => Err(reader.refused),
    }
}

#[derive(Default)]
struct Reader {
    refused: Vec<Refused>,
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Reader {
    fn refuse<T>(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.refused.push(Refused {
            path: path.clone(),
            message: message.into(),
            help: help.into(),
        });
        None
    }

    /// An object of the pattern, with its choices spread out.
    fn object(
        &mut self,
        object: &Map<String, Value>,
        path: &Path,
        depth: usize,
    ) -> Option<Vec<Fields>> {
        if depth >= PATTERN_DEPTH_MAX {
            let message = format!("objects are nested more than {PATTERN_DEPTH_MAX} levels deep");
            return self.refuse(path, message, "no event is so deep: remove the inner ones");
        }
        if object.is_empty() {
            return self.refuse(
                path,
                "an empty object says nothing",
                "remove it, or name a field with a list of what it may be",
            );
        }
        let mut alternatives = Some(vec![Fields::default()]);
        for (name, value) in object {
            let path = path.key(name);
            let found = if name == OR {
                self.choice(value, &path, depth)
            } else {
                self.field(name, value, &path, depth)
            };
            // All of what is wrong is wanted: go on after a refusal.
            alternatives = match (alternatives, found) {
                (Some(so_far), Some(found)) => self.both(&so_far, &found, &path),
                _ => None,
            };
        }
        alternatives
    }

    /// Each of these with each of those.
    fn both(&mut self, these: &[Fields], those: &[Fields], path: &Path) -> Option<Vec<Fields>> {
        if these.len().saturating_mul(those.len()) > ALTERNATIVES_MAX {
            return self.refuse(
                path,
                format!("the choices of `$or` make more than {ALTERNATIVES_MAX} combinations"),
                "make several rules of it",
            );
        }
        let mut all = Vec::with_capacity(these.len() * those.len());
        for one in these {
            for other in those {
                let mut joined = one.clone();
                joined.join(other);
                all.push(joined);
            }
        }
        Some(all)
    }

    fn choice(&mut self, value: &Value, path: &Path, depth: usize) -> Option<Vec<Fields>> {
        let choices = match value {
            Value::Array(choices) if !choices.is_empty() => choices,
            _ => {
                return self.refuse(
                    path,
                    "`$or` holds no choices",
                    r#"write a list of objects: {"$or": [{"a": ["x"]}, {"b": ["y"]}]}"#,
                );
            }
        };
        let mut all = Some(Vec::new());
        for (place, one) in choices.iter().enumerate() {
            let path = path.index(place);
            let found = match one.as_object() {
                Some(object) => self.object(object, &path, depth + 1),
                None => self.refuse(
                    &path,
                    format!("a choice of `$or` is {}", what(one)),
                    "write an object that looks like the event",
                ),
            };
            all = all.zip(found).map(|(mut all, found)| {
                all.extend(found);
                all
            });
        }
        all
    }

    fn field(
        &mut self,
        name: &str,
        value: &Value,
        path: &Path,
        depth: usize,
    ) -> Option<Vec<Fields>> {
        let named = |field| Fields([(name.to_owned(), field)].into());
        match value {
            Value::Object(object) => {
                let below = self.object(object, path, depth + 1)?;
                let fields = below.into_iter().map(|below| Field {
                    below: Some(below),
                    ..Field::default()
                });
                Some(fields.map(named).collect())
            }
            Value::Array(list) => {
                let matchers = self.matchers(list, path)?;
                let tests = vec![Arc::new(matchers)];
                Some(vec![named(Field { tests, below: None })])
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.refuse(
                path,
                format!("the value is {}, where a list is expected", what(value)),
                format!("write [{value}]"),
            ),
        }
    }

    fn matchers(&mut self, list: &[Value], path: &Path) -> Option<Vec<Matcher>> {
        if list.is_empty() {
            return self.refuse(
                path,
                "an empty list accepts nothing",
                r#"name what is acceptable, or write [{"exists": false}]"#,
            );
        }
        let mut matchers = Some(Vec::new());
        for (place, value) in list.iter().enumerate() {
            let found = self.matcher(value, &path.index(place));
            matchers = matchers.zip(found).map(|(mut all, found)| {
                all.push(found);
                all
            });
        }
        matchers
    }

    fn matcher(&mut self, value: &Value, path: &Path) -> Option<Matcher> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(Matcher::Is(value.clone()))
            }
            Value::Array(_) => self.refuse(
                path,
                "a list stands in a list",
                "write its items into the outer list",
            ),
            Value::Object(object) => {
                let (name, operand) = self.one_of(object, path, &MATCHERS)?;
                let path = path.key(name);
                match name {
                    "anything-but" => self.anything_but(operand, &path),
                    "numeric" => self.numeric(operand, &path).map(Matcher::Numeric),
                    "exists" => match operand {
                        Value::Bool(exists) => Some(Matcher::Exists(*exists)),
                        _ => self.wrong(&path, operand, "true or false"),
                    },
                    "cidr" => self.cidr(operand, &path).map(Matcher::Cidr),
                    _ => self.text_test(name, operand, &path).map(Matcher::Text),
                }
            }
        }
    }

    /// The only member of an object, which has to be one of `known`.
    fn one_of<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        path: &Path,
        known: &[&str],
    ) -> Option<(&'a str, &'a Value)> {
        let mut members = object.iter();
        let (Some((name, operand)), None) = (members.next(), members.next()) else {
            return self.refuse(
                path,
                format!(
                    "an object in a list has one member, and this has {}",
                    object.len()
                ),
                "write one object for each matcher",
            );
        };
        if known.contains(&name.as_str()) {
            return Some((name, operand));
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of: {}", known.join(", ")),
        };
        self.refuse(path, format!("there is no matcher `{name}` here"), help)
    }

    fn wrong<T>(&mut self, path: &Path, value: &Value, expected: &str) -> Option<T> {
        let message = format!("the value is {}, where {expected} is expected", what(value));
        self.refuse(path, message, format!("write {expected}"))
    }

    fn text_test(&mut self, name: &str, operand: &Value, path: &Path) -> Option<TextTest> {
        match (name, operand) {
            ("prefix", Value::String(text)) => Some(TextTest::Prefix(text.clone())),
            ("suffix", Value::String(text)) => Some(TextTest::Suffix(text.clone())),
            ("equals-ignore-case", Value::String(text)) => {
                Some(TextTest::EqualsIgnoreCase(fold(text)))
            }
            ("wildcard", Value::String(text)) => self.wildcard(text, path),
            ("prefix" | "suffix", Value::Object(object)) => {
                let (inner, operand) = self.one_of(object, path, &["equals-ignore-case"])?;
                let path = path.key(inner);
                let Value::String(text) = operand else {
                    return self.wrong(&path, operand, "a string");
                };
                Some(match name {
                    "prefix" => TextTest::PrefixIgnoreCase(fold(text)),
                    _ => TextTest::SuffixIgnoreCase(fold(text)),
                })
            }
            _ => self.wrong(path, operand, "a string"),
        }
    }

    /// `*` stands for any text; a backslash takes the meaning from `*` and from itself.
    fn wildcard(&mut self, text: &str, path: &Path) -> Option<TextTest> {
        let mut parts = vec![String::new()];
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let plain = match letter {
                '*' if letters.peek() == Some(&'*') => {
                    return self.refuse(path, "two stars stand side by side", "write one star");
                }
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => match letters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => {
                        return self.refuse(
                            path,
                            "a backslash stands before neither a star nor a backslash",
                            r"write `\\` for a backslash and `\*` for a star",
                        );
                    }
                },
                other => other,
            };
            if let Some(part) = parts.last_mut() {
                part.push(plain);
            }
        }
        Some(TextTest::Wildcard(parts))
    }

    fn anything_but(&mut self, operand: &Value, path: &Path) -> Option<Matcher> {
        let these = match operand {
            Value::String(_) | Value::Number(_) => vec![Matcher::Is(operand.clone())],
            Value::Array(list) => {
                let are_texts = !list.is_empty() && list.iter().all(Value::is_string);
                let are_numbers = !list.is_empty() && list.iter().all(Value::is_number);
                if !are_texts && !are_numbers {
                    return self.wrong(path, operand, "a list of strings, or one of numbers");
                }
                list.iter().cloned().map(Matcher::Is).collect()
            }
            Value::Object(object) => {
                let (name, operand) = self.one_of(object, path, &BUT_MATCHERS)?;
                self.but(name, operand, &path.key(name))?
            }
            Value::Null | Value::Bool(_) => {
                return self.wrong(path, operand, "a string, a number or a list of them");
            }
        };
        Some(Matcher::AnythingBut(these))
    }

    fn but(&mut self, name: &str, operand: &Value, path: &Path) -> Option<Vec<Matcher>> {
        let texts = match operand {
            Value::String(_) => std::slice::from_ref(operand),
            Value::Array(list) if !list.is_empty() => list,
            _ => return self.wrong(path, operand, "a string or a list of strings"),
        };
        let mut all = Vec::with_capacity(texts.len());
        for text in texts {
            if text.as_str().is_none_or(str::is_empty) {
                return self.wrong(path, text, "a string that is not empty");
            }
            all.push(Matcher::Text(self.text_test(name, text, path)?));
        }
        Some(all)
    }

    fn numeric(&mut self, operand: &Value, path: &Path) -> Option<Vec<(Comparison, f64)>> {
        const SHAPE: &str = r#"a list like ["=", 5], [">", 0] or [">=", 0, "<", 5]"#;
        let Value::Array(list) = operand else {
            return self.wrong(path, operand, SHAPE);
        };
        let mut comparisons = Vec::new();
        for (place, pair) in list.chunks(2).enumerate() {
            let [name, than] = pair else {
                return self.wrong(path, operand, SHAPE);
            };
            let known = COMPARISONS.iter().find(|(known, _)| name == known);
            let Some((_, comparison)) = known else {
                return self.wrong(&path.index(place * 2), name, "one of =, <, <=, >, >=");
            };
            let than = than.as_f64().filter(|than| than.abs() <= NUMBER_MAX);
            let Some(than) = than else {
                let path = path.index(place * 2 + 1);
                let expected = "a number from -5000000000 to 5000000000";
                return self.wrong(&path, &list[place * 2 + 1], expected);
            };
            comparisons.push((*comparison, than));
        }
        let is_range = match comparisons.as_slice() {
            [_] => true,
            [
                (Comparison::Greater | Comparison::GreaterOrEqual, low),
                (Comparison::Less | Comparison::LessOrEqual, high),
            ] => low < high,
            _ => false,
        };
        if !is_range {
            return self.refuse(
                path,
                "the comparisons are no range",
                format!("write {SHAPE}, the lower bound first"),
            );
        }
        Some(comparisons)
    }

    fn cidr(&mut self, operand: &Value, path: &Path) -> Option<Cidr> {
        let range = operand.as_str().and_then(|text| {
            let (address, bits) = text.split_once('/')?;
            let address: std::net::IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
            Some(Cidr { address, bits })
        });
        if range.is_none() {
            return self.wrong(path, operand, "a range of addresses like \"10.0.0.0/24\"");
        }
        range
    }
}
