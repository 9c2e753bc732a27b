//! Another matcher, as simple as can be: it makes of an event with lists all events without, one
//! for each way to take one item of each list, and looks whether one of them fits.

use serde_json::{Map, Value};

pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    worlds(event)
        .iter()
        .any(|world| object(pattern, world.as_ref()))
}

fn worlds(value: &Value) -> Vec<Option<Value>> {
    match value {
        Value::Array(list) if list.iter().all(|item| worlds(item) == [None]) => vec![None],
        Value::Array(list) => list.iter().flat_map(worlds).flatten().map(Some).collect(),
        Value::Object(fields) => {
            let mut all = vec![Map::new()];
            for (name, value) in fields {
                let choices = worlds(value);
                all = all
                    .into_iter()
                    .flat_map(|one| {
                        choices.iter().map(move |choice| {
                            let mut one = one.clone();
                            one.extend(choice.clone().map(|value| (name.clone(), value)));
                            one
                        })
                    })
                    .collect();
            }
            all.into_iter()
                .map(|fields| Some(Value::Object(fields)))
                .collect()
        }
        other => vec![Some(other.clone())],
    }
}

fn object(pattern: &Value, event: Option<&Value>) -> bool {
    pattern
        .as_object()
        .expect("it was read")
        .iter()
        .all(|(name, wanted)| {
            if name == "$or" {
                let choices = wanted.as_array().expect("it was read");
                return choices.iter().any(|choice| object(choice, event));
            }
            let value = event.and_then(|event| event.get(name));
            match wanted {
                Value::Array(any) => {
                    let leaf = value.filter(|value| !value.is_object());
                    any.iter().any(|one| leaf_fits(one, leaf))
                }
                below => object(below, value),
            }
        })
}

fn leaf_fits(wanted: &Value, value: Option<&Value>) -> bool {
    let Value::Object(matcher) = wanted else {
        return match (wanted.as_f64(), value.and_then(Value::as_f64)) {
            (Some(_), Some(_)) if wanted.is_u64() && value.is_some_and(Value::is_u64) => {
                Some(wanted) == value
            }
            (Some(one), Some(other)) => (one - other).abs() < f64::EPSILON,
            _ => Some(wanted) == value,
        };
    };
    let (name, operand) = matcher.iter().next().expect("it was read");
    if name == "exists" {
        return operand == &Value::Bool(value.is_some());
    }
    let Some(value) = value else { return false };
    let text = value.as_str();
    let low = |value: &Value| value.as_str().expect("a text").to_lowercase();
    let plain = |value: &Value| value.as_str().map(str::to_owned).expect("a text");
    match name.as_str() {
        "prefix" => text.is_some_and(|text| match operand.get("equals-ignore-case") {
            Some(folded) => text.to_lowercase().starts_with(&low(folded)),
            None => text.starts_with(&plain(operand)),
        }),
        "suffix" => text.is_some_and(|text| match operand.get("equals-ignore-case") {
            Some(folded) => text.to_lowercase().ends_with(&low(folded)),
            None => text.ends_with(&plain(operand)),
        }),
        "equals-ignore-case" => text.is_some_and(|text| text.to_lowercase() == low(operand)),
        "wildcard" => text.is_some_and(|text| wild(&letters(text), &letters(&plain(operand)))),
        "anything-but" => match operand {
            Value::Array(list) => !list.iter().any(|one| leaf_fits(one, Some(value))),
            Value::Object(inner) => {
                let (name, operand) = inner.iter().next().expect("it was read");
                let each = operand.as_array().cloned().unwrap_or(vec![operand.clone()]);
                !each.iter().any(|one| {
                    let matcher =
                        Value::Object([(name.clone(), one.clone())].into_iter().collect());
                    leaf_fits(&matcher, Some(value))
                })
            }
            one => !leaf_fits(one, Some(value)),
        },
        "numeric" => value.as_f64().is_some_and(|value| {
            operand.as_array().expect("a list").chunks(2).all(|pair| {
                let than = pair[1].as_f64().expect("a number");
                match pair[0].as_str().expect("a text") {
                    "=" => (value - than).abs() < f64::EPSILON,
                    "<" => value < than,
                    "<=" => value <= than,
                    ">" => value > than,
                    _ => value >= than,
                }
            })
        }),
        "cidr" => text.is_some_and(|text| in_range(text, &plain(operand))),
        other => panic!("{other}"),
    }
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn wild(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| wild(&text[skip..], rest)),
        ['\\', letter, rest @ ..] | [letter, rest @ ..] => {
            text.first() == Some(letter) && wild(&text[1..], rest)
        }
    }
}

fn in_range(text: &str, range: &str) -> bool {
    let bits = |address: std::net::IpAddr| -> Vec<bool> {
        let bytes = match address {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        let each = bytes.into_iter();
        each.flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0))
            .collect()
    };
    let (network, length) = range.split_once('/').expect("it was read");
    let Ok(address) = text.parse() else {
        return false;
    };
    let (one, other) = (bits(address), bits(network.parse().expect("it was read")));
    let length: usize = length.parse().expect("it was read");
    one.len() == other.len() && one[..length] == other[..length]
}
