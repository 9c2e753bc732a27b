//! Rules of an action's configuration: its keys, its secrets, the artifacts that it names (20–23,
//! 49). A value that holds a variable reference is known only when the action starts, so its
//! content is not checked here (spec 20 §5).

use super::{
    super::{
        ActionCategory, ActionDeclaration, ActionOwner, PipelineDeclaration,
        catalogue::{self, ActionType, is_mask},
        normalise::same_action,
        path::Path,
        problem::{Problem, nearest},
        reference::has_reference,
    },
    Context, action, places,
    places::ActionAt,
};

const QUERYABLE_CHARS_MAX: usize = 20;

pub(super) fn check(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    for at in places::actions(declaration) {
        let Some(known) = catalogue::find(&at.action.action_type_id) else {
            continue;
        };
        let path = at.path.field("configuration");
        keys(at.action, known, &path, problems);
        queryable(at.action, known, &path, problems);
        secrets(&at, known, context, &path, problems);
        named_artifacts(at.action, &path, problems);
    }
}

fn keys(found: &ActionDeclaration, known: &ActionType, path: &Path, problems: &mut Vec<Problem>) {
    let name = &found.name;
    for key in known
        .required
        .iter()
        .copied()
        .chain(also_required(found).iter().copied())
    {
        if !found.configuration.contains_key(key) {
            let message = format!(
                "Action configuration for action '{name}' is missing required configuration '{key}'"
            );
            problems.push(action(20, path.clone(), message).with_help(format!("add `{key}`")));
        }
    }
    for key in found
        .configuration
        .keys()
        .filter(|key| !known.knows_key(key))
    {
        let message = format!(
            "Action configuration for action '{name}' contains unknown configuration '{key}'"
        );
        let help = match nearest(key, known.keys()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if known.keys().next().is_none() => "remove it; there are no keys here".to_owned(),
            None => {
                let names: Vec<&str> = known.keys().collect();
                format!("remove it; the keys here are {}", names.join(", "))
            }
        };
        problems.push(action(21, path.key(key), message).with_help(help));
    }
}

/// Keys that are required because of what else the action says (spec 20 §5, spec 60 §2.4, §5.1,
/// §5.9, §5.14).
fn also_required(found: &ActionDeclaration) -> &'static [&'static str] {
    let id = &found.action_type_id;
    let says = |key: &str, value: &str| {
        found
            .configuration
            .get(key)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let knows = |key: &str| {
        found
            .configuration
            .get(key)
            .is_some_and(|value| !has_reference(value))
    };
    match (id.owner, id.category, id.provider.as_str()) {
        (ActionOwner::Aws, ActionCategory::Deploy, "S3") if says("Extract", "false") => {
            &["ObjectKey"]
        }
        (ActionOwner::Aws, ActionCategory::Deploy, "Lambda")
            if found.input_artifacts.is_empty() =>
        {
            &["PublishedTargetVersion"]
        }
        (ActionOwner::Aws, ActionCategory::Deploy, "ServiceCatalog")
            if !found.configuration.contains_key("ConfigurationFilePath") =>
        {
            &["TemplateFilePath", "ProductVersionName", "ProductType"]
        }
        (ActionOwner::Aws, ActionCategory::Test, "DeviceFarm")
            if knows("AppType") && !says("AppType", "Web") =>
        {
            &["App"]
        }
        _ => &[],
    }
}

fn queryable(
    found: &ActionDeclaration,
    known: &ActionType,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    for key in known.queryable {
        let Some(value) = found.configuration.get(*key) else {
            continue;
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if value.chars().count() <= QUERYABLE_CHARS_MAX && value.chars().all(is_plain) {
            continue;
        }
        let message = format!(
            "Action configuration for action '{}' has a value for the queryable property '{key}' \
             that does not match [A-Za-z0-9_-]{{1,{QUERYABLE_CHARS_MAX}}}",
            found.name
        );
        let help = "job workers look their jobs up by it: write a short plain name, no variable";
        problems.push(action(22, path.key(key), message).with_help(help));
    }
}

fn secrets(
    at: &ActionAt<'_>,
    known: &ActionType,
    context: &Context<'_>,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    for key in known.secret {
        if !at
            .action
            .configuration
            .get(*key)
            .is_some_and(|value| is_mask(value))
        {
            continue;
        }
        let kept = context
            .stored
            .and_then(|stored| same_action(stored, &at.stage.name, at.action))
            .is_some_and(|before| before.configuration.contains_key(*key));
        if !kept {
            let message = format!(
                "Action configuration for the new action '{}' contains an invalid configuration \
                 for the secret property '{key}'. '****' may be used in secret properties only \
                 when updating an existing action.",
                at.action.name
            );
            let problem = action(23, path.key(key), message);
            problems.push(problem.with_help("write the secret itself"));
        }
    }
}

/// Input artifacts that the configuration names must be inputs of the action.
fn named_artifacts(found: &ActionDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    let id = &found.action_type_id;
    let inputs: Vec<&str> = found
        .input_artifacts
        .iter()
        .map(|i| i.name.as_str())
        .collect();
    let name = &found.name;
    match (id.owner, id.category, id.provider.as_str()) {
        (ActionOwner::Aws, ActionCategory::Build | ActionCategory::Test, "CodeBuild") => {
            let primary = found.configuration.get("PrimarySource");
            if let Some(message) = primary_source(primary, &inputs) {
                let problem = action(
                    49,
                    path.key("PrimarySource"),
                    format!("Action {name} {message}"),
                );
                problems.push(problem.with_help(inputs_help(&inputs)));
            }
        }
        (ActionOwner::Aws, ActionCategory::Deploy, "CloudFormation") => {
            for key in ["TemplatePath", "TemplateConfiguration"] {
                let Some(value) = found.configuration.get(key) else {
                    continue;
                };
                let artifact = value.split_once("::").map(|(artifact, _)| artifact);
                if has_reference(value) || artifact.is_some_and(|name| inputs.contains(&name)) {
                    continue;
                }
                let message = match artifact {
                    Some(artifact) => format!(
                        "Action {name} names artifact '{artifact}' in its configuration '{key}', \
                         which is not one of its input artifacts"
                    ),
                    None => format!(
                        "Action {name} has a configuration '{key}' that is not of the form \
                         <artifact>::<file>"
                    ),
                };
                let problem = action(49, path.key(key), message);
                problems.push(problem.with_help(inputs_help(&inputs)));
            }
        }
        _ => {}
    }
}

/// What is wrong with a CodeBuild `PrimarySource`, as the end of a sentence.
pub(super) fn primary_source(primary: Option<&String>, inputs: &[&str]) -> Option<String> {
    match primary {
        None if inputs.len() > 1 => {
            Some("has more than one input artifact, and no PrimarySource".to_owned())
        }
        Some(name) if !has_reference(name) && !inputs.contains(&name.as_str()) => Some(format!(
            "has PrimarySource '{name}', which is not one of its input artifacts"
        )),
        Some(_) | None => None,
    }
}

pub(super) fn inputs_help(inputs: &[&str]) -> String {
    match inputs {
        [] => "it has no input artifacts".to_owned(),
        names => format!("its input artifacts are {}", names.join(", ")),
    }
}
