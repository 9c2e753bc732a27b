//! The plan as a graph for Graphviz.

use std::fmt::Write as _;

use super::Plan;

pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "digraph {} {{", quoted(&plan.name));
    text.push_str("  rankdir=LR; compound=true; fontname=\"sans-serif\";\n");
    text.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (number, stage) in plan.stages.iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{number} {{");
        let _ = writeln!(text, "    label={};", quoted(&stage.name));
        for action in stage.groups.iter().flatten() {
            let label = format!("{}\n{}", action.name, action.provider());
            let style = if action.supported {
                ""
            } else {
                ", style=\"rounded,dashed\""
            };
            let id = quoted(&format!("{}/{}", stage.name, action.name));
            let _ = writeln!(text, "    {id} [label={}{style}];", quoted(&label));
        }
        text.push_str("  }\n");
    }
    order(plan, &mut text);
    for (maker_stage, maker) in plan.actions() {
        for artifact in &maker.outputs {
            for (stage, action) in plan.actions().filter(|(_, a)| a.inputs.contains(artifact)) {
                let from = quoted(&format!("{}/{}", maker_stage.name, maker.name));
                let to = quoted(&format!("{}/{}", stage.name, action.name));
                let _ = writeln!(text, "  {from} -> {to} [label={}];", quoted(artifact));
            }
        }
    }
    text.push_str("}\n");
    text
}

/// What waits for what, apart from artifacts: groups of a stage, and stages.
fn order(plan: &Plan, text: &mut String) {
    let groups: Vec<_> = plan
        .stages
        .iter()
        .flat_map(|stage| stage.groups.iter().map(move |group| (stage, group)))
        .collect();
    for pair in groups.windows(2) {
        let [(before_stage, before), (after_stage, after)] = pair else {
            continue;
        };
        for before in *before {
            for after in *after {
                let from = quoted(&format!("{}/{}", before_stage.name, before.name));
                let to = quoted(&format!("{}/{}", after_stage.name, after.name));
                let _ = writeln!(text, "  {from} -> {to} [style=dotted, arrowhead=none];");
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
