//! `GetPipelineExecution` (spec 10).

use model::{Execution, PipelineDeclaration};
use operations::{GetPipelineExecution, get_pipeline_execution};
use serde_json::{Value, json};

use super::{CodePipeline, execution_id, text};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Member},
};

pub(super) static SHAPE: &[Member] = &[
    shape::required("pipelineName", shape::NAME),
    shape::required("pipelineExecutionId", shape::UUID),
];

pub(super) async fn call(service: &CodePipeline, call: Call<'_>) -> Result<Value, ApiError> {
    let request = GetPipelineExecution {
        pipeline: text(&call.input, "pipelineName"),
        execution: execution_id(&call.input),
        by: call.caller,
    };
    let name = request.pipeline.clone();
    let found = get_pipeline_execution(&service.world, request).await;
    let (execution, definition) = found.map_err(|error| service.error(&error))?;
    let variables: Value = execution
        .variables
        .iter()
        .map(|(name, value)| json!({"name": name, "resolvedValue": value}))
        .collect();
    let shown = encode::object([
        ("pipelineName", json!(name)),
        ("pipelineVersion", json!(execution.definition)),
        ("pipelineExecutionId", json!(execution.id)),
        ("status", json!(encode::execution_status(execution.status))),
        ("statusSummary", json!(execution.status_summary)),
        ("artifactRevisions", revisions(&execution, &definition)),
        ("variables", variables),
        ("trigger", encode::trigger(&execution.trigger)),
        ("executionMode", json!(execution.mode)),
        ("executionType", json!("STANDARD")),
    ]);
    Ok(json!({"pipelineExecution": shown}))
}

/// What the source actions found, under the names of the artifacts that they made of it.
fn revisions(execution: &Execution, definition: &PipelineDeclaration) -> Value {
    let actions = definition.stages.iter().flat_map(|stage| &stage.actions);
    let found = actions.filter_map(|action| {
        let revision = execution.revisions.get(&action.name)?;
        let artifact = action.output_artifacts.first()?;
        Some(encode::object([
            ("name", json!(artifact.name)),
            ("revisionId", json!(revision.revision_id)),
            (
                "revisionChangeIdentifier",
                json!(revision.revision_change_identifier),
            ),
            (
                "revisionSummary",
                encode::summary(revision.revision_summary.as_ref()),
            ),
            (
                "created",
                revision.created.map_or(Value::Null, encode::time),
            ),
            ("revisionUrl", json!(revision.revision_url)),
        ]))
    });
    found.collect()
}
