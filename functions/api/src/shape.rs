//! The shapes of requests: what a member must look like, and the words in which the API says that
//! it does not (spec 10 §2, §9).
//!
//! A shape is a table. [`check`] goes through a request once: a member of the wrong JSON type ends
//! it with a `SerializationException`, everything else is gathered into one `ValidationException`.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// How much of a refused value a message repeats, in characters.
const QUOTED_CHARACTERS_MAX: usize = 256;

/// One member of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text(Text),
    OneOf(&'static [&'static str]),
    /// From and to, both included.
    Integer(u64, u64),
    Flag,
    /// Fewest and most items.
    List(usize, usize, &'static Kind),
    Structure(&'static [Member]),
    /// Texts under any names.
    Texts,
    /// Looked at elsewhere.
    Anything,
}

#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub min: usize,
    pub max: usize,
    pub pattern: Option<Pattern>,
}

/// A regular expression of the service's model, and a function that decides the same.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    pub text: &'static str,
    pub matches: fn(&str) -> bool,
}

pub const fn required(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        required: true,
        kind,
    }
}

pub const fn optional(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        required: false,
        kind,
    }
}

pub const fn text(min: usize, max: usize) -> Kind {
    Kind::Text(Text {
        min,
        max,
        pattern: None,
    })
}

pub const fn pattern(
    min: usize,
    max: usize,
    text: &'static str,
    matches: fn(&str) -> bool,
) -> Kind {
    Kind::Text(Text {
        min,
        max,
        pattern: Some(Pattern { text, matches }),
    })
}

/// Pipelines, stages and actions.
pub const NAME: Kind = pattern(1, 100, r"[A-Za-z0-9.@\-_]+", |text| {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b".@-_".contains(&b))
});

pub const UUID: Kind = pattern(
    0,
    usize::MAX,
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    is_uuid,
);

pub const ARN: Kind = pattern(
    0,
    usize::MAX,
    r"arn:aws(-[\w]+)*:codepipeline:.+:[0-9]{12}:.+",
    is_arn,
);

pub const NEXT_TOKEN: Kind = text(1, 2048);

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

fn is_arn(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("arn:aws") else {
        return false;
    };
    let Some((suffixes, rest)) = rest.split_once(":codepipeline:") else {
        return false;
    };
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let suffixes_fit = suffixes.is_empty()
        || suffixes
            .strip_prefix('-')
            .is_some_and(|all| all.split('-').all(is_word));
    // `.+` takes colons too: any twelve digits between two colons will do.
    let parts: Vec<&str> = rest.split(':').collect();
    let account = parts.iter().enumerate().any(|(at, part)| {
        let is_account = part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
        let before = parts[..at].join(":");
        let after = parts.get(at + 1..).map(|rest| rest.join(":"));
        is_account && !before.is_empty() && after.is_some_and(|after| !after.is_empty())
    });
    suffixes_fit && account && !text.contains(['\n', '\r'])
}

/// Checks a request against its shape.
pub fn check(input: &Value, members: &'static [Member]) -> Result<(), ApiError> {
    let Value::Object(map) = input else {
        return Err(wrong_type("the body", input, "an object"));
    };
    let mut found = Vec::new();
    structure(map, members, "", &mut found)?;
    if found.is_empty() {
        return Ok(());
    }
    let errors = if found.len() == 1 { "error" } else { "errors" };
    Err(ApiError::validation(format!(
        "{} validation {errors} detected: {}",
        found.len(),
        found.join("; ")
    )))
}

fn structure(
    map: &Map<String, Value>,
    members: &'static [Member],
    path: &str,
    found: &mut Vec<String>,
) -> Result<(), ApiError> {
    for member in members {
        let path = if path.is_empty() {
            member.name.to_owned()
        } else {
            format!("{path}.{}", member.name)
        };
        match map.get(member.name) {
            // `null` is absent (spec 10 §1).
            None | Some(Value::Null) => {
                if member.required {
                    found.push(format!(
                        "Value null at '{path}' failed to satisfy constraint: \
                         Member must not be null"
                    ));
                }
            }
            Some(value) => one(value, &member.kind, &path, found)?,
        }
    }
    Ok(())
}

