//! A difference between two declarations of one pipeline, in the words of the declaration: which
//! stage, which action, which field.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::terminal::harmless;

/// Values that stand for a secret: what is behind them is not known here.
const MASKS: [&str; 2] = ["****", "*****"];
/// The longest value that is shown whole.
const SHOWN_CHARACTERS_MAX: usize = 60;
/// How much of what both sides share is shown before the first difference of long values.
const SHARED_CHARACTERS: usize = 20;
/// How deep values are compared field by field.
const DEPTH_MAX: usize = 16;

/// What happened to one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `Deploy/migrate`, `variables/Environment`, or nothing for the pipeline itself.
    pub place: String,
    /// The field of it, `configuration.ProjectName`; none when all of it came or went.
    pub field: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Difference {
    /// `~ Deploy/migrate  runOrder: 2 → 1`
    pub fn line(&self) -> String {
        let place = if self.place.is_empty() {
            "pipeline"
        } else {
            &self.place
        };
        let field = self.field.as_deref();
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                let (before, after) = shown_both(before, after);
                format!("~ {place}  {}: {before} → {after}", field.unwrap_or("all"))
            }
            (None, Some(after)) => match field {
                Some(field) => format!("+ {place}  {field}: {}", shown(after)),
                None => format!("+ {place}"),
            },
            (Some(before), None) => match field {
                Some(field) => format!("- {place}  {field}: {}", shown(before)),
                None => format!("- {place}"),
            },
            (None, None) => format!("~ {place}"),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "place": self.place,
            "field": self.field,
            "before": self.before,
            "after": self.after,
        })
    }
}

fn text(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => text.clone(),
        other => other.to_string(),
    };
    harmless(&text)
}

fn shown(value: &Value) -> String {
    crate::plan::cut(&text(value), SHOWN_CHARACTERS_MAX)
}

/// Both sides, where they are too long from a little before the place where they differ.
fn shown_both(before: &Value, after: &Value) -> (String, String) {
    let (before, after) = (text(before), text(after));
    let is_long = |text: &str| text.chars().count() > SHOWN_CHARACTERS_MAX;
    let same = before.chars().zip(after.chars());
    let same = same.take_while(|(before, after)| before == after).count();
    let skipped = if is_long(&before) || is_long(&after) {
        same.saturating_sub(SHARED_CHARACTERS)
    } else {
        0
    };
    let from_there = |text: &str| {
        if skipped == 0 {
            return crate::plan::cut(text, SHOWN_CHARACTERS_MAX);
        }
        let rest: String = text.chars().skip(skipped).collect();
        format!("…{}", crate::plan::cut(&rest, SHOWN_CHARACTERS_MAX - 1))
    };
    (from_there(&before), from_there(&after))
}

/// What must happen to `before`, a declaration as JSON, for it to become `after`; in the order of
/// the declaration. The version is the server's own and no difference.
pub fn between(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    let is_own = |key: &str| !matches!(key, "version" | "stages" | "variables");
    fields(&mut found, "", before, after, &is_own);
    let at = |declaration: &Value, key: &str| declaration.get(key).cloned().unwrap_or_default();
    lists(
        &mut found,
        "variables/",
        &at(before, "variables"),
        &at(after, "variables"),
        &|found, place, before, after| fields(found, place, before, after, &|_| true),
    );
    let (old, new) = (at(before, "stages"), at(after, "stages"));
    lists(
        &mut found,
        "",
        &old,
        &new,
        &|found, place, before, after| {
            fields(found, place, before, after, &|key| key != "actions");
            let (old, new) = (at(before, "actions"), at(after, "actions"));
            let within = format!("{place}/");
            lists(
                found,
                &within,
                &old,
                &new,
                &|found, place, before, after| {
                    fields(found, place, before, after, &|_| true);
                },
            );
        },
    );
    found
}

type Compare<'a> = &'a dyn Fn(&mut Vec<Difference>, &str, &Value, &Value);

