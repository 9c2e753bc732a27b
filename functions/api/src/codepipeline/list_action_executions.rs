//! `ListActionExecutions` (spec 10).

use model::{ActionStatus, PipelineDeclaration};
use operations::{ActionExecutionFilter, ListActionExecutions, list_action_executions};
use ports::store::{ActionExecution, ActionPosition};
use serde_json::{Value, json};

use super::{CodePipeline, execution_id, max_results, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

static FILTER: [Member; 2] = [
    shape::optional("pipelineExecutionId", shape::UUID),
    shape::optional("latestInPipelineExecution", shape::Kind::Structure(&LATEST)),
];

static LATEST: [Member; 2] = [
    shape::required("pipelineExecutionId", shape::UUID),
    shape::required("startTimeRange", shape::Kind::OneOf(&["Latest", "All"])),
];

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::optional("filter", shape::Kind::Structure(&FILTER)),
    shape::optional("maxResults", shape::Kind::Integer(1, 100)),
    shape::optional("nextToken", shape::NEXT_TOKEN),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let now = service.world.clock.now();
    let place = service.tokens.read(call.operation, &call.input, now);
    let place = place.map_err(|error| service.error(&error))?;
    let request = ListActionExecutions {
        pipeline: text(&call.input, "pipelineName"),
        filter: filter(&call.input["filter"])?,
        from: place.as_deref().and_then(read_place),
        limit: max_results(&call.input),
        by: call.caller,
    };
    let page = list_action_executions(&service.world, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let region = &service.world.account.region;
    let shown: Value = page
        .items
        .iter()
        .map(|(attempt, definition)| detail(attempt, definition, region))
        .collect();
    let next = page.next.map(|place| {
        let place = format!("{}.{}", place.before_execution, place.before_attempt);
        let tokens = &service.tokens;
        tokens.make(call.operation, &call.input, &place, now)
    });
    Ok(encode::object([
        ("actionExecutionDetails", shown),
        ("nextToken", json!(next)),
    ]))
}

/// Both members at once must mean the same execution (spec 10, our choice).
fn filter(filter: &Value) -> Result<Option<ActionExecutionFilter>, ApiError> {
    let plain = filter.get("pipelineExecutionId").filter(|id| !id.is_null());
    let latest = filter.get("latestInPipelineExecution");
    let Some(latest) = latest.filter(|latest| !latest.is_null()) else {
        let filter = plain.map(|_| ActionExecutionFilter {
            execution: execution_id(filter),
            latest: false,
        });
        return Ok(filter);
    };
    if plain.is_some_and(|plain| *plain != latest["pipelineExecutionId"]) {
        return Err(ApiError::validation(
            "the two members of the filter name different executions; give one of them",
        ));
    }
    Ok(Some(ActionExecutionFilter {
        execution: execution_id(latest),
        latest: latest["startTimeRange"] == "Latest",
    }))
}

fn read_place(place: &str) -> Option<ActionPosition> {
    let (execution, attempt) = place.split_once('.')?;
    Some(ActionPosition {
        before_execution: execution.parse().ok()?,
        before_attempt: attempt.parse().ok()?,
    })
}

fn detail(attempt: &ActionExecution, definition: &PipelineDeclaration, region: &str) -> Value {
    let job = &attempt.job;
    let declared = definition
        .stage(&job.key.stage)
        .and_then(|(_, stage)| stage.action(&job.key.action));
    let role = declared.and_then(|action| action.role_arn.clone());
    let namespace = declared.and_then(|action| action.namespace.clone());
    let configuration = declared.map(|action| &action.configuration);
    let configuration = configuration.unwrap_or(&job.configuration);
    let update = attempt.update.as_ref();
    let status = update.map_or(ActionStatus::InProgress, |update| update.status);
    let input = encode::object([
        ("actionTypeId", json!(job.action_type)),
        (
            "configuration",
            encode::configuration(&job.action_type, configuration),
        ),
        (
            "resolvedConfiguration",
            encode::configuration(&job.action_type, &job.configuration),
        ),
        ("roleArn", json!(role)),
        ("region", json!(job.region.as_deref().unwrap_or(region))),
        ("inputArtifacts", encode::artifacts(&job.inputs)),
        ("namespace", json!(namespace)),
    ]);
    encode::object([
        ("pipelineExecutionId", json!(job.key.execution)),
        ("actionExecutionId", json!(job.action_execution_id)),
        ("pipelineVersion", json!(job.pipeline_version)),
        ("stageName", json!(job.key.stage)),
        ("actionName", json!(job.key.action)),
        ("startTime", encode::time(job.started)),
        (
            "lastUpdateTime",
            encode::time(update.map_or(job.started, |update| update.at)),
        ),
        (
            "updatedBy",
            json!(update.and_then(|update| update.by.as_ref())),
        ),
        ("status", json!(encode::action_status(status))),
        ("input", input),
        ("output", output(attempt, status)),
    ])
}

fn output(attempt: &ActionExecution, status: ActionStatus) -> Value {
    let job = &attempt.job;
    let outputs = if status == ActionStatus::Succeeded {
        encode::artifacts(&job.outputs)
    } else {
        json!([])
    };
    let result = attempt.update.as_ref().map(|update| &update.output);
    let is_approval = job.action_type.category == model::ActionCategory::Approval;
    // The token of an open approval is found here for PARALLEL pipelines (spec 10).
    let token = (is_approval && status == ActionStatus::InProgress).then_some(job.key.token);
    let id = match (token, result) {
        (Some(token), _) => json!(token),
        (None, Some(result)) => json!(result.external_execution_id),
        (None, None) => Value::Null,
    };
    let error = attempt
        .update
        .as_ref()
        .and_then(|update| update.error.as_ref());
    let executed = encode::object([
        ("externalExecutionId", id),
        (
            "externalExecutionSummary",
            encode::summary(result.and_then(|result| result.summary.as_ref())),
        ),
        (
            "externalExecutionUrl",
            json!(result.and_then(|result| result.external_execution_url.as_ref())),
        ),
        (
            "errorDetails",
            error.map_or(Value::Null, encode::error_details),
        ),
    ]);
    json!({
        "outputArtifacts": outputs,
        "executionResult": executed,
        "outputVariables": result.map(|result| &*result.variables).cloned().unwrap_or_default(),
    })
}