fn one(
    value: &Value,
    kind: &'static Kind,
    path: &str,
    found: &mut Vec<String>,
) -> Result<(), ApiError> {
    match (kind, value) {
        (Kind::Text(text), Value::String(value)) => {
            found.extend(broken(text, value).map(|rule| refusal(value, path, &rule)));
        }
        (Kind::OneOf(known), Value::String(value)) => {
            if !known.contains(&value.as_str()) {
                let known = known.join(", ");
                let rule = format!("Member must satisfy enum value set: [{known}]");
                found.push(refusal(value, path, &rule));
            }
        }
        (Kind::Integer(from, to), Value::Number(number)) => {
            let Some(integer) = whole(number) else {
                return Err(wrong_type(path, value, "an integer"));
            };
            let rule = if integer < i128::from(*from) {
                format!("Member must have value greater than or equal to {from}")
            } else if integer > i128::from(*to) {
                format!("Member must have value less than or equal to {to}")
            } else {
                return Ok(());
            };
            found.push(refusal(&integer.to_string(), path, &rule));
        }
        (Kind::Flag, Value::Bool(_)) | (Kind::Anything, _) => {}
        (Kind::List(min, max, item), Value::Array(items)) => {
            let rule = if items.len() < *min {
                Some(format!(
                    "Member must have length greater than or equal to {min}"
                ))
            } else if items.len() > *max {
                Some(format!(
                    "Member must have length less than or equal to {max}"
                ))
            } else {
                None
            };
            if let Some(rule) = rule {
                let message = format!("Value at '{path}' failed to satisfy constraint: {rule}");
                found.push(message);
                return Ok(());
            }
            for (at, value) in items.iter().enumerate() {
                one(value, item, &format!("{path}.{}.member", at + 1), found)?;
            }
        }
        (Kind::Structure(members), Value::Object(map)) => structure(map, members, path, found)?,
        (Kind::Texts, Value::Object(map)) => {
            if let Some((key, value)) = map.iter().find(|(_, value)| !value.is_string()) {
                return Err(wrong_type(&format!("{path}.{key}"), value, "a string"));
            }
        }
        (kind, value) => return Err(wrong_type(path, value, kind.what())),
    }
    Ok(())
}

/// A number without a fraction.
fn whole(number: &serde_json::Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

fn broken(text: &Text, value: &str) -> Option<String> {
    let length = value.chars().count();
    if length < text.min {
        let min = text.min;
        return Some(format!(
            "Member must have length greater than or equal to {min}"
        ));
    }
    if length > text.max {
        let max = text.max;
        return Some(format!(
            "Member must have length less than or equal to {max}"
        ));
    }
    let pattern = text.pattern.filter(|pattern| !(pattern.matches)(value))?;
    Some(format!(
        "Member must satisfy regular expression pattern: {}",
        pattern.text
    ))
}

fn refusal(value: &str, path: &str, rule: &str) -> String {
    let value = match value.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    };
    format!("Value '{value}' at '{path}' failed to satisfy constraint: {rule}")
}

fn wrong_type(path: &str, value: &Value, expected: &str) -> ApiError {
    let what = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ApiError::serialization(format!("{path} is {what}, where {expected} is expected"))
}

impl Kind {
    fn what(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::OneOf(_) => "a string",
            Self::Integer(..) => "an integer",
            Self::Flag => "a boolean",
            Self::List(..) => "a list",
            Self::Structure(_) | Self::Texts => "an object",
            Self::Anything => "anything",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static COLOUR: Kind = Kind::OneOf(&["RED", "BLUE"]);
    static INNER: [Member; 1] = [required("id", UUID)];
    static SHAPE: [Member; 6] = [
        required("name", NAME),
        optional("count", Kind::Integer(1, 100)),
        optional("flag", Kind::Flag),
        optional("colours", Kind::List(1, 2, &COLOUR)),
        optional("inner", Kind::Structure(&INNER)),
        optional("map", Kind::Texts),
    ];

    fn told(input: &Value) -> String {
        match check(input, &SHAPE) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{}: {}", error.exception, error.message),
        }
    }

