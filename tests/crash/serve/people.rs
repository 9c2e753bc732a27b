//! Those who start executions, and those who answer approvals.

use std::{path::Path, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    Life, PIPELINES,
    ledger::{Decision, Start},
};
use crate::{program::content, served::chance::Chance};

/// How long somebody waits between two starts, in milliseconds.
const BETWEEN_STARTS: (u64, u64) = (20, 160);

/// How long somebody waits between two looks for approvals.
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// How many are answered in a look; the others wait, so that some always do.
const ANSWERS_PER_LOOK: usize = 3;

/// Starts executions until the server is gone; first those of which nobody knows whether they were.
pub(super) fn start(life: &Life<'_>, mut chance: Chance) {
    let unclear: Vec<String> = {
        let ledger = life.ledger.lock().expect("nobody failed");
        let unclear = ledger
            .starts
            .iter()
            .filter(|(_, it)| it.execution.is_none());
        unclear.map(|(token, _)| token.clone()).collect()
    };
    for token in unclear {
        if start_one(life, &token).is_none() {
            return;
        }
    }
    loop {
        let token = format!("{:016x}-{:016x}", chance.next(), chance.next());
        let (pipeline, _) = chance.pick(&PIPELINES);
        let start = Start {
            pipeline: (*pipeline).to_owned(),
            execution: None,
        };
        let mut ledger = life.ledger.lock().expect("nobody failed");
        ledger.starts.insert(token.clone(), start);
        drop(ledger);
        // Whoever is in doubt asks again, and is told the same.
        let times = if chance.happens(150) { 2 } else { 1 };
        for _ in 0..times {
            if start_one(life, &token).is_none() {
                return;
            }
        }
        if chance.happens(60) && stop_one(life, &token).is_none() {
            return;
        }
        let pause = chance.between(BETWEEN_STARTS);
        thread::sleep(Duration::from_millis(pause));
    }
}

/// Starts the execution of a token; none when the server was killed.
pub(super) fn start_one(life: &Life<'_>, token: &str) -> Option<()> {
    let pipeline = {
        let ledger = life.ledger.lock().expect("nobody failed");
        let Some(start) = ledger.starts.get(token) else {
            // It was refused.
            return Some(());
        };
        start.pipeline.clone()
    };
    let input = json!({"name": pipeline, "clientRequestToken": token});
    let answer = life.ask("StartPipelineExecution", &input)?;
    let mut ledger = life.ledger.lock().expect("nobody failed");
    let known = ledger.starts.get_mut(token).expect("it was noted");
    if answer.status == 200 {
        let id = answer.json()["pipelineExecutionId"]
            .as_str()
            .map(str::to_owned);
        let id = id.expect("an execution has an id");
        if let Some(before) = &known.execution {
            assert_eq!(*before, id, "token {token} started two executions");
        }
        known.execution = Some(id);
    } else {
        // Pipelines take only so many at a time, and a token that started one is no new one.
        let full = "ConcurrentPipelineExecutionsLimitExceededException";
        assert_eq!(answer.exception().as_deref(), Some(full), "{answer:?}");
        assert_eq!(known.execution, None, "token {token} was taken before");
        ledger.starts.remove(token);
    }
    Some(())
}

/// Stops the execution that a token started; none when the server was killed.
fn stop_one(life: &Life<'_>, token: &str) -> Option<()> {
    let (pipeline, execution) = {
        let ledger = life.ledger.lock().expect("nobody failed");
        let Some(start) = ledger.starts.get(token) else {
            return Some(());
        };
        (start.pipeline.clone(), start.execution.clone()?)
    };
    let input = json!({
        "pipelineName": pipeline, "pipelineExecutionId": execution, "abandon": true,
    });
    let answer = life.ask("StopPipelineExecution", &input)?;
    let ended = "PipelineExecutionNotStoppableException";
    match answer.status {
        200 => {
            let mut ledger = life.ledger.lock().expect("nobody failed");
            ledger.stopped.insert(execution);
        }
        // It has ended by itself, or was superseded.
        _ => assert_eq!(answer.exception().as_deref(), Some(ended), "{answer:?}"),
    }
    Some(())
}

/// Answers approvals until the server is gone.
pub(super) fn answer(life: &Life<'_>, mut chance: Chance) {
    loop {
        for (pipeline, _) in PIPELINES {
            let Some(open) = open_approvals(life, pipeline) else {
                return;
            };
            for approval in open.iter().take(ANSWERS_PER_LOOK) {
                let approves = !chance.happens(150);
                if answer_one(life, pipeline, approval, approves).is_none() {
                    return;
                }
            }
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// The approvals of a pipeline that wait; none when the server was killed.
pub(super) fn open_approvals(life: &Life<'_>, pipeline: &str) -> Option<Vec<Value>> {
    let input = json!({"pipelineName": pipeline, "maxResults": 100});
    let answer = life.ask("ListActionExecutions", &input)?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut details = answer.json();
    let details = details["actionExecutionDetails"].as_array_mut();
    let details = std::mem::take(details.expect("a list"));
    let is_open = |it: &Value| it["actionName"] == "approve" && it["status"] == "InProgress";
    // The oldest first, so that nobody waits for ever.
    Some(details.into_iter().rev().filter(is_open).collect())
}

/// Answers one; none when the server was killed.
pub(super) fn answer_one(
    life: &Life<'_>,
    pipeline: &str,
    approval: &Value,
    approves: bool,
) -> Option<()> {
    let text = |value: &Value| value.as_str().expect("it is there").to_owned();
    let execution = text(&approval["pipelineExecutionId"]);
    let token = text(&approval["output"]["executionResult"]["externalExecutionId"]);
    let decision = {
        let mut ledger = life.ledger.lock().expect("nobody failed");
        // The build is known to have succeeded, so what it noted is all that it will note.
        let marks = marks(life.marks, &execution, "Build");
        ledger.built.entry(execution.clone()).or_insert(marks);
        // Whoever got no answer gives the same one again.
        let decision = ledger.answers.entry(token.clone()).or_insert(Decision {
            pipeline: pipeline.to_owned(),
            execution,
            summary: format!("looked at {token}"),
            approved: approves,
            acknowledged: false,
        });
        decision.clone()
    };
    let status = if decision.approved {
        "Approved"
    } else {
        "Rejected"
    };
    let input = json!({
        "pipelineName": pipeline,
        "stageName": "Ask",
        "actionName": "approve",
        "token": token,
        "result": {"summary": decision.summary, "status": status},
    });
    let answer = life.ask("PutApprovalResult", &input)?;
    if answer.status == 200 {
        let mut ledger = life.ledger.lock().expect("nobody failed");
        let known = ledger.answers.get_mut(&token).expect("it was noted");
        assert!(!known.acknowledged, "it was answered twice: {answer:?}");
        known.acknowledged = true;
    } else {
        // It was stopped since, or the first answer had arrived.
        let expected = [
            "ApprovalAlreadyCompletedException",
            "InvalidApprovalTokenException",
        ];
        let exception = answer.exception().unwrap_or_default();
        assert!(expected.contains(&exception.as_str()), "{answer:?}");
    }
    Some(())
}

/// What the builds of a stage noted for an execution.
pub(super) fn marks(folder: &Path, execution: &str, stage: &str) -> String {
    content(&folder.join(format!("{execution}.{stage}")))
}
