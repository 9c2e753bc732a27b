//! A second evaluator, simple and slow: it works on the JSON itself, backtracks, and asks each
//! question in words.

use std::{collections::BTreeMap, net::IpAddr};

use proptest::prelude::*;
use serde_json::{Value, json};

type Context = BTreeMap<String, Vec<String>>;

pub(super) fn decide(
    statements: &[Value],
    action: &str,
    resource: &str,
    context: &Context,
) -> &'static str {
    let applying = |effect: &str| {
        statements
            .iter()
            .filter(|s| s["Effect"] == effect)
            .any(|s| applies(s, effect == "Deny", action, resource, context))
    };
    if applying("Deny") {
        "Denied"
    } else if applying("Allow") {
        "Allowed"
    } else {
        "NotAllowed"
    }
}

fn applies(
    statement: &Value,
    in_doubt: bool,
    action: &str,
    resource: &str,
    context: &Context,
) -> bool {
    let named =
        |name: &str, inverted: &str, matches: &dyn Fn(&str) -> bool| match statement.get(name) {
            Some(value) => list(value).iter().any(|p| matches(p)),
            None => !list(&statement[inverted]).iter().any(|p| matches(p)),
        };
    let lower = action.to_lowercase();
    if !named("Action", "NotAction", &|p| {
        like(p.to_lowercase().as_bytes(), lower.as_bytes())
    }) {
        return false;
    }
    if !named("Resource", "NotResource", &|p| {
        like(p.as_bytes(), resource.as_bytes())
    }) {
        return false;
    }
    let Some(conditions) = statement.get("Condition").and_then(Value::as_object) else {
        return true;
    };
    conditions.iter().all(|(operator, keys)| {
        let keys = keys.as_object().expect("an object");
        keys.iter().all(|(key, given)| {
            let values = context
                .get(&key.to_lowercase())
                .cloned()
                .unwrap_or_default();
            holds(operator, &values, &list(given)).unwrap_or(in_doubt)
        })
    })
}

fn holds(operator: &str, values: &[String], given: &[String]) -> Option<bool> {
    let all = operator.starts_with("ForAllValues:");
    let operator = operator
        .trim_start_matches("ForAllValues:")
        .trim_start_matches("ForAnyValue:");
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    if operator == "Null" {
        return Some(values.is_empty() == (given[0] == "true"));
    }
    let negative = operator.contains("Not");
    if values.is_empty() {
        return Some(if_exists || all || negative);
    }
    let outcomes: Vec<Option<bool>> = values.iter().map(|v| one(operator, v, given)).collect();
    let every = all || negative;
    if every && outcomes.contains(&Some(false)) {
        Some(false)
    } else if !every && outcomes.contains(&Some(true)) {
        Some(true)
    } else if outcomes.contains(&None) {
        None
    } else {
        Some(every)
    }
}

fn one(operator: &str, value: &str, given: &[String]) -> Option<bool> {
    let positive = operator.replace("Not", "");
    let found = match positive.as_str() {
        "StringEquals" => given.iter().any(|g| g == value),
        "StringLike" => given.iter().any(|g| like(g.as_bytes(), value.as_bytes())),
        "Bool" if value == "true" || value == "false" => given[0] == value,
        "Bool" => return None,
        "IpAddress" => {
            let address: IpAddr = value.parse().ok()?;
            given.iter().any(|g| within(g, address))
        }
        other => panic!("{other} is not drawn"),
    };
    Some(found != operator.contains("Not"))
}

/// Compares networks as texts of bits.
fn within(network: &str, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => format!("4{:032b}", u32::from(v4)),
        IpAddr::V6(v6) => format!("6{:0128b}", u128::from(v6)),
    };
    let (base, length) = network
        .split_once('/')
        .expect("networks are drawn with their length");
    let length = 1 + length.parse::<usize>().expect("a number");
    let base = bits(base.parse().expect("an address"));
    bits(address)[..length.min(33)] == base[..length.min(33)]
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            like(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| like(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => like(rest, text),
        (Some((p, rest)), Some((t, text))) => p == t && like(rest, text),
        _ => false,
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values
            .iter()
            .map(|v| v.as_str().expect("text").to_owned())
            .collect(),
        Value::String(text) => vec![text.clone()],
        other => panic!("{other} is not drawn"),
    }
}

/// Few words, so that they meet.
fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "aB", "A", ""]).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    "[ab*?]{0,4}"
}

fn patterns(name: &'static str) -> impl Strategy<Value = (String, Value)> {
    let prefix = if name == "Action" { "s:" } else { "" };
    (any::<bool>(), prop::collection::vec(pattern(), 1..3)).prop_map(move |(inverted, patterns)| {
        let name = if inverted {
            format!("Not{name}")
        } else {
            name.to_owned()
        };
        let patterns: Vec<_> = patterns.iter().map(|p| format!("{prefix}{p}")).collect();
        (name, json!(patterns))
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let quantifier = prop::sample::select(vec!["", "ForAnyValue:", "ForAllValues:"]);
    let if_exists = prop::sample::select(vec!["", "IfExists"]);
    let text = prop::sample::select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
    ]);
    let networks = prop::sample::select(vec!["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"]);
    let truth = prop::sample::select(vec!["true", "false"]);
    let parts = prop_oneof![
        (text, prop::collection::vec(pattern(), 1..3)).prop_map(|(o, v)| (o, "Word", json!(v))),
        truth.clone().prop_map(|v| ("Bool", "Truth", json!(v))),
        (
            prop::sample::select(vec!["IpAddress", "NotIpAddress"]),
            networks
        )
            .prop_map(|(o, v)| (o, "Address", json!([v]))),
    ];
    let plain = (quantifier, if_exists, parts)
        .prop_map(|(q, e, (o, key, values))| json!({format!("{q}{o}{e}"): {key: values}}));
    let null = truth.prop_map(|v| json!({"Null": {"Word": v}}));
    prop_oneof![4 => plain, 1 => null, 2 => Just(json!({}))]
}

pub(super) fn statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    (effect, patterns("Action"), patterns("Resource"), condition()).prop_map(
        |(effect, action, resource, condition)| {
            json!({"Effect": effect, action.0: action.1, resource.0: resource.1, "Condition": condition})
        },
    )
}

pub(super) fn request() -> impl Strategy<Value = (String, String, Context)> {
    let values = |of: Vec<&'static str>| {
        prop::collection::vec(prop::sample::select(of).prop_map(str::to_owned), 0..3)
    };
    let words = prop::collection::vec(word(), 0..3);
    let truths = values(vec!["true", "false", "maybe"]);
    let addresses = values(vec!["10.1.2.3", "10.2.2.3", "11.1.2.3", "here"]);
    (word(), word(), words, truths, addresses).prop_map(|(action, resource, w, t, a)| {
        let pairs = [("word", w), ("truth", t), ("address", a)];
        let context = pairs
            .into_iter()
            .map(|(key, values)| (key.to_owned(), values))
            .collect();
        (format!("s:{action}"), resource, context)
    })
}
