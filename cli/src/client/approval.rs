//! An approval that waits for a person, and what they should know of it.

use model::Timestamp;
use serde_json::{Value, json};

use super::{
    ApiError, Client, find,
    history::{self, question},
    when,
};

/// How many executions of a pipeline may wait for approvals at once: the API's own limit.
const IN_PROGRESS_MAX: usize = 100;

/// An approval that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub pipeline: String,
    pub stage: String,
    pub action: String,
    pub execution: String,
    /// What an answer must carry.
    pub token: String,
    pub since: Option<Timestamp>,
    /// Nothing where only the state of the pipeline was asked for.
    pub question: String,
    /// How many newer executions wait behind it.
    pub behind: usize,
}

impl Approval {
    /// `web-shop/Deploy/approve`
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.pipeline, self.stage, self.action)
    }

    pub fn json(&self) -> Value {
        json!({
            "pipeline": self.pipeline,
            "stage": self.stage,
            "action": self.action,
            "execution": self.execution,
            "token": self.token,
            "since": self.since.map(crate::clock::date_and_time),
            "question": self.question,
            "newerExecutionsWaiting": self.behind,
        })
    }
}

/// What an answer can be given to in a pipeline: as [`of_pipeline`], but without the questions where
/// the state of the pipeline tells the rest, so that a key needs no more than `GetPipelineState`.
pub fn answerable(client: &Client, name: &str) -> Result<Vec<Approval>, ApiError> {
    let state = client.call("GetPipelineState", &json!({"name": name}))?;
    let (waiting, has_state) = open(&state);
    if !has_state {
        return with_questions(client, name, &waiting, has_state);
    }
    let mut approvals: Vec<Approval> = waiting.into_iter().map(|open| open.of(name)).collect();
    approvals.sort_by_key(|approval| approval.since);
    Ok(approvals)
}

/// What waits in a pipeline.
pub fn of_pipeline(client: &Client, name: &str) -> Result<Vec<Approval>, ApiError> {
    let state = client.call("GetPipelineState", &json!({"name": name}))?;
    let (waiting, has_state) = open(&state);
    with_questions(client, name, &waiting, has_state)
}

/// What waits by the state of a pipeline, and whether it has one: a pipeline whose executions run
/// side by side has none.
fn open(state: &Value) -> (Vec<Open>, bool) {
    let none = Vec::new();
    let stages = state["stageStates"].as_array().unwrap_or(&none);
    let has_state = stages
        .iter()
        .any(|stage| stage["latestExecution"].is_object());
    (stages.iter().flat_map(tokens).collect(), has_state)
}

fn with_questions(
    client: &Client,
    name: &str,
    waiting: &[Open],
    has_state: bool,
) -> Result<Vec<Approval>, ApiError> {
    // Without a state the executions are looked at.
    let executions: Vec<String> = if has_state {
        let mut ids: Vec<_> = waiting.iter().map(|w| w.execution.clone()).collect();
        ids.dedup();
        ids
    } else {
        let all = find::executions(client, name, IN_PROGRESS_MAX)?;
        let goes_on = all
            .iter()
            .filter(|summary| summary["status"] == "InProgress");
        let ids = goes_on.filter_map(|summary| summary["pipelineExecutionId"].as_str());
        ids.map(str::to_owned).collect()
    };
    let mut approvals = Vec::new();
    for execution in executions {
        for detail in history::actions(client, name, &execution)? {
            approvals.extend(approval(name, &execution, &detail, waiting));
        }
    }
    approvals.sort_by_key(|approval| approval.since);
    Ok(approvals)
}

/// An approval that waits, as the state of its stage shows it.
struct Open {
    stage: String,
    action: String,
    execution: String,
    token: String,
    since: Option<Timestamp>,
    behind: usize,
}

impl Open {
    fn of(self, pipeline: &str) -> Approval {
        Approval {
            pipeline: pipeline.to_owned(),
            stage: self.stage,
            action: self.action,
            execution: self.execution,
            token: self.token,
            since: self.since,
            question: String::new(),
            behind: self.behind,
        }
    }
}

