//! What must be true in the end, when everything that was asked for has been done.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Life, PIPELINES,
    people::{answer_one, marks, open_approvals, start_one},
};

/// How long everything that goes on may take to end before it counts as stuck.
const END_WITHIN: Duration = Duration::from_mins(3);

/// How long to wait between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Lets everything end and fails when anything was lost, repeated or is stuck.
pub(super) fn check(life: &Life<'_>) {
    clear_up(life);
    let executions = wait_for_the_end(life);
    check_starts(life, &executions);
    for (id, execution) in &executions {
        check_actions(life, id, execution);
    }
    check_answers(life);
    check_marks(life);
}

/// An execution in the end.
struct Execution {
    pipeline: String,
    status: String,
    was_asked_for: bool,
}

/// Starts whatever nobody knows of having been started.
fn clear_up(life: &Life<'_>) {
    let tokens: Vec<String> = {
        let ledger = life.ledger.lock().expect("nobody failed");
        ledger.starts.keys().cloned().collect()
    };
    for token in tokens {
        // Those that were acknowledged are told the same id again.
        start_one(life, &token).expect("the server lives");
    }
}

fn wait_for_the_end(life: &Life<'_>) -> BTreeMap<String, Execution> {
    let began = Instant::now();
    loop {
        for (pipeline, _) in PIPELINES {
            for approval in open_approvals(life, pipeline).expect("the server lives") {
                answer_one(life, pipeline, &approval, true).expect("the server lives");
            }
        }
        let executions = executions(life);
        let goes_on = |it: &&Execution| matches!(it.status.as_str(), "InProgress" | "Stopping");
        let left = executions.values().filter(goes_on).count();
        if left == 0 {
            return executions;
        }
        assert!(began.elapsed() < END_WITHIN, "{left} executions are stuck");
        thread::sleep(LOOK);
    }
}

/// All executions, page by page.
fn executions(life: &Life<'_>) -> BTreeMap<String, Execution> {
    let mut all = BTreeMap::new();
    for (pipeline, _) in PIPELINES {
        let mut input = json!({"pipelineName": pipeline});
        loop {
            let page = life.server.expect("ListPipelineExecutions", &input);
            for one in page["pipelineExecutionSummaries"]
                .as_array()
                .expect("a list")
            {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let execution = Execution {
                    pipeline: pipeline.to_owned(),
                    status: text(&one["status"]),
                    was_asked_for: one["trigger"]["triggerType"] == "StartPipelineExecution",
                };
                let earlier = all.insert(text(&one["pipelineExecutionId"]), execution);
                assert!(earlier.is_none(), "it is listed twice: {one}");
            }
            if page["nextToken"].is_null() {
                break;
            }
            input["nextToken"] = page["nextToken"].clone();
        }
    }
    all
}

/// Every token has its execution, and every execution its token.
fn check_starts(life: &Life<'_>, executions: &BTreeMap<String, Execution>) {
    let ledger = life.ledger.lock().expect("nobody failed");
    let mut asked_for = BTreeSet::new();
    for (token, start) in &ledger.starts {
        let id = start.execution.as_ref().expect("all were cleared up");
        let found = executions.get(id);
        let found = found.unwrap_or_else(|| panic!("{id}, started with {token}, was lost"));
        assert_eq!(found.pipeline, start.pipeline);
        assert!(asked_for.insert(id), "two tokens have {id}");
    }
    for (id, execution) in executions {
        assert!(
            !execution.was_asked_for || asked_for.contains(id),
            "nobody's token started {id}"
        );
        if ledger.stopped.contains(id) {
            assert_eq!(execution.status, "Stopped", "{id} was stopped");
        }
    }
}

/// In an execution each action succeeds once, and all of them if it did.
fn check_actions(life: &Life<'_>, id: &str, execution: &Execution) {
    let input = json!({
        "pipelineName": execution.pipeline, "filter": {"pipelineExecutionId": id},
    });
    let details = life.server.expect("ListActionExecutions", &input);
    let details = details["actionExecutionDetails"]
        .as_array()
        .expect("a list");
    let mut succeeded = BTreeMap::new();
    for detail in details {
        assert_ne!(
            detail["status"], "InProgress",
            "it outlives its end: {detail}"
        );
        if detail["status"] == "Succeeded" {
            *succeeded
                .entry(detail["actionName"].to_string())
                .or_insert(0) += 1;
        }
        // A build may be lost to a crash, and is begun anew; no crash makes one fail.
        let of_build = detail["actionName"] == "build" || detail["actionName"] == "ship";
        assert!(
            !of_build || detail["status"] != "Failed",
            "a build failed: {detail}"
        );
    }
    assert!(
        succeeded.values().all(|count| *count == 1),
        "{id}: {succeeded:?}"
    );
    let all = ["checkout", "build", "approve", "ship"].len();
    assert!(
        execution.status != "Succeeded" || succeeded.len() == all,
        "{id} succeeded, and of its actions {succeeded:?}"
    );
}

/// Whoever was told that an answer arrived finds it.
fn check_answers(life: &Life<'_>) {
    let answers = life.ledger.lock().expect("nobody failed").answers.clone();
    for decision in answers.values().filter(|decision| decision.acknowledged) {
        let input = json!({
            "pipelineName": decision.pipeline,
            "filter": {"pipelineExecutionId": decision.execution},
        });
        let details = life.server.expect("ListActionExecutions", &input);
        let details = details["actionExecutionDetails"]
            .as_array()
            .expect("a list");
        let found = details.iter().find(|it| {
            let result = &it["output"]["executionResult"];
            result["externalExecutionSummary"] == decision.summary.as_str()
        });
        let found = found.unwrap_or_else(|| panic!("`{}` was lost", decision.summary));
        let expected = if decision.approved {
            "Succeeded"
        } else {
            "Failed"
        };
        assert_eq!(found["status"], expected, "{found}");
    }
}

/// No build ran twice in one life of the server, none of an action that had succeeded already, and
/// none that succeeded never ran.
fn check_marks(life: &Life<'_>) {
    let ledger = life.ledger.lock().expect("nobody failed");
    for (execution, before) in &ledger.built {
        let now = marks(life.marks, execution, "Build");
        assert_eq!(
            now, *before,
            "{execution} was built again after its success"
        );
        let ended = now.lines().any(|line| line.starts_with("ended"));
        assert!(ended, "{execution} was built without a build");
    }
    for start in ledger.starts.values() {
        let id = start.execution.as_deref().unwrap_or_default();
        for stage in ["Build", "Ship"] {
            let marks = marks(life.marks, id, stage);
            let mut seen = BTreeSet::new();
            for line in marks.lines() {
                assert!(seen.insert(line), "{id} {stage}: `{line}` twice");
            }
        }
    }
}
