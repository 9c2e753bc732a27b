//! Why an execution does nothing: it waits before a stage that is closed or that another is in.

use serde_json::Value;

use crate::{client::find::short, terminal::harmless};

/// What it waits for, by the state of its pipeline; nothing if it does not wait before a stage.
pub(in crate::command) fn reason(state: &Value, execution: &str) -> Option<String> {
    let stages = state["stageStates"].as_array()?;
    let is_own = |waiting: &Value| waiting["pipelineExecutionId"] == execution;
    let stage = stages.iter().find(|stage| {
        let none = Vec::new();
        let all = stage["inboundExecutions"].as_array().unwrap_or(&none);
        is_own(&stage["inboundExecution"]) || all.iter().any(is_own)
    })?;
    let name = stage["stageName"].as_str()?;
    let transition = &stage["inboundTransitionState"];
    if transition["enabled"] == Value::Bool(false) {
        let why = harmless(transition["disabledReason"].as_str().unwrap_or_default());
        let pipeline = state["pipelineName"].as_str().unwrap_or_default();
        return Some(format!(
            "waits before {name}, which is closed: {why}\n  pipewright stage enable {pipeline} {name}"
        ));
    }
    let holder = stage["latestExecution"]["pipelineExecutionId"].as_str()?;
    let id = short(holder);
    if let Some(action) = answerable(stage) {
        let pipeline = state["pipelineName"].as_str().unwrap_or_default();
        return Some(format!(
            "waits before {name}, behind {id}, which waits for an approval\n  \
             pipewright approve {pipeline}/{name}/{action}"
        ));
    }
    Some(format!(
        "waits before {name}, behind {id}, which is in it\n  pipewright exec show {id}"
    ))
}

/// The approval of a stage that waits for its answer: only those have a token.
fn answerable(stage: &Value) -> Option<&str> {
    let actions = stage["actionStates"].as_array()?;
    let action = actions.iter().find(|action| {
        let latest = &action["latestExecution"];
        latest["status"] == "InProgress" && latest["token"].is_string()
    })?;
    action["actionName"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_closed_stage_and_a_taken_one_are_told_apart() {
        let state = |enabled: bool| {
            json!({"pipelineName": "web", "stageStates": [
                {"stageName": "A", "latestExecution": {"pipelineExecutionId": "e1"}},
                {"stageName": "B",
                 "inboundExecution": {"pipelineExecutionId": "e1"},
                 "inboundExecutions": [{"pipelineExecutionId": "e1"}],
                 "latestExecution": {"pipelineExecutionId": "5f1c9e7a-1"},
                 "inboundTransitionState": {"enabled": enabled, "disabledReason": "freeze"}},
            ]})
        };
        assert_eq!(
            reason(&state(false), "e1").as_deref(),
            Some("waits before B, which is closed: freeze\n  pipewright stage enable web B")
        );
        assert_eq!(
            reason(&state(true), "e1").as_deref(),
            Some(
                "waits before B, behind 5f1c9e7a, which is in it\n  pipewright exec show 5f1c9e7a"
            )
        );
        assert_eq!(reason(&state(true), "e2"), None);
        let mut asks = state(true);
        asks["stageStates"][1]["actionStates"] = json!([
            {"actionName": "ok", "latestExecution": {"status": "InProgress", "token": "t"}}]);
        assert_eq!(
            reason(&asks, "e1").as_deref(),
            Some(
                "waits before B, behind 5f1c9e7a, which waits for an approval\n  \
                 pipewright approve web/B/ok"
            )
        );
        assert_eq!(reason(&json!({}), "e1"), None);
    }
}
