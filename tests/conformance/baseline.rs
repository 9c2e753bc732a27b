//! What the clients saw before, and what may not get lost of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// What is a list of words in the results of an operation.
const LISTS: [&str; 3] = ["clients", "errors", "fields"];

fn words(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned));
    texts.collect()
}

fn operations(results: &Value) -> impl Iterator<Item = (&String, &Value)> {
    results["operations"].as_object().into_iter().flatten()
}

/// Every word of the baseline that the results do not have any more.
pub(crate) fn lost(known: &Value, results: &Value) -> Vec<String> {
    let mut lost = Vec::new();
    for (operation, before) in operations(known) {
        let now = &results["operations"][operation];
        for list in LISTS {
            let gone = &words(&before[list]) - &words(&now[list]);
            lost.extend(
                gone.iter()
                    .map(|word| format!("{operation} {list}: {word}")),
            );
        }
        let count = |of: &Value| of["constraints"].as_u64().unwrap_or(0);
        let (before, now) = (count(before), count(now));
        if now < before {
            lost.push(format!(
                "{operation} constraints: {now} instead of {before}"
            ));
        }
    }
    lost
}

/// The results with everything that the baseline had.
pub(crate) fn grown(known: &Value, mut results: Value) -> Value {
    for (operation, before) in operations(known) {
        for list in LISTS {
            let found = &mut results["operations"][operation][list];
            *found = json!(&words(&before[list]) | &words(found));
        }
    }
    results
}

#[test]
fn a_word_that_is_gone_is_lost_and_a_new_one_is_kept() {
    let of = |clients: &[&str], constraints: u64| {
        json!({"operations": {"GetPipeline": {
            "clients": clients, "errors": ["E"], "fields": [], "constraints": constraints,
        }}})
    };
    let known = of(&["boto3"], 7);
    assert_eq!(lost(&json!({}), &known), Vec::<String>::new());
    assert_eq!(
        lost(&known, &of(&["aws", "boto3"], 8)),
        Vec::<String>::new()
    );
    assert_eq!(
        lost(&known, &of(&["aws"], 6)),
        [
            "GetPipeline clients: boto3",
            "GetPipeline constraints: 6 instead of 7"
        ]
    );
    assert_eq!(lost(&known, &json!({})).len(), 3);
    let grown = grown(&known, of(&["aws"], 7));
    assert_eq!(
        grown["operations"]["GetPipeline"]["clients"],
        json!(["aws", "boto3"])
    );
}
