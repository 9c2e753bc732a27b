//! Rules of artifacts: who makes them, who takes them, and in which order (18, 19).

use std::collections::BTreeMap;

use super::{
    super::{
        InputArtifact, PipelineDeclaration,
        path::Path,
        problem::{Problem, nearest},
    },
    action,
    places::{self, Moment},
};

/// Who makes an artifact, and when.
struct Producer<'a> {
    stage: &'a str,
    action: &'a str,
    moment: Moment,
}

type Producers<'a> = BTreeMap<&'a str, Producer<'a>>;

pub(super) fn check(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let producers = producers(declaration, problems);
    for at in places::actions(declaration) {
        let who = format!("stage `{}`, action `{}`", at.stage.name, at.action.name);
        inputs(
            &at.action.input_artifacts,
            &who,
            at.moment,
            &at.path,
            &producers,
            problems,
        );
    }
    for at in places::rules(declaration) {
        let who = format!("stage `{}`, rule `{}`", at.stage.name, at.rule.name);
        inputs(
            &at.rule.input_artifacts,
            &who,
            at.moment,
            &at.path,
            &producers,
            problems,
        );
    }
}

fn producers<'a>(
    declaration: &'a PipelineDeclaration,
    problems: &mut Vec<Problem>,
) -> Producers<'a> {
    let mut producers = Producers::new();
    for at in places::actions(declaration) {
        for (place, output) in at.action.output_artifacts.iter().enumerate() {
            if let Some(first) = producers.get(output.name.as_str()) {
                let message = format!(
                    "stage `{}`, action `{}` makes output artifact `{}`, which another action \
                     makes already",
                    at.stage.name, at.action.name, output.name
                );
                let path = at.path.field("outputArtifacts").index(place).field("name");
                let help = format!(
                    "rename it: it is the output artifact of {}/{}",
                    first.stage, first.action
                );
                problems.push(action(19, path, message).with_help(help));
                continue;
            }
            let producer = Producer {
                stage: &at.stage.name,
                action: &at.action.name,
                moment: at.moment,
            };
            producers.insert(&output.name, producer);
        }
    }
    producers
}

fn inputs(
    inputs: &[InputArtifact],
    who: &str,
    moment: Moment,
    path: &Path,
    producers: &Producers<'_>,
    problems: &mut Vec<Problem>,
) {
    for (place, input) in inputs.iter().enumerate() {
        let path = path.field("inputArtifacts").index(place).field("name");
        let name = input.name.as_str();
        if inputs[..place].contains(input) {
            let message = format!("{who} lists input artifact `{name}` twice");
            problems.push(action(18, path.clone(), message).with_help("remove one of them"));
        }
        if producers
            .get(name)
            .is_some_and(|producer| producer.moment < moment)
        {
            continue;
        }
        let message =
            format!("{who} uses input artifact `{name}`, but no earlier action produces it");
        problems.push(action(18, path, message).with_help(advice(name, moment, producers)));
    }
}

fn advice(name: &str, moment: Moment, producers: &Producers<'_>) -> String {
    if let Some(producer) = producers.get(name) {
        let (stage, action) = (producer.stage, producer.action);
        return if producer.moment.stage == moment.stage {
            format!(
                "{stage}/{action} produces it: let it run before, with a lower `runOrder`, and take \
                 nothing that comes after"
            )
        } else {
            format!("{stage}/{action} produces it, in a later stage: change the order")
        };
    }
    let earlier = producers
        .iter()
        .filter(|(_, producer)| producer.moment < moment);
    match nearest(name, earlier.clone().map(|(name, _)| *name)) {
        Some(near) => {
            let from = producers.get(near).map_or_else(String::new, |producer| {
                format!(" is produced by {}/{}", producer.stage, producer.action)
            });
            format!("`{near}`{from}")
        }
        None => match earlier
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [] => "no earlier action has an output artifact".to_owned(),
            names => format!("earlier actions produce {}", names.join(", ")),
        },
    }
}
