//! Rules about the rules of conditions: provider, configuration, commands (17, 43, 47, 49).

use std::collections::BTreeSet;

use super::{
    super::{
        PipelineDeclaration, RuleDeclaration,
        catalogue::{RULE_TYPES, RuleType, find_rule},
        path::Path,
        problem::{Problem, nearest, quoted},
        reference::has_reference,
    },
    configuration::{inputs_help, primary_source},
    cron, pattern, places, stage,
};

const OPERATORS: [&str; 4] = ["EQ", "NE", "CONTAINS", "MATCHES"];
const ALARM_STATES: [&str; 3] = ["ALARM", "OK", "INSUFFICIENT_DATA"];
const WAIT_MINUTES_MAX: u32 = 86_400;

pub(super) fn check(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let mut names = BTreeSet::new();
    for at in places::rules(declaration) {
        let rule = at.rule;
        if !names.insert((at.moment.stage, rule.name.as_str())) {
            let message = format!(
                "Rule name '{}' is used more than once in stage '{}'",
                rule.name, at.stage.name
            );
            let problem = stage(42, at.path.field("name"), message);
            problems.push(problem.with_help("rename one of the rules"));
        }
        match find_rule(&rule.rule_type_id) {
            Some(known) => of_provider(rule, known, &at.path, problems),
            None => problems.push(unknown(rule, &at.path)),
        }
        for (place, command) in rule.commands.iter().enumerate() {
            if command.contains(['\n', '\r']) {
                let message = format!("Rule {} has a line break inside a command", rule.name);
                let problem = stage(47, at.path.field("commands").index(place), message);
                problems.push(problem.with_help("write each line as a command of its own"));
            }
        }
    }
}

fn unknown(rule: &RuleDeclaration, path: &Path) -> Problem {
    let id = &rule.rule_type_id;
    let message = format!(
        "Rule '{}' has a rule type that does not exist: Category: '{}', Provider: '{}', \
         Owner: '{}', Version: '{}'",
        rule.name, id.category, id.provider, id.owner, id.version
    );
    let providers = RULE_TYPES.iter().map(|known| known.provider);
    let help = match nearest(&id.provider, providers.clone()) {
        Some(name) => format!("did you mean category `Rule`, provider `{name}`?"),
        None => format!(
            "the providers are {}",
            providers.collect::<Vec<_>>().join(", ")
        ),
    };
    stage(43, path.field("ruleTypeId"), message).with_help(help)
}

fn of_provider(rule: &RuleDeclaration, known: &RuleType, path: &Path, problems: &mut Vec<Problem>) {
    let name = &rule.name;
    let inputs = rule.input_artifacts.len();
    if inputs < known.inputs.min || inputs > known.inputs.max {
        let message = format!(
            "Rule {name} declares {inputs} input artifacts which is more than the maximum count \
             ({})",
            known.inputs.max
        );
        let problem = stage(43, path.field("inputArtifacts"), message);
        problems.push(problem.with_help("remove the others"));
    }
    let runs_commands = known.provider == "Commands";
    if runs_commands == rule.commands.is_empty() {
        let (message, help) = if runs_commands {
            (
                format!("Rule {name} must have a non-empty commands field"),
                "add `commands`",
            )
        } else {
            (
                format!("Rule {name} cannot contain a commands field"),
                "use provider `Commands`",
            )
        };
        problems.push(stage(43, path.field("commands"), message).with_help(help));
    }
    let path = path.field("configuration");
    for key in known
        .required
        .iter()
        .filter(|key| !rule.configuration.contains_key(**key))
    {
        let message = format!("Rule '{name}' is missing required configuration '{key}'");
        problems.push(stage(43, path.clone(), message).with_help(format!("add `{key}`")));
    }
    let keys: Vec<&str> = known
        .required
        .iter()
        .chain(known.optional)
        .copied()
        .collect();
    for key in rule
        .configuration
        .keys()
        .filter(|key| !keys.contains(&key.as_str()))
    {
        let message = format!("Rule '{name}' contains unknown configuration '{key}'");
        let help = match nearest(key, keys.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "remove it".to_owned(),
        };
        problems.push(stage(43, path.key(key), message).with_help(help));
    }
    values(rule, known, &path, problems);
}

