//! Rule 1: lengths, patterns, ranges and list sizes (spec 20 §2–§8, spec 10 §10).

use super::{
    super::{
        ActionDeclaration, ArtifactStore, FilterCriteria, InputArtifact, PipelineDeclaration,
        PipelineTriggerDeclaration, RuleDeclaration, StageDeclaration, path::Path,
        problem::Problem, reference::is_name,
    },
    Context, RUN_ORDER_MAX, TIMEOUT_MINUTES, conditions,
    constraint::{Constraint, configuration, items, one_of, range},
    places,
};

const NAME: Constraint = Constraint::matching(1, 100, r"[A-Za-z0-9.@\-_]+", |text| {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-' | '_'))
});
const ROLE: Constraint =
    Constraint::matching(0, 1024, r"arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*", is_role);
const REGION: Constraint = Constraint::length(4, 30);
const LOCATION: Constraint = Constraint::matching(3, 63, r"[a-zA-Z0-9\-\.]+", |text| {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
});
const KEY_ID: Constraint = Constraint::length(1, 400);
const VARIABLE: Constraint = Constraint::matching(1, 128, r"[A-Za-z0-9@\-_]+", is_name);
const VARIABLE_VALUE: Constraint = Constraint::length(1, 1000);
const DESCRIPTION: Constraint = Constraint::length(0, 200);
const PROVIDER: Constraint = Constraint::matching(1, 35, "[0-9A-Za-z_-]+", is_word);
const VERSION: Constraint = Constraint::matching(1, 9, "[0-9A-Za-z_-]+", is_word);
const ARTIFACT: Constraint = Constraint::matching(1, 100, r"[a-zA-Z0-9_\-]+", is_word);
const COMMAND: Constraint = Constraint::length(1, 1000);
const FILE: Constraint = Constraint::length(1, 128);
const OUTPUT_VARIABLE: Constraint = Constraint::length(1, 128);
const ENVIRONMENT_NAME: Constraint = Constraint::matching(1, 128, "[A-Za-z0-9_]+", |text| {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
});
const ENVIRONMENT_VALUE: Constraint = Constraint::length(1, 2000);
const NAMESPACE: Constraint = Constraint::matching(1, 100, r"[A-Za-z0-9@\-_]+", is_name);
const GIT_PATTERN: Constraint = Constraint::length(1, 255);
const BLOCKER_NAME: Constraint = Constraint::length(1, 100);

const CONFIGURATION_KEY_MAX: usize = 50;
const RULE_CONFIGURATION_MAX: usize = 200;
const RULE_VALUE_MAX: usize = 10_000;
const COMMANDS_MAX: usize = 50;

fn is_word(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// `arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*`, where `.` is no line break.
fn is_role(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    if next() != "arn" {
        return false;
    }
    let partition = next();
    let suffixes = partition.strip_prefix("aws").is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|rest| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                rest.split('-')
                    .all(|part| !part.is_empty() && part.chars().all(is_part))
            })
    });
    let service = next() == "iam" && next().is_empty();
    let account = next();
    let resource = next();
    suffixes
        && service
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.starts_with("role/")
        && !resource.contains(['\n', '\r'])
}

pub(super) fn check(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    let path = Path::pipeline();
    NAME.check(&declaration.name, &path.field("name"), problems);
    ROLE.check(&declaration.role_arn, &path.field("roleArn"), problems);
    if let Some(store) = &declaration.artifact_store {
        artifact_store(store, &path.field("artifactStore"), problems);
    }
    for (region, store) in declaration.artifact_stores.iter().flatten() {
        let path = path.field("artifactStores").key(region);
        REGION.check(region, &path, problems);
        artifact_store(store, &path, problems);
    }
    if let Some(version) = declaration.version {
        range(version, 1, u32::MAX, &path.field("version"), problems);
    }
    let variables = path.field("variables");
    items(declaration.variables.len(), 0, 50, &variables, problems);
    for (place, variable) in declaration.variables.iter().enumerate() {
        let path = variables.index(place);
        VARIABLE.check(&variable.name, &path.field("name"), problems);
        let value = variable.default_value.as_ref();
        VARIABLE_VALUE.check_some(value, &path.field("defaultValue"), problems);
        let description = variable.description.as_ref();
        DESCRIPTION.check_some(description, &path.field("description"), problems);
    }
    let triggers = path.field("triggers");
    items(declaration.triggers.len(), 0, 50, &triggers, problems);
    for (place, found) in declaration.triggers.iter().enumerate() {
        trigger(found, &triggers.index(place), problems);
    }
    for (place, found) in declaration.stages.iter().enumerate() {
        stage(found, &path.field("stages").index(place), problems);
    }
    for at in places::actions(declaration) {
        action(at.action, context, &at.path, problems);
    }
    for at in places::rules(declaration) {
        rule(at.rule, &at.path, problems);
    }
}

