//! The executions that a newer definition ends: those in progress that share stages. Nobody who
//! changes a pipeline must learn from a release that never came that it was cancelled.

use serde_json::{Value, json};

use crate::client::{
    ApiError, Client,
    find::{self, short},
};

/// How many executions are looked through: the API's own limit of those in progress is below.
const EXECUTIONS_MAX: usize = 1_000;
/// How many of them a message names.
const NAMED_MAX: usize = 8;

/// An execution that ends with a change, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    execution: String,
    /// `waits before Release`, `in Build`; nothing when it is in no stage.
    place: Option<String>,
}

impl Ending {
    pub(super) fn json(&self) -> Value {
        json!({"execution": self.execution, "place": self.place})
    }
}

/// Which executions a change of this pipeline would end; asked before the change is made.
pub(super) fn executions(client: &Client, name: &str) -> Result<Vec<Ending>, ApiError> {
    let all = find::executions(client, name, EXECUTIONS_MAX)?;
    let ending: Vec<&str> = all.iter().filter_map(ends).collect();
    if ending.is_empty() {
        return Ok(Vec::new());
    }
    let state = client.call("GetPipelineState", &json!({"name": name}))?;
    let with_place = |execution: &str| Ending {
        execution: execution.to_owned(),
        place: place(&state, execution),
    };
    Ok(ending.into_iter().map(with_place).collect())
}

/// The id of an execution that a newer definition ends. Those that run side by side go on with the
/// definition that they began with.
fn ends(summary: &Value) -> Option<&str> {
    let shares = summary["executionMode"] != "PARALLEL";
    let goes_on = summary["status"] == "InProgress";
    let id = summary["pipelineExecutionId"].as_str();
    id.filter(|_| shares && goes_on)
}

fn place(state: &Value, execution: &str) -> Option<String> {
    let is_own = |of: &Value| of["pipelineExecutionId"] == execution;
    let none = Vec::new();
    let stages = state["stageStates"].as_array()?;
    stages.iter().find_map(|stage| {
        let name = stage["stageName"].as_str()?;
        let inbound = stage["inboundExecutions"].as_array().unwrap_or(&none);
        if is_own(&stage["inboundExecution"]) || inbound.iter().any(is_own) {
            return Some(format!("waits before {name}"));
        }
        let latest = &stage["latestExecution"];
        let is_in = is_own(latest) && latest["status"] == "InProgress";
        is_in.then(|| {
            if waits_for_answer(stage) {
                format!("waits in {name}")
            } else {
                format!("in {name}")
            }
        })
    })
}

/// Whether an approval of the stage waits: only those have a token.
fn waits_for_answer(stage: &Value) -> bool {
    let none = Vec::new();
    let actions = stage["actionStates"].as_array().unwrap_or(&none);
    actions.iter().any(|action| {
        let latest = &action["latestExecution"];
        latest["status"] == "InProgress" && latest["token"].is_string()
    })
}

/// `1 execution ends with this change: 5d32551e (waits in Release)`; nothing when none does.
pub(super) fn line(endings: &[Ending]) -> Option<String> {
    let count = endings.len();
    let named = endings.iter().take(NAMED_MAX).map(|ending| {
        let id = short(&ending.execution);
        match &ending.place {
            Some(place) => format!("{id} ({place})"),
            None => id.to_owned(),
        }
    });
    let named: Vec<String> = named.collect();
    let named = named.join(", ");
    let more = match count.saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match count {
        0 => None,
        1 => Some(format!("1 execution ends with this change: {named}")),
        _ => Some(format!(
            "{count} executions end with this change: {named}{more}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_stages_and_is_in_progress_ends() {
        let of = |status: &str, mode: &str| {
            let summary =
                json!({"pipelineExecutionId": "e", "status": status, "executionMode": mode});
            ends(&summary).is_some()
        };
        assert!(of("InProgress", "SUPERSEDED") && of("InProgress", "QUEUED"));
        assert!(!of("InProgress", "PARALLEL") && !of("Succeeded", "QUEUED"));
        // One that is being stopped ends by itself.
        assert!(!of("Stopping", "QUEUED"));
    }

    #[test]
    fn each_is_told_with_where_it_is() {
        let state = json!({"stageStates": [
            {"stageName": "Build", "inboundExecutions": [{"pipelineExecutionId": "e2"}],
             "latestExecution": {"pipelineExecutionId": "e3", "status": "InProgress"}},
            {"stageName": "Release",
             "latestExecution": {"pipelineExecutionId": "e1", "status": "InProgress"},
             "actionStates": [{"latestExecution": {"status": "InProgress", "token": "t"}}]},
        ]});
        let of = |id: &str| place(&state, id);
        assert_eq!(of("e1").as_deref(), Some("waits in Release"));
        assert_eq!(of("e2").as_deref(), Some("waits before Build"));
        assert_eq!(of("e3").as_deref(), Some("in Build"));
        assert_eq!(of("e4"), None);
        let ending = |id: &str| Ending {
            execution: id.to_owned(),
            place: of(id),
        };
        assert_eq!(line(&[]), None);
        assert_eq!(
            line(&[ending("e1")]).as_deref(),
            Some("1 execution ends with this change: e1 (waits in Release)")
        );
        assert_eq!(
            line(&[ending("e2"), ending("e4")]).as_deref(),
            Some("2 executions end with this change: e2 (waits before Build), e4")
        );
        let many = vec![ending("e4"); NAMED_MAX + 2];
        assert!(line(&many).is_some_and(|line| line.ends_with(", e4 and 2 more")));
    }
}
