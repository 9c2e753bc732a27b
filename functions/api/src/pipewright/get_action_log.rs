//! `GetActionLog`: what an action printed, from a place on.

use model::{ActionStatus, ExecutionId, Rejection};
use operations::{ActionExecutionFilter, ListActionExecutions, list_action_executions};
use serde_json::{Value, json};

use super::Pipewright;
use crate::{
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

/// How many lines one answer has at most.
const LINES_MAX: u64 = 10_000;

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("pipelineExecutionId", shape::UUID),
    shape::required("actionExecutionId", shape::UUID),
    shape::optional("offset", Kind::Integer(0, i64::MAX as u64)),
    shape::optional("limit", Kind::Integer(1, LINES_MAX)),
];

/// Whoever may list an execution's actions may read what they printed.
pub(super) async fn call(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    let text = |name: &str| call.input[name].as_str().unwrap_or_default();
    let execution = ExecutionId(text("pipelineExecutionId").parse().unwrap_or_default());
    let id = text("actionExecutionId");
    let offset = call.input["offset"].as_u64().unwrap_or(0);
    let limit = call.input["limit"].as_u64().unwrap_or(LINES_MAX);
    let mut request = ListActionExecutions {
        pipeline: text("pipelineName").to_owned(),
        filter: Some(ActionExecutionFilter {
            execution,
            latest: false,
        }),
        from: None,
        limit: None,
        by: call.caller.clone(),
    };
    // An execution has a bounded number of attempts, and the pages end with them.
    loop {
        let page = list_action_executions(&service.world, request.clone()).await;
        let page = page.map_err(|error| service.error(&error))?;
        let found = page
            .items
            .iter()
            .find(|(attempt, _)| attempt.job.action_execution_id.to_string() == id);
        if let Some((attempt, _)) = found {
            let update = attempt.update.as_ref();
            // What it printed is there before its end is known.
            let complete = update.is_some_and(|it| it.status != ActionStatus::InProgress);
            let stream = update.and_then(|it| it.output.log_stream.clone());
            let stream = stream.unwrap_or_else(|| id.to_owned());
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let read = service.logs.lines(&stream, offset, limit).await;
            let (lines, next) = read.map_err(|error| service.error(&error.into()))?;
            let complete = complete && lines.is_empty();
            return Ok(json!({"lines": lines, "nextOffset": next, "complete": complete}));
        }
        match page.next {
            Some(_) => request.from = page.next,
            None => break,
        }
    }
    let rejection = Rejection::ResourceNotFound(format!(
        "execution {execution} has no action execution {id}"
    ));
    Err(service.error(&rejection.into()))
}
