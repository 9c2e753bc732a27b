//! The plan for people.

use std::fmt::Write as _;

use super::{Plan, PlannedAction, PlannedStage};

pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let actions = plan.actions().count();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Pipeline  {} ({}) · {} · {}",
        plan.name,
        plan.kind_and_mode(),
        count(plan.stages.len(), "stage"),
        count(actions, "action")
    );
    for variable in &plan.variables {
        let value = match &variable.default {
            Some(value) => format!("= {value}"),
            None => "must be given".to_owned(),
        };
        let _ = writeln!(text, "Variable  {} {value}", variable.name);
    }
    let names = plan
        .actions()
        .map(|(_, action)| action.name.chars().count())
        .max()
        .unwrap_or(0);
    let providers = plan
        .actions()
        .map(|(_, action)| action.provider().chars().count())
        .max()
        .unwrap_or(0);
    for (number, stage) in plan.stages.iter().enumerate() {
        let _ = writeln!(text, "\n{}. {}", number + 1, stage.name);
        for action in lines(stage, names, providers) {
            let _ = writeln!(text, "{}", action.trim_end());
        }
    }
    let missing: Vec<_> = plan
        .actions()
        .filter(|(_, action)| !action.supported)
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(
            text,
            "\nNot supported by this build; these actions would fail:"
        );
        for (stage, action) in missing {
            let _ = writeln!(
                text,
                "   {}/{}  {}",
                stage.name,
                action.name,
                action.provider()
            );
        }
    }
    text
}

fn lines(stage: &PlannedStage, names: usize, providers: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (step, group) in stage.groups.iter().enumerate() {
        for (at, action) in group.iter().enumerate() {
            let branch = match (group.len(), at) {
                (1, _) => '─',
                (_, 0) => '┬',
                (many, at) if at + 1 == many => '└',
                _ => '├',
            };
            let number = if at == 0 {
                (step + 1).to_string()
            } else {
                String::new()
            };
            let (name, provider) = (&action.name, action.provider());
            lines.push(format!(
                "   {number:>2} {branch} {name:<names$}  {provider:<providers$}  {}",
                flow(action)
            ));
        }
    }
    lines
}

fn flow(action: &PlannedAction) -> String {
    let mut parts = Vec::new();
    if !action.detail.is_empty() {
        parts.push(action.detail.clone());
    }
    let (inputs, outputs) = (action.inputs.join(", "), action.outputs.join(", "));
    match (inputs.is_empty(), outputs.is_empty()) {
        (true, true) => {}
        (false, true) => parts.push(format!("{inputs} →")),
        (true, false) => parts.push(format!("→ {outputs}")),
        (false, false) => parts.push(format!("{inputs} → {outputs}")),
    }
    if let Some(namespace) = &action.namespace {
        parts.push(format!("variables #{{{namespace}.…}}"));
    }
    parts.join("  ·  ")
}

/// `1 stage`, `2 stages`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
