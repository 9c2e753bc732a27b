//! Random patterns and events: both matchers say the same of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{pattern, reference};
use crate::pattern::Pattern;

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    "[abAB*]{0,3}"
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        2 => (-2..3_i64).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!(true), json!(0.5), json!(1.0), json!("10.0.0.1")]),
    ]
}

fn any_event() -> impl Strategy<Value = Value> {
    let value = leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(name(), value, 0..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn any_matcher() -> impl Strategy<Value = Value> {
    let wild = text().prop_map(|text| text.replace("**", "*").replace("**", "*"));
    let but = prop_oneof![
        text().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        prop::collection::vec(text(), 1..3).prop_map(Value::from),
        "[ab]{1,2}".prop_map(|text| json!({"prefix": [text]})),
        "[ab]{1,2}".prop_map(|text| json!({ "suffix": text })),
        "[abAB]{1,2}".prop_map(|text| json!({ "equals-ignore-case": text })),
        "[ab]?[*][ab]?".prop_map(|text| json!({ "wildcard": text })),
    ];
    prop_oneof![
        4 => leaf(),
        1 => text().prop_map(|text| json!({ "prefix": text })),
        1 => text().prop_map(|text| json!({"suffix": {"equals-ignore-case": text}})),
        1 => text().prop_map(|text| json!({ "equals-ignore-case": text })),
        2 => wild.prop_map(|text| json!({ "wildcard": text })),
        2 => but.prop_map(|but| json!({ "anything-but": but })),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => (-2..1_i64, 1..3_i64).prop_map(|(low, high)| json!({"numeric": [">=", low, "<", high]})),
        1 => Just(json!({"cidr": "10.0.0.0/31"})),
    ]
}

fn any_pattern() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(any_matcher(), 1..3).prop_map(Value::from);
    let object = |fields: BTreeMap<String, Value>| Value::Object(fields.into_iter().collect());
    let below = leaf.prop_recursive(2, 8, 2, move |inner| {
        let fields = prop::collection::btree_map(name(), inner, 1..3)
            .prop_map(object)
            .boxed();
        prop_oneof![
            2 => fields.clone(),
            1 => prop::collection::vec(fields, 1..3).prop_map(|choices| json!({"$or": choices})),
        ]
    });
    let top = prop::collection::btree_map(name(), below, 1..3)
        .prop_map(object)
        .boxed();
    (
        top.clone(),
        prop::option::of(prop::collection::vec(top, 1..3)),
    )
        .prop_map(|(mut top, choices)| {
            if let (Some(choices), Some(top)) = (choices, top.as_object_mut()) {
                top.insert("$or".to_owned(), Value::from(choices));
            }
            top
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_matchers_agree(wanted in any_pattern(), event in any_event()) {
        let pattern = pattern(&wanted);
        prop_assert_eq!(pattern.matches(&event), reference::matches(&wanted, &event));
    }

    #[test]
    fn reading_any_json_ends_in_a_pattern_or_a_reason(value in any_event()) {
        if let Err(refused) = Pattern::read(&value) {
            prop_assert!(!refused.is_empty());
        }
    }
}