fn artifact_store(store: &ArtifactStore, path: &Path, problems: &mut Vec<Problem>) {
    LOCATION.check(&store.location, &path.field("location"), problems);
    if let Some(key) = &store.encryption_key {
        KEY_ID.check(&key.id, &path.field("encryptionKey").field("id"), problems);
    }
}

fn stage(stage: &StageDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    NAME.check(&stage.name, &path.field("name"), problems);
    for (place, blocker) in stage.blockers.iter().enumerate() {
        let path = path.field("blockers").index(place);
        BLOCKER_NAME.check(&blocker.name, &path.field("name"), problems);
        one_of(&blocker.kind, &["Schedule"], &path.field("type"), problems);
    }
    conditions::check_counts(stage, path, problems);
}

fn action(
    action: &ActionDeclaration,
    context: &Context<'_>,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    NAME.check(&action.name, &path.field("name"), problems);
    let id = path.field("actionTypeId");
    PROVIDER.check(
        &action.action_type_id.provider,
        &id.field("provider"),
        problems,
    );
    VERSION.check(
        &action.action_type_id.version,
        &id.field("version"),
        problems,
    );
    range(
        action.run_order,
        1,
        RUN_ORDER_MAX,
        &path.field("runOrder"),
        problems,
    );
    configuration(
        &action.configuration,
        CONFIGURATION_KEY_MAX,
        context.limits.configuration_value_chars,
        &path.field("configuration"),
        problems,
    );
    COMMAND.check_each(
        &action.commands,
        COMMANDS_MAX,
        &path.field("commands"),
        problems,
    );
    inputs(&action.input_artifacts, path, problems);
    outputs(action, path, problems);
    let exported = path.field("outputVariables");
    OUTPUT_VARIABLE.check_each(&action.output_variables, 15, &exported, problems);
    let environment = path.field("environmentVariables");
    items(
        action.environment_variables.len(),
        0,
        10,
        &environment,
        problems,
    );
    for (place, variable) in action.environment_variables.iter().enumerate() {
        let path = environment.index(place);
        ENVIRONMENT_NAME.check(&variable.name, &path.field("name"), problems);
        ENVIRONMENT_VALUE.check(&variable.value, &path.field("value"), problems);
    }
    ROLE.check_some(action.role_arn.as_ref(), &path.field("roleArn"), problems);
    REGION.check_some(action.region.as_ref(), &path.field("region"), problems);
    NAMESPACE.check_some(
        action.namespace.as_ref(),
        &path.field("namespace"),
        problems,
    );
    timeout(action.timeout_in_minutes, path, problems);
}

fn outputs(action: &ActionDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    for (place, output) in action.output_artifacts.iter().enumerate() {
        let path = path.field("outputArtifacts").index(place);
        ARTIFACT.check(&output.name, &path.field("name"), problems);
        FILE.check_each(&output.files, 10, &path.field("files"), problems);
    }
}

fn inputs(inputs: &[InputArtifact], path: &Path, problems: &mut Vec<Problem>) {
    for (place, input) in inputs.iter().enumerate() {
        let path = path.field("inputArtifacts").index(place).field("name");
        ARTIFACT.check(&input.name, &path, problems);
    }
}

