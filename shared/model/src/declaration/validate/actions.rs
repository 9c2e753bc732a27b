//! Rules of one action: its type, its artifacts' counts, the fields that it may have (16, 17,
//! 24–28, 35, 47). What its configuration says is checked with the configuration.

use super::{
    super::{
        ActionCategory, ActionDeclaration, ActionOwner, ActionTypeId, EnvironmentVariableType,
        PipelineDeclaration, PipelineType,
        catalogue::{self, ACTION_TYPES, ActionType, Count, VERSION},
        path::Path,
        problem::{Problem, nearest},
    },
    Context, action, places,
};

pub(super) fn check(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    for at in places::actions(declaration) {
        let found = at.action;
        match catalogue::find(&found.action_type_id) {
            Some(known) => {
                counts(found, known, &at.path, problems);
                if known.v2_only && declaration.pipeline_type == PipelineType::V1 {
                    let message = format!(
                        "{} Action can only be used with V2 pipelines.",
                        known.provider
                    );
                    let problem = action(35, at.path.field("actionTypeId"), message);
                    problems.push(problem.with_help("add `pipelineType: V2` to the pipeline"));
                }
            }
            None => problems.push(unknown_type(found, context, &at.path)),
        }
        compute_fields(found, &at.path, problems);
        own_fields(found, context, &at.path, problems);
    }
}

fn unknown_type(found: &ActionDeclaration, context: &Context<'_>, path: &Path) -> Problem {
    let id = &found.action_type_id;
    let message = format!(
        "ActionType (Category: '{:?}', Provider: '{}', Owner: '{}', Version: '{}') in action '{}' \
         is not available in region '{}'",
        id.category,
        id.provider,
        owner(id.owner),
        id.version,
        found.name,
        context.region.to_uppercase().replace('-', "_")
    );
    action(16, path.field("actionTypeId"), message).with_help(suggest(id))
}

fn owner(owner: ActionOwner) -> &'static str {
    match owner {
        ActionOwner::Aws => "AWS",
        ActionOwner::ThirdParty => "ThirdParty",
        ActionOwner::Custom => "Custom",
    }
}

/// What was probably meant: the same provider elsewhere, or one that is spelt nearly so.
fn suggest(id: &ActionTypeId) -> String {
    let spelt = |known: &ActionType| {
        format!(
            "category `{:?}`, owner `{}`, provider `{}`, version `{VERSION}`",
            known.category,
            owner(known.owner),
            known.provider
        )
    };
    let same = |known: &&ActionType| known.provider == id.provider;
    let in_category = |known: &&ActionType| known.category == id.category;
    let same_provider = ACTION_TYPES.iter().filter(same);
    if let Some(known) = same_provider
        .clone()
        .find(in_category)
        .or(same_provider.clone().next())
    {
        return format!("did you mean {}?", spelt(known));
    }
    let providers = ACTION_TYPES
        .iter()
        .filter(in_category)
        .map(|known| known.provider);
    if let Some(name) = nearest(&id.provider, providers.clone()) {
        return format!("did you mean provider `{name}`?");
    }
    let names: Vec<&str> = providers.collect();
    format!(
        "the providers of category `{:?}` are {}",
        id.category,
        names.join(", ")
    )
}

fn counts(found: &ActionDeclaration, known: &ActionType, path: &Path, problems: &mut Vec<Problem>) {
    let (inputs, outputs) = (found.input_artifacts.len(), found.output_artifacts.len());
    for (what, field, count, allowed) in [
        ("input", "inputArtifacts", inputs, known.inputs),
        ("output", "outputArtifacts", outputs, known.outputs),
    ] {
        if let Some(message) = count_message(&found.name, what, count, allowed) {
            let help = match allowed {
                Count { min, max } if min == max => {
                    format!("{} takes exactly {min} {what} artifacts", known.provider)
                }
                Count { min, max } => {
                    format!("{} takes {min} to {max} {what} artifacts", known.provider)
                }
            };
            problems.push(action(17, path.field(field), message).with_help(help));
        }
    }
}

/// What the API says when there are too few or too many artifacts (spec 20 §6).
pub(super) fn count_message(
    name: &str,
    what: &str,
    count: usize,
    allowed: Count,
) -> Option<String> {
    let declares = format!("Action {name} declares {count} {what} artifacts which is");
    if count < allowed.min {
        return Some(format!(
            "{declares} less than the minimum count ({})",
            allowed.min
        ));
    }
    (count > allowed.max)
        .then(|| format!("{declares} more than the maximum count ({})", allowed.max))
}

fn compute_fields(found: &ActionDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    let id = &found.action_type_id;
    let name = &found.name;
    if id.category == ActionCategory::Compute {
        if found.commands.is_empty() {
            let message = format!("Action {name} must have a non-empty commands field");
            let problem = action(24, path.field("commands"), message);
            problems.push(problem.with_help("add `commands` with one shell command an item"));
        }
        return;
    }
    let help = "use category `Compute`, provider `Commands`, or remove the field";
    let refused = format!(
        "The following action cannot contain a commands field: {name}. To use the commands field, \
         use a compute action."
    );
    if !found.commands.is_empty() {
        problems.push(action(25, path.field("commands"), refused.clone()).with_help(help));
    }
    for (place, output) in found.output_artifacts.iter().enumerate() {
        if !output.files.is_empty() {
            let path = path.field("outputArtifacts").index(place).field("files");
            problems.push(action(25, path, refused.clone()).with_help(help));
        }
    }
    if !found.output_variables.is_empty() {
        let message = format!("Action {name} cannot contain an outputVariables field");
        problems.push(action(26, path.field("outputVariables"), message).with_help(help));
    }
    // EKS substitutes them in its manifests, in clear text only (spec 60 §5.10, §2.3).
    let is_eks = id.category == ActionCategory::Deploy && id.provider == "EKS";
    for (place, variable) in found.environment_variables.iter().enumerate() {
        if is_eks && variable.kind == EnvironmentVariableType::Plaintext {
            continue;
        }
        let path = path.field("environmentVariables");
        let (path, message) = if is_eks {
            let path = path.index(place).field("type");
            (
                path,
                format!("Action {name} cannot contain environment variables that are secrets"),
            )
        } else {
            (
                path,
                format!("Action {name} cannot contain an environmentVariables field"),
            )
        };
        problems.push(action(26, path, message).with_help(help));
        break;
    }
}

fn own_fields(
    found: &ActionDeclaration,
    context: &Context<'_>,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    let id = &found.action_type_id;
    let name = &found.name;
    for (place, command) in found.commands.iter().enumerate() {
        if command.contains(['\n', '\r']) {
            let message = format!("Action {name} has a line break inside a command");
            let problem = action(47, path.field("commands").index(place), message);
            problems.push(problem.with_help("write each line as a command of its own"));
        }
    }
    if found.timeout_in_minutes.is_some() && id.category != ActionCategory::Approval {
        let message =
            format!("Action {name} cannot have timeoutInMinutes, which only approvals may have");
        let problem = action(27, path.field("timeoutInMinutes"), message);
        problems.push(problem.with_help("remove it"));
    }
    let elsewhere = found
        .region
        .as_deref()
        .is_some_and(|region| region != context.region);
    if elsewhere && (id.category == ActionCategory::Source || id.owner != ActionOwner::Aws) {
        let message = format!(
            "Action {name} must run in the region of the pipeline: source actions, third-party \
             actions and custom actions cannot run in another region"
        );
        let problem = action(28, path.field("region"), message);
        problems.push(problem.with_help(format!("remove it, or write `{}`", context.region)));
    }
}
