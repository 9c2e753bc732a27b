//! The plan for programs. `v` counts the changes that would break a reader.

use serde_json::{Value, json};

use super::{Plan, PlannedAction, kind, mode};

pub(super) fn render(plan: &Plan) -> String {
    let document = json!({
        "v": 1,
        "pipeline": {
            "name": plan.name,
            "pipelineType": kind(plan.kind),
            "executionMode": mode(plan.mode),
            "variables": plan.variables.iter().map(|variable| json!({
                "name": variable.name,
                "defaultValue": variable.default,
            })).collect::<Vec<_>>(),
        },
        "stages": plan.stages.iter().map(|stage| json!({
            "name": stage.name,
            "groups": stage.groups.iter().map(|group| {
                group.iter().map(action).collect::<Vec<_>>()
            }).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn action(action: &PlannedAction) -> Value {
    json!({
        "name": action.name,
        "category": format!("{:?}", action.kind.category),
        "provider": action.kind.provider,
        "runOrder": action.run_order,
        "inputArtifacts": action.inputs,
        "outputArtifacts": action.outputs,
        "namespace": action.namespace,
        "detail": action.detail,
        "supported": action.supported,
    })
}