/// Compares two lists of things that have names.
fn lists(found: &mut Vec<Difference>, prefix: &str, old: &Value, new: &Value, same: Compare<'_>) {
    let none = Vec::new();
    let old = old.as_array().unwrap_or(&none);
    let new = new.as_array().unwrap_or(&none);
    let name = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
    let find = |list: &[Value], wanted: &str| list.iter().position(|item| name(item) == wanted);
    for item in old {
        if find(new, &name(item)).is_none() {
            found.push(whole(prefix, &name(item), Some(item), None));
        }
    }
    let kept = |list: &[Value], other: &[Value]| -> Vec<String> {
        let names = list.iter().map(&name);
        names.filter(|name| find(other, name).is_some()).collect()
    };
    let (before, after) = (kept(old, new), kept(new, old));
    for item in new {
        let name = name(item);
        let Some(at) = find(old, &name) else {
            found.push(whole(prefix, &name, None, Some(item)));
            continue;
        };
        let place = format!("{prefix}{name}");
        if moved(&before, &after).contains(&name) {
            let after_which = |list: &[String]| {
                let at = list.iter().position(|other| *other == name).unwrap_or(0);
                let previous = at.checked_sub(1).and_then(|at| list.get(at));
                json!(previous.map_or("first".to_owned(), |name| format!("after {name}")))
            };
            found.push(Difference {
                place: place.clone(),
                field: Some("position".to_owned()),
                before: Some(after_which(&before)),
                after: Some(after_which(&after)),
            });
        }
        same(found, &place, &old[at], item);
    }
}

/// The fewest names, more or less, that have to move for one order to become the other.
fn moved(before: &[String], after: &[String]) -> BTreeSet<String> {
    let (mut before, mut after) = (before.to_vec(), after.to_vec());
    let mut moved = BTreeSet::new();
    // Whatever is furthest from its place is taken out, until the rest is in order.
    while before != after {
        let distance = |name: &String| {
            let of = |list: &[String]| list.iter().position(|other| other == name).unwrap_or(0);
            of(&before).abs_diff(of(&after))
        };
        let Some(furthest) = after.iter().max_by_key(|name| distance(name)).cloned() else {
            break;
        };
        before.retain(|name| *name != furthest);
        after.retain(|name| *name != furthest);
        moved.insert(furthest);
    }
    moved
}

fn whole(prefix: &str, name: &str, before: Option<&Value>, after: Option<&Value>) -> Difference {
    Difference {
        place: format!("{prefix}{name}"),
        field: None,
        before: before.cloned(),
        after: after.cloned(),
    }
}

fn fields(
    found: &mut Vec<Difference>,
    place: &str,
    before: &Value,
    after: &Value,
    wanted: &dyn Fn(&str) -> bool,
) {
    let none = Map::new();
    let before = before.as_object().unwrap_or(&none);
    let after = after.as_object().unwrap_or(&none);
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys.into_iter().filter(|key| wanted(key)) {
        values(found, place, key, before.get(key), after.get(key), 0);
    }
}

fn values(
    found: &mut Vec<Difference>,
    place: &str,
    field: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    depth: usize,
) {
    if before == after || (is_nothing(before) && is_nothing(after)) || is_mask(before, after) {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after)
        && depth < DEPTH_MAX
    {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let field = format!("{field}.{key}");
            values(found, place, &field, old.get(key), new.get(key), depth + 1);
        }
        return;
    }
    found.push(Difference {
        place: place.to_owned(),
        field: Some(field.to_owned()),
        before: before.cloned(),
        after: after.cloned(),
    });
}

/// Absent, null and empty mean the same in a declaration.
fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => false,
    }
}