fn values(rule: &RuleDeclaration, known: &RuleType, path: &Path, problems: &mut Vec<Problem>) {
    for (key, value) in &rule.configuration {
        if has_reference(value) {
            continue;
        }
        let Some(expected) = wrong_value(rule, known.provider, key, value) else {
            continue;
        };
        // The values of environment variables may be secrets.
        let shown = if key == "EnvironmentVariables" {
            String::new()
        } else {
            format!(": '{}'", quoted(value))
        };
        let message = format!(
            "Rule '{}' has an invalid configuration '{key}'{shown}",
            rule.name
        );
        problems.push(stage(43, path.key(key), message).with_help(expected));
    }
    if known.provider == "CodeBuild" {
        let inputs: Vec<&str> = rule
            .input_artifacts
            .iter()
            .map(|i| i.name.as_str())
            .collect();
        let primary = rule.configuration.get("PrimarySource");
        if let Some(message) = primary_source(primary, &inputs) {
            let problem = stage(
                49,
                path.key("PrimarySource"),
                format!("Rule {} {message}", rule.name),
            );
            problems.push(problem.with_help(inputs_help(&inputs)));
        }
    }
}

/// What the value should be, when it is something else.
fn wrong_value(rule: &RuleDeclaration, provider: &str, key: &str, value: &str) -> Option<String> {
    let is_true = |key: &str| {
        let value = rule.configuration.get(key);
        value.is_some_and(|value| has_reference(value) || value.eq_ignore_ascii_case("true"))
    };
    match (provider, key) {
        ("VariableCheck", "Operator") => {
            (!OPERATORS.contains(&value)).then(|| format!("write one of: {}", OPERATORS.join(", ")))
        }
        ("VariableCheck", "Value") => {
            let is_pattern = rule
                .configuration
                .get("Operator")
                .is_some_and(|o| o == "MATCHES");
            if is_pattern {
                pattern::fault(value)
            } else {
                None
            }
        }
        ("DeploymentWindow", "Cron") => cron::fault(value),
        ("CloudWatchAlarm", "AlarmStates") => {
            let known = |state: &str| ALARM_STATES.contains(&state.trim());
            (!value.split(',').all(known))
                .then(|| format!("write a list with commas of: {}", ALARM_STATES.join(", ")))
        }
        ("CloudWatchAlarm", "WaitTime") => {
            let is_digits = value.bytes().all(|b| b.is_ascii_digit());
            let minutes = value.parse::<u32>().ok().filter(|_| is_digits);
            minutes
                .is_none_or(|minutes| minutes > WAIT_MINUTES_MAX)
                .then(|| format!("write minutes, 0 to {WAIT_MINUTES_MAX}"))
        }
        ("CodeBuild", "CombineArtifacts") => (value.eq_ignore_ascii_case("true")
            && !is_true("BatchEnabled"))
        .then(|| "add `BatchEnabled: \"true\"`".to_owned()),
        ("CodeBuild", "EnvironmentVariables") => environment(value),
        _ => None,
    }
}

/// A JSON array of objects with name, value and type (spec 20 §7).
fn environment(value: &str) -> Option<String> {
    const TYPES: [&str; 3] = ["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"];
    let expected = "write a JSON array of {\"name\",\"value\",\"type\"}, the type PLAINTEXT, \
                    PARAMETER_STORE or SECRETS_MANAGER";
    let is_variable = |item: &serde_json::Value| {
        let Some(fields) = item.as_object() else {
            return false;
        };
        let is_text = |key: &str| fields.get(key).is_some_and(serde_json::Value::is_string);
        let is_type = |kind: &serde_json::Value| kind.as_str().is_some_and(|k| TYPES.contains(&k));
        let is_known = |key: &String| matches!(key.as_str(), "name" | "value" | "type");
        is_text("name")
            && is_text("value")
            && fields.get("type").is_none_or(is_type)
            && fields.keys().all(is_known)
    };
    let parsed = serde_json::from_str::<Vec<serde_json::Value>>(value);
    let is_good = parsed.is_ok_and(|items| items.iter().all(is_variable));
    (!is_good).then(|| expected.to_owned())
}
