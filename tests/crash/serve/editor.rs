//! Somebody who creates, updates, tags and deletes pipelines, and remembers what they must be.

use std::{collections::BTreeMap, thread, time::Duration};

use serde_json::{Value, json};

use super::Life;
use crate::served::{approval, chance::Chance, pipeline};

/// The numbers of the pipelines that are edited.
const EDITED: [usize; 3] = [0, 1, 2];

/// How long somebody waits between two edits, in milliseconds.
const BETWEEN_EDITS: (u64, u64) = (0, 40);

/// What a pipeline is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edited {
    version: u64,
    note: String,
    tags: BTreeMap<String, String>,
}

/// A pipeline that is there, or none.
type State = Option<Edited>;

/// Remembers what each pipeline may be: one thing, or two when an answer did not come.
pub(super) struct Editor {
    may_be: Vec<Vec<State>>,
}

impl Default for Editor {
    fn default() -> Self {
        Self {
            may_be: vec![vec![None]; EDITED.len()],
        }
    }
}

fn name(number: usize) -> String {
    format!("edited-{number}")
}

fn arn(number: usize) -> String {
    format!(
        "arn:aws:codepipeline:us-east-1:000000000000:{}",
        name(number)
    )
}

fn declaration(number: usize, note: &str) -> Value {
    let mut ask = approval("Ask");
    ask["actions"][0]["configuration"] = json!({"CustomData": note});
    pipeline(&name(number), "SUPERSEDED", &[ask])
}

impl Editor {
    /// Edits until the server is gone; looks first at what became of the edits before.
    pub(super) fn edit(&mut self, life: &Life<'_>, mut chance: Chance) {
        if self.look(life).is_none() {
            return;
        }
        loop {
            let number = *chance.pick(&EDITED);
            let now = self.may_be[number].first().cloned().flatten();
            let (operation, input, then) = plan(number, now.as_ref(), &mut chance);
            self.may_be[number] = vec![now, then.clone()];
            let Some(answer) = life.ask(operation, &input) else {
                return;
            };
            assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
            if operation.ends_with("ePipeline") && operation != "DeletePipeline" {
                let version = answer.json()["pipeline"]["version"].as_u64();
                assert_eq!(version, then.as_ref().map(|it| it.version), "{operation}");
            }
            self.may_be[number] = vec![then];
            let pause = chance.between(BETWEEN_EDITS);
            thread::sleep(Duration::from_millis(pause));
        }
    }

    /// Fails when a pipeline is not what it may be; none when the server was killed meanwhile.
    pub(super) fn look(&mut self, life: &Life<'_>) -> Option<()> {
        for (number, may_be) in self.may_be.iter_mut().enumerate() {
            let is = observe(life, number)?;
            assert!(
                may_be.contains(&is),
                "{} is {is:#?}\nand may be one of {may_be:#?}",
                name(number)
            );
            *may_be = vec![is];
        }
        Some(())
    }
}

/// What is to be done next, and what the pipeline is afterwards.
fn plan(number: usize, now: Option<&Edited>, chance: &mut Chance) -> (&'static str, Value, State) {
    let note = format!("note {}", chance.below(1_000_000));
    let (key, value) = (
        format!("key-{}", chance.below(4)),
        format!("value-{}", chance.below(1_000)),
    );
    let Some(now) = now else {
        let mut input = declaration(number, &note);
        input["tags"] = json!([{"key": key, "value": value}]);
        let tags = BTreeMap::from([(key, value)]);
        let then = Edited {
            version: 1,
            note,
            tags,
        };
        return ("CreatePipeline", input, Some(then));
    };
    let mut then = now.clone();
    match chance.below(10) {
        0..4 => {
            then.version += 1;
            then.note.clone_from(&note);
            ("UpdatePipeline", declaration(number, &note), Some(then))
        }
        4..7 => {
            let input = json!({
                "resourceArn": arn(number), "tags": [{"key": key, "value": value}],
            });
            then.tags.insert(key, value);
            ("TagResource", input, Some(then))
        }
        7..9 => {
            let input = json!({"resourceArn": arn(number), "tagKeys": [key]});
            then.tags.remove(&key);
            ("UntagResource", input, Some(then))
        }
        _ => ("DeletePipeline", json!({"name": name(number)}), None),
    }
}

/// What a pipeline is; none when the server was killed.
fn observe(life: &Life<'_>, number: usize) -> Option<State> {
    let answer = life.ask("GetPipeline", &json!({"name": name(number)}))?;
    if answer.exception().as_deref() == Some("PipelineNotFoundException") {
        return Some(None);
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let pipeline = &answer.json()["pipeline"];
    let ask = &pipeline["stages"][1]["actions"][0];
    let note = ask["configuration"]["CustomData"].as_str();
    let answer = life.ask("ListTagsForResource", &json!({"resourceArn": arn(number)}))?;
    let tags = answer.json();
    let tags = tags["tags"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(Some(Edited {
        version: pipeline["version"].as_u64().unwrap_or_default(),
        note: note.unwrap_or_default().to_owned(),
        tags: tags
            .map(|tag| (text(&tag["key"]), text(&tag["value"])))
            .collect(),
    }))
}