fn timeout(minutes: Option<u32>, path: &Path, problems: &mut Vec<Problem>) {
    if let Some(minutes) = minutes {
        let (min, max) = TIMEOUT_MINUTES;
        range(minutes, min, max, &path.field("timeoutInMinutes"), problems);
    }
}

fn rule(rule: &RuleDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    NAME.check(&rule.name, &path.field("name"), problems);
    let id = path.field("ruleTypeId");
    one_of(
        &rule.rule_type_id.category,
        &["Rule"],
        &id.field("category"),
        problems,
    );
    one_of(
        &rule.rule_type_id.owner,
        &["AWS"],
        &id.field("owner"),
        problems,
    );
    PROVIDER.check(&rule.rule_type_id.provider, &id.field("provider"), problems);
    VERSION.check(&rule.rule_type_id.version, &id.field("version"), problems);
    let own = path.field("configuration");
    items(
        rule.configuration.len(),
        0,
        RULE_CONFIGURATION_MAX,
        &own,
        problems,
    );
    configuration(
        &rule.configuration,
        CONFIGURATION_KEY_MAX,
        RULE_VALUE_MAX,
        &own,
        problems,
    );
    COMMAND.check_each(
        &rule.commands,
        COMMANDS_MAX,
        &path.field("commands"),
        problems,
    );
    inputs(&rule.input_artifacts, path, problems);
    ROLE.check_some(rule.role_arn.as_ref(), &path.field("roleArn"), problems);
    REGION.check_some(rule.region.as_ref(), &path.field("region"), problems);
    timeout(rule.timeout_in_minutes, path, problems);
}

fn trigger(trigger: &PipelineTriggerDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    let types = ["CodeStarSourceConnection"];
    one_of(
        &trigger.provider_type,
        &types,
        &path.field("providerType"),
        problems,
    );
    let git = &trigger.git_configuration;
    let path = path.field("gitConfiguration");
    NAME.check(
        &git.source_action_name,
        &path.field("sourceActionName"),
        problems,
    );
    let push = path.field("push");
    items(git.push.len(), 0, 3, &push, problems);
    for (place, filter) in git.push.iter().enumerate() {
        let path = push.index(place);
        criteria(filter.tags.as_ref(), &path.field("tags"), problems);
        criteria(filter.branches.as_ref(), &path.field("branches"), problems);
        criteria(
            filter.file_paths.as_ref(),
            &path.field("filePaths"),
            problems,
        );
    }
    let pull_request = path.field("pullRequest");
    items(git.pull_request.len(), 0, 3, &pull_request, problems);
    for (place, filter) in git.pull_request.iter().enumerate() {
        let path = pull_request.index(place);
        items(filter.events.len(), 0, 3, &path.field("events"), problems);
        criteria(filter.branches.as_ref(), &path.field("branches"), problems);
        criteria(
            filter.file_paths.as_ref(),
            &path.field("filePaths"),
            problems,
        );
    }
}

fn criteria(criteria: Option<&FilterCriteria>, path: &Path, problems: &mut Vec<Problem>) {
    let Some(criteria) = criteria else { return };
    GIT_PATTERN.check_each(&criteria.includes, 8, &path.field("includes"), problems);
    GIT_PATTERN.check_each(&criteria.excludes, 8, &path.field("excludes"), problems);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_an_iam_role_of_any_aws_partition() {
        for good in [
            "arn:aws:iam::123456789012:role/R",
            "arn:aws-us-gov:iam::123456789012:role/a/b:c",
            "arn:aws-cn:iam::123456789012:role/",
        ] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "R",
            "arn:awsx:iam::123456789012:role/R",
            "arn:aws-:iam::123456789012:role/R",
            "arn:aws:sts::123456789012:role/R",
            "arn:aws:iam:us-east-1:123456789012:role/R",
            "arn:aws:iam::12345678901:role/R",
            "arn:aws:iam::12345678901x:role/R",
            "arn:aws:iam::123456789012:user/R",
            "arn:aws:iam::123456789012:role/R\n",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
