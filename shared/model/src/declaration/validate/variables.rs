//! Rules of namespaces and of references to variables (29–33).

use std::collections::BTreeMap;

use super::{
    super::{
        ActionCategory, PipelineDeclaration,
        path::Path,
        problem::{Problem, nearest},
        reference::{CODEPIPELINE, PIPELINE_EXECUTION_ID, Reference, VARIABLES, references},
    },
    action,
    places::{self, ActionAt, Moment},
};

/// Which namespace exists from when on.
struct Namespaces<'a> {
    of_actions: BTreeMap<&'a str, ActionAt<'a>>,
    variables: Vec<&'a str>,
}

pub(super) fn check(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let namespaces = namespaces(declaration, problems);
    for at in places::actions(declaration) {
        let consumer = Consumer {
            who: format!("stage `{}`, action `{}`", at.stage.name, at.action.name),
            moment: at.moment,
            is_source: at.action.action_type_id.category == ActionCategory::Source,
        };
        let configuration = at.path.field("configuration");
        for (key, value) in &at.action.configuration {
            namespaces.check(value, configuration.key(key), &consumer, problems);
        }
        let commands = at.path.field("commands");
        for (place, command) in at.action.commands.iter().enumerate() {
            namespaces.check(command, commands.index(place), &consumer, problems);
        }
        let environment = at.path.field("environmentVariables");
        for (place, variable) in at.action.environment_variables.iter().enumerate() {
            let path = environment.index(place).field("value");
            namespaces.check(&variable.value, path, &consumer, problems);
        }
    }
    for at in places::rules(declaration) {
        let consumer = Consumer {
            who: format!("stage `{}`, rule `{}`", at.stage.name, at.rule.name),
            moment: at.moment,
            is_source: false,
        };
        let configuration = at.path.field("configuration");
        for (key, value) in &at.rule.configuration {
            namespaces.check(value, configuration.key(key), &consumer, problems);
        }
        let commands = at.path.field("commands");
        for (place, command) in at.rule.commands.iter().enumerate() {
            namespaces.check(command, commands.index(place), &consumer, problems);
        }
    }
}

fn namespaces<'a>(
    declaration: &'a PipelineDeclaration,
    problems: &mut Vec<Problem>,
) -> Namespaces<'a> {
    let mut of_actions = BTreeMap::new();
    for at in places::actions(declaration) {
        let Some(namespace) = at.action.namespace.as_deref() else {
            continue;
        };
        let path = at.path.field("namespace");
        if let Some(message) = reserved(declaration, namespace) {
            problems.push(action(30, path.clone(), message).with_help("choose another name"));
        }
        if of_actions.contains_key(namespace) {
            let message = format!(
                "Namespaces must be unique across the pipeline definition. The following occur \
                 more than once in the pipeline. StageName=[{}], ActionName=[{}], Namespace=[{}]",
                at.stage.name, at.action.name, namespace
            );
            problems.push(action(29, path, message).with_help("choose another name"));
            continue;
        }
        of_actions.insert(namespace, at);
    }
    let variables = declaration
        .variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    Namespaces {
        of_actions,
        variables,
    }
}

/// Why an action may not have that namespace.
fn reserved(declaration: &PipelineDeclaration, namespace: &str) -> Option<String> {
    if namespace == CODEPIPELINE {
        return Some(format!(
            "namespace `{namespace}` belongs to the service's own variables"
        ));
    }
    if namespace == VARIABLES && !declaration.variables.is_empty() {
        return Some(format!(
            "namespace `{namespace}` belongs to the pipeline's variables"
        ));
    }
    places::actions(declaration)
        .flat_map(|at| &at.action.output_artifacts)
        .any(|output| output.name == namespace)
        .then(|| format!("namespace `{namespace}` is also the name of an artifact"))
}

/// Who refers to a variable, and when.
struct Consumer {
    who: String,
    moment: Moment,
    is_source: bool,
}

impl Namespaces<'_> {
    fn check(&self, text: &str, path: Path, consumer: &Consumer, problems: &mut Vec<Problem>) {
        match references(text) {
            Ok(found) => {
                let broken = found
                    .iter()
                    .filter_map(|one| self.problem(one, &path, consumer));
                problems.extend(broken);
            }
            Err(error) => {
                let help = "write #{namespace.key}; a text cannot hold `#{` otherwise";
                let message = format!("{}: {error}", consumer.who);
                problems.push(action(31, path, message).with_help(help));
            }
        }
    }

    fn problem(&self, reference: &Reference, path: &Path, consumer: &Consumer) -> Option<Problem> {
        let Reference { namespace, key, .. } = reference;
        let refers = format!("{} refers to `#{{{namespace}.{key}}}`", consumer.who);
        let problem = |rule: u8, why: &str, help: String| {
            Some(action(rule, path.clone(), format!("{refers}, but {why}")).with_help(help))
        };
        if namespace == CODEPIPELINE {
            if key == PIPELINE_EXECUTION_ID {
                return None;
            }
            let help = format!("the only one is #{{{CODEPIPELINE}.{PIPELINE_EXECUTION_ID}}}");
            return problem(31, "the service has no such variable", help);
        }
        let of_pipeline = !self.variables.is_empty() || !self.of_actions.contains_key(VARIABLES);
        if namespace == VARIABLES && of_pipeline {
            if !self.variables.contains(&key.as_str()) {
                let help = match nearest(key, self.variables.iter().copied()) {
                    Some(name) => format!("did you mean #{{{VARIABLES}.{name}}}?"),
                    None => format!("declare `{key}` in the pipeline's `variables`"),
                };
                return problem(32, "the pipeline declares no such variable", help);
            }
            if consumer.is_source {
                let help = "write the value itself".to_owned();
                return problem(33, "a source action cannot use pipeline variables", help);
            }
            return None;
        }
        let Some(producer) = self.of_actions.get(namespace.as_str()) else {
            let known = self.of_actions.keys().copied();
            let help = match nearest(namespace, known.chain([CODEPIPELINE, VARIABLES])) {
                Some(name) => format!("did you mean #{{{name}.{key}}}?"),
                None => format!("give an earlier action `namespace: {namespace}`"),
            };
            return problem(31, "no action has that namespace", help);
        };
        if producer.moment < consumer.moment {
            return None;
        }
        let help = format!(
            "{}/{} has the namespace: let it run in an earlier stage, or with a lower `runOrder`",
            producer.stage.name, producer.action.name
        );
        problem(
            31,
            "the action with that namespace does not run before",
            help,
        )
    }
}