    #[test]
    fn what_fits_passes_and_what_is_not_known_is_passed_over() {
        let input = json!({"name": "a.b@c-d_e", "count": 1, "flag": false, "colours": ["RED"],
            "inner": {"id": "5b1f6f0e-54f7-4c0a-9d58-1d7b8f4c2a11"}, "map": {"a": "b"}, "new": 1});
        assert_eq!(told(&input), "fine");
        assert_eq!(
            told(&json!({"name": "a", "count": null, "flag": null})),
            "fine"
        );
    }

    #[test]
    fn every_violation_is_told_in_one_error() {
        let input = json!({"count": 101, "colours": ["GREEN"], "inner": {}});
        expect_test::expect![[r"
            ValidationException: 4 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value '101' at 'count' failed to satisfy constraint: Member must have value less than or equal to 100; Value 'GREEN' at 'colours.1.member' failed to satisfy constraint: Member must satisfy enum value set: [RED, BLUE]; Value null at 'inner.id' failed to satisfy constraint: Member must not be null"]]
        .assert_eq(&told(&input));
        let long = "n".repeat(101);
        for (input, rule) in [
            (json!({"name": ""}), "length greater than or equal to 1"),
            (json!({"name": long}), "length less than or equal to 100"),
            (json!({"name": "a b"}), r"pattern: [A-Za-z0-9.@\-_]+"),
            (
                json!({"name": "a", "count": 0}),
                "value greater than or equal to 1",
            ),
            (
                json!({"name": "a", "count": -3}),
                "value greater than or equal to 1",
            ),
            (
                json!({"name": "a", "colours": []}),
                "length greater than or equal to 1",
            ),
            (
                json!({"name": "a", "colours": ["RED", "RED", "RED"]}),
                "length less than or equal to 2",
            ),
        ] {
            let told = told(&input);
            assert!(
                told.starts_with("ValidationException: 1 validation error"),
                "{told}"
            );
            assert!(told.contains(rule), "{told}");
        }
    }

    #[test]
    fn a_wrong_json_type_is_told_first() {
        for input in [
            json!([]),
            json!({"name": 1}),
            json!({"name": "a", "count": "1"}),
            json!({"name": "a", "count": 1.5}),
            json!({"name": "a", "flag": "true"}),
            json!({"name": "a", "colours": {}}),
            json!({"name": "a", "colours": [1]}),
            json!({"name": "a", "inner": []}),
            json!({"name": "a", "map": {"a": 1}}),
        ] {
            let told = told(&input);
            assert!(
                told.starts_with("SerializationException"),
                "{input}: {told}"
            );
        }
    }

    #[test]
    fn an_arn_is_of_codepipeline() {
        for good in [
            "arn:aws:codepipeline:us-east-1:000000000000:web",
            "arn:aws-cn:codepipeline:cn-north-1:000000000000:web",
            "arn:aws:codepipeline:a:b:000000000000:actiontype:Custom/Build/x/1",
        ] {
            assert!(is_arn(good), "{good}");
        }
        for bad in [
            "arn:aws:s3:::web",
            "arn:aws:codepipeline::000000000000:web",
            "arn:aws:codepipeline:us-east-1:0000:web",
            "arn:aws:codepipeline:us-east-1:000000000000:",
            "arn:aws-:codepipeline:us-east-1:000000000000:web",
            "x",
        ] {
            assert!(!is_arn(bad), "{bad}");
        }
        assert!(!is_uuid("5B1F6F0E-54f7-4c0a-9d58-1d7b8f4c2a11"));
        assert!(!is_uuid("5b1f6f0e54f74c0a9d581d7b8f4c2a11"));
    }
}