fn tokens(stage: &Value) -> Vec<Open> {
    let none = Vec::new();
    let actions = stage["actionStates"].as_array().unwrap_or(&none);
    let inbound = stage["inboundExecutions"].as_array().map_or(0, Vec::len);
    let behind = inbound.max(usize::from(stage["inboundExecution"].is_object()));
    let token = |action: &Value| {
        let latest = &action["latestExecution"];
        if latest["status"] != "InProgress" {
            return None;
        }
        Some(Open {
            stage: stage["stageName"].as_str()?.to_owned(),
            action: action["actionName"].as_str()?.to_owned(),
            execution: stage["latestExecution"]["pipelineExecutionId"]
                .as_str()?
                .to_owned(),
            token: latest["token"].as_str()?.to_owned(),
            since: when::timestamp(&latest["lastStatusChange"]),
            behind,
        })
    };
    actions.iter().filter_map(token).collect()
}

fn approval(pipeline: &str, execution: &str, detail: &Value, waiting: &[Open]) -> Option<Approval> {
    let is_open = detail["status"] == "InProgress"
        && detail["input"]["actionTypeId"]["category"] == "Approval";
    if !is_open {
        return None;
    }
    let (stage, action) = (
        detail["stageName"].as_str()?.to_owned(),
        detail["actionName"].as_str()?.to_owned(),
    );
    let known = waiting.iter().find(|token| {
        token.stage == stage && token.action == action && token.execution == execution
    });
    let external = detail["output"]["executionResult"]["externalExecutionId"].as_str();
    let token = known.map(|known| known.token.as_str()).or(external)?;
    Some(Approval {
        pipeline: pipeline.to_owned(),
        stage,
        action,
        execution: execution.to_owned(),
        token: token.to_owned(),
        since: when::timestamp(&detail["startTime"]),
        question: question(detail),
        behind: known.map_or(0, |known| known.behind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(status: &str, category: &str) -> Value {
        json!({
            "stageName": "Deploy", "actionName": "ok", "status": status, "startTime": 12,
            "input": {"actionTypeId": {"category": category},
                      "resolvedConfiguration": {"CustomData": "Ship it?"}},
            "output": {"executionResult": {"externalExecutionId": "external"}},
        })
    }

    #[test]
    fn the_state_of_a_stage_has_the_token_and_who_waits_behind() {
        let stage = json!({
            "stageName": "Deploy",
            "latestExecution": {"pipelineExecutionId": "e1"},
            "inboundExecutions": [{}, {}],
            "actionStates": [
                {"actionName": "ok", "latestExecution": {"status": "InProgress", "token": "t"}},
                {"actionName": "done", "latestExecution": {"status": "Succeeded", "token": "u"}},
                {"actionName": "new"},
            ],
        });
        let tokens = tokens(&stage);
        assert_eq!(tokens.len(), 1);
        let found = approval("p", "e1", &detail("InProgress", "Approval"), &tokens);
        let found = found.expect("an approval");
        assert_eq!((found.token.as_str(), found.behind), ("t", 2));
        assert_eq!(found.name(), "p/Deploy/ok");
        assert_eq!(found.question, "Ship it?");
        assert_eq!(found.json()["since"], "1970-01-01T00:00:12.000Z");
    }

    #[test]
    fn without_a_state_the_external_id_is_the_token() {
        let found = approval("p", "e1", &detail("InProgress", "Approval"), &[]);
        assert_eq!(found.map(|a| a.token).as_deref(), Some("external"));
    }

    #[test]
    fn what_has_ended_or_is_no_approval_does_not_wait() {
        assert_eq!(
            approval("p", "e", &detail("Succeeded", "Approval"), &[]),
            None
        );
        assert_eq!(
            approval("p", "e", &detail("InProgress", "Build"), &[]),
            None
        );
        assert_eq!(approval("p", "e", &json!({}), &[]), None);
    }
}
