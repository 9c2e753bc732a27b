//! Rules of the stages and of what they hold (10–15, 44).

use std::collections::BTreeSet;

use super::{
    super::{
        ActionCategory, PipelineDeclaration, StageDeclaration,
        path::Path,
        problem::{Exception, Problem},
    },
    Context, action, stage, structure,
};

pub(super) fn check(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    sources(declaration, problems);
    let mut names = BTreeSet::new();
    for (place, found) in declaration.stages.iter().enumerate() {
        let path = Path::pipeline().field("stages").index(place);
        if !names.insert(found.name.as_str()) {
            let message = format!("Stage name '{}' is used more than once", found.name);
            let problem = stage(13, path.field("name"), message);
            problems.push(problem.with_help("rename one of the stages"));
        }
        contents(found, &path, context, problems);
    }
}

fn sources(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let path = Path::pipeline().field("stages");
    let mut only_sources = true;
    for (place, stage) in declaration.stages.iter().enumerate() {
        let actions = path.index(place).field("actions");
        for (index, action) in stage.actions.iter().enumerate() {
            let category = actions.index(index).field("actionTypeId").field("category");
            let is_source = action.action_type_id.category == ActionCategory::Source;
            only_sources &= is_source;
            if place == 0 && !is_source {
                let message =
                    "Pipeline should start with a stage that only contains source actions";
                let help = format!("move action `{}` to a later stage", action.name);
                problems.push(structure(10, category, message).with_help(help));
            } else if place > 0 && is_source {
                let message =
                    "Source actions can only be included in the first stage of the pipeline";
                let first = &declaration.stages[0].name;
                let help = format!("move action `{}` to stage `{first}`", action.name);
                problems.push(structure(11, category, message).with_help(help));
            }
        }
    }
    if declaration
        .stages
        .first()
        .is_some_and(|stage| stage.actions.is_empty())
    {
        let message = "Pipeline should start with a stage that only contains source actions";
        let problem = structure(10, path.index(0).field("actions"), message);
        problems.push(problem.with_help("add a source action"));
    }
    if only_sources {
        let message = "Pipeline should contain at least 1 action whose category is not Source";
        problems.push(structure(12, path, message).with_help("add a stage that does something"));
    }
}

fn contents(
    found: &StageDeclaration,
    path: &Path,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    let actions = path.field("actions");
    let most = context.limits.actions_per_stage;
    if found.actions.is_empty() || found.actions.len() > most {
        let message = format!(
            "Stage '{}' has {} actions. There should be 1 to {most} actions in a stage",
            found.name,
            found.actions.len()
        );
        let help = if found.actions.is_empty() {
            "add an action, or remove the stage"
        } else {
            "move some of the actions to another stage"
        };
        problems.push(stage(14, actions.clone(), message).with_help(help));
    }
    let mut names = BTreeSet::new();
    for (place, one) in found.actions.iter().enumerate() {
        if !names.insert(one.name.as_str()) {
            let message = format!(
                "Action name '{}' is used more than once in stage '{}'",
                one.name, found.name
            );
            let problem = action(15, actions.index(place).field("name"), message);
            problems.push(problem.with_help("rename one of the actions"));
        }
    }
    if !found.blockers.is_empty() {
        let message = format!("Stage '{}' has blockers, which are reserved", found.name);
        let path = path.field("blockers");
        let problem = Problem::new(44, Exception::InvalidBlockerDeclaration, path, message);
        problems.push(problem.with_help("remove `blockers`; disable the transition instead"));
    }
}
