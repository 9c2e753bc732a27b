//! Reading a policy document: all of it is understood, or it is refused with the place and the reason.

use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Condition, Effect, Operator, POLICY_BYTES_MAX, Patterns, Policy, Quantifier, STATEMENTS_MAX,
    Statement,
    condition::{Network, boolean},
};

/// The version of IAM's language that this is.
const VERSION: &str = "2012-10-17";

/// Why a document is not a policy: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {what}")]
pub struct PolicyError {
    /// `Statement[0].Condition`
    pub place: String,
    pub what: String,
}

fn wrong<T>(place: &str, what: impl Into<String>) -> Result<T, PolicyError> {
    Err(PolicyError {
        place: place.to_owned(),
        what: what.into(),
    })
}

impl Policy {
    /// Reads a document.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return wrong(
                "policy",
                format!("it is longer than {POLICY_BYTES_MAX} bytes"),
            );
        }
        let document: Value = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => return wrong("policy", format!("it is not JSON: {error}")),
        };
        let fields = object("policy", &document, &["Version", "Id", "Statement"])?;
        match fields.get("Version") {
            Some(Value::String(version)) if version == VERSION => {}
            _ => return wrong("Version", format!("it must be \"{VERSION}\"")),
        }
        let statements = match fields.get("Statement") {
            Some(Value::Array(statements)) => statements.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => return wrong("Statement", "it must be a statement or a list of them"),
        };
        if statements.len() > STATEMENTS_MAX {
            return wrong("Statement", format!("there are more than {STATEMENTS_MAX}"));
        }
        let read = statements
            .iter()
            .enumerate()
            .map(|(at, value)| statement(&format!("Statement[{at}]"), value));
        Ok(Self {
            statements: read.collect::<Result<_, _>>()?,
        })
    }
}

fn object<'a>(
    place: &str,
    value: &'a Value,
    known: &[&str],
) -> Result<&'a Map<String, Value>, PolicyError> {
    let Value::Object(fields) = value else {
        return wrong(place, "it must be an object");
    };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => wrong(
            place,
            format!(
                "`{unknown}` is not known here; there may be {}",
                known.join(", ")
            ),
        ),
        None => Ok(fields),
    }
}

fn statement(place: &str, value: &Value) -> Result<Statement, PolicyError> {
    const KNOWN: [&str; 7] = [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let fields = object(place, value, &KNOWN)?;
    let sid = match fields.get("Sid") {
        None => None,
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return wrong(&format!("{place}.Sid"), "it must be a string"),
    };
    let effect = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => {
            return wrong(
                &format!("{place}.Effect"),
                "it must be \"Allow\" or \"Deny\"",
            );
        }
    };
    let mut conditions = Vec::new();
    if let Some(condition) = fields.get("Condition") {
        let place = format!("{place}.Condition");
        let Value::Object(operators) = condition else {
            return wrong(&place, "it must be an object of operators");
        };
        for (operator, keys) in operators {
            let place = format!("{place}.{operator}");
            let Value::Object(keys) = keys else {
                return wrong(&place, "it must be an object of condition keys");
            };
            for (key, values) in keys {
                conditions.push(self::condition(&place, operator, key, values)?);
            }
        }
    }
    let actions = patterns(place, fields, "Action", "NotAction")?;
    for pattern in &actions.patterns {
        if pattern != "*" && !pattern.contains(':') {
            let what = format!("`{pattern}` must be \"*\" or have the form service:Operation");
            return wrong(&format!("{place}.Action"), what);
        }
    }
    Ok(Statement {
        sid,
        effect,
        actions,
        resources: patterns(place, fields, "Resource", "NotResource")?,
        conditions,
    })
}

fn patterns(
    place: &str,
    fields: &Map<String, Value>,
    name: &str,
    inverted_name: &str,
) -> Result<Patterns, PolicyError> {
    let (name, value, inverted) = match (fields.get(name), fields.get(inverted_name)) {
        (Some(value), None) => (name, value, false),
        (None, Some(value)) => (inverted_name, value, true),
        _ => {
            let what = format!("there must be one of {name} and {inverted_name}");
            return wrong(place, what);
        }
    };
    let patterns = strings(&format!("{place}.{name}"), value)?;
    Ok(Patterns { inverted, patterns })
}

/// A string, or a list of strings that is not empty. Booleans and numbers may stand for their text,
/// as IAM lets them.
fn strings(place: &str, value: &Value) -> Result<Vec<String>, PolicyError> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let all = match value {
        Value::Array(values) => values.iter().map(one).collect::<Option<Vec<_>>>(),
        value => one(value).map(|one| vec![one]),
    };
    match all.filter(|all| !all.is_empty()) {
        Some(all) => Ok(all),
        None => wrong(place, "it must be a string or a list of strings"),
    }
}

/// An operator's quantifier, its name, and whether a key may be absent.
fn parts<'a>(place: &str, operator: &'a str) -> Result<(Quantifier, &'a str, bool), PolicyError> {
    let (quantifier, rest) = match operator.split_once(':') {
        Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
        Some(("ForAllValues", rest)) => (Quantifier::All, rest),
        Some(_) => return wrong(place, "this operator is not supported"),
        None => (Quantifier::Any, operator),
    };
    Ok(match rest.strip_suffix("IfExists") {
        Some(name) => (quantifier, name, true),
        None => (quantifier, rest, false),
    })
}

fn condition(
    place: &str,
    operator: &str,
    key: &str,
    values: &Value,
) -> Result<Condition, PolicyError> {
    let (quantifier, name, if_exists) = parts(place, operator)?;
    let place = format!("{place}.{key}");
    let values = strings(&place, values)?;
    if let Some(variable) = values.iter().find(|value| value.contains("${")) {
        return wrong(
            &place,
            format!("policy variables are not supported: `{variable}`"),
        );
    }
    let networks = || {
        let read: Option<Vec<_>> = values.iter().map(|value| Network::read(value)).collect();
        match read {
            Some(networks) => Ok(networks),
            None => wrong(
                &place,
                "each value must be an address or a network such as 10.0.0.0/8",
            ),
        }
    };
    let single = || match values.as_slice() {
        [value] => Ok(value.as_str()),
        _ => wrong(&place, "there must be one value"),
    };
    let truth = || match boolean(single()?) {
        Some(value) => Ok(value),
        None => wrong(&place, "the value must be true or false"),
    };
    let date = || match single()?.parse() {
        Ok(date) => Ok(date),
        Err(_) => wrong(
            &place,
            "the value must be a date such as 2026-11-21T08:00:00Z",
        ),
    };
    let operator = match name {
        "StringEquals" => Operator::StringEquals(values),
        "StringNotEquals" => Operator::StringNotEquals(values),
        "StringEqualsIgnoreCase" => Operator::StringEqualsIgnoreCase(values),
        "StringLike" | "ArnLike" | "ArnEquals" => Operator::StringLike(values),
        "StringNotLike" | "ArnNotLike" => Operator::StringNotLike(values),
        "Bool" => Operator::Bool(truth()?),
        "IpAddress" => Operator::IpAddress(networks()?),
        "NotIpAddress" => Operator::NotIpAddress(networks()?),
        "DateLessThan" => Operator::DateLessThan(date()?),
        "DateGreaterThan" => Operator::DateGreaterThan(date()?),
        "Null" if !if_exists => Operator::Null(truth()?),
        _ => return wrong(&place, format!("operator `{operator}` is not supported")),
    };
    Ok(Condition {
        quantifier,
        if_exists,
        key: key.to_ascii_lowercase(),
        operator,
    })
}