/// Whether either side is a secret that is not shown: then nobody here can tell.
fn is_mask(before: Option<&Value>, after: Option<&Value>) -> bool {
    let is = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str);
        text.is_some_and(|text| MASKS.contains(&text))
    };
    (is(before) && after.is_some()) || (is(after) && before.is_some())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(before: &Value, after: &Value, expected: &Expect) {
        let lines: Vec<String> = between(before, after)
            .iter()
            .map(Difference::line)
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    fn pipeline() -> Value {
        json!({
            "name": "p", "version": 3, "roleArn": "r", "executionMode": "SUPERSEDED",
            "variables": [{"name": "Env", "defaultValue": "dev"}],
            "stages": [
                {"name": "Source", "actions": [{"name": "get", "configuration": {"Token": "****"}}]},
                {"name": "Build", "actions": [
                    {"name": "compile", "runOrder": 1, "configuration": {"ProjectName": "a"}},
                    {"name": "lint", "runOrder": 1},
                ]},
                {"name": "Deploy", "actions": [{"name": "ship"}]},
            ],
        })
    }

    #[test]
    fn the_same_is_no_difference_whatever_the_version_and_the_empty_fields() {
        let mut other = pipeline();
        other["version"] = json!(9);
        other["triggers"] = json!([]);
        other["stages"][2]["actions"][0]["configuration"] = json!({});
        other["stages"][0]["actions"][0]["configuration"]["Token"] = json!("clear");
        check(&pipeline(), &other, &expect![""]);
    }

    #[test]
    fn each_difference_says_where_it_is() {
        let mut other = pipeline();
        other["executionMode"] = json!("QUEUED");
        other["variables"][0]["defaultValue"] = json!("prod");
        other["stages"][1]["actions"][0]["configuration"]["ProjectName"] = json!("b");
        other["stages"][1]["actions"][0]["runOrder"] = json!(2);
        other["stages"][1]["actions"][1] = json!({"name": "test", "runOrder": 1});
        other["stages"][2]["onFailure"] = json!({"result": "ROLLBACK"});
        other["stages"][2]["actions"][0]["namespace"] = json!("Shipped");
        check(
            &pipeline(),
            &other,
            &expect![[r#"
                ~ pipeline  executionMode: SUPERSEDED → QUEUED
                ~ variables/Env  defaultValue: dev → prod
                - Build/lint
                ~ Build/compile  configuration.ProjectName: a → b
                ~ Build/compile  runOrder: 1 → 2
                + Build/test
                + Deploy  onFailure: {"result":"ROLLBACK"}
                + Deploy/ship  namespace: Shipped"#]],
        );
    }

    #[test]
    fn a_stage_that_moved_is_no_new_one() {
        let mut other = pipeline();
        let stages = other["stages"].as_array_mut().expect("stages");
        stages.swap(1, 2);
        check(
            &pipeline(),
            &other,
            &expect!["~ Build  position: after Source → after Deploy"],
        );
        stages_gone(&mut other);
        check(
            &pipeline(),
            &other,
            &expect![[r#"
                - Build
                - Deploy"#]],
        );
    }

    fn stages_gone(pipeline: &mut Value) {
        if let Some(stages) = pipeline["stages"].as_array_mut() {
            stages.truncate(1);
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let mut other = pipeline();
        other["roleArn"] = json!("x".repeat(100));
        let found = between(&pipeline(), &other);
        assert!(found[0].line().chars().count() < 100, "{}", found[0].line());
        assert_eq!(found[0].json()["after"], other["roleArn"]);
    }

    #[test]
    fn a_long_value_is_cut_around_what_differs() {
        let role = |end: &str| format!("arn:aws:iam::000000000000:role/{}-{end}", "x".repeat(60));
        let (mut old, mut new) = (pipeline(), pipeline());
        old["roleArn"] = json!(role("blue"));
        new["roleArn"] = json!(role("green"));
        check(
            &old,
            &new,
            &expect!["~ pipeline  roleArn: …xxxxxxxxxxxxxxxxxxx-blue → …xxxxxxxxxxxxxxxxxxx-green"],
        );
        old["roleArn"] = json!(format!("é\n{}", role("blue")));
        new["roleArn"] = json!(format!("é\n{}é{}", role("blue"), "y".repeat(100)));
        let line = between(&old, &new)[0].line();
        assert!(
            line.contains("-blue\" → …") && line.contains("-blueéy"),
            "{line}"
        );
        assert!(line.chars().count() < 150, "{line}");
    }
}
