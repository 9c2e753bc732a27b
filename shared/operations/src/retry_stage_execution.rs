//! `RetryStageExecution` (spec 10; spec 30 §7).

use std::collections::BTreeMap;

use access::Caller;
use model::{ExecutionId, Input, declaration::RetryMode};
use ports::{Request, World};

use crate::{OperationError, Resource, apply, authorise};

#[derive(Clone, Debug)]
pub struct RetryStageExecution {
    pub pipeline: String,
    pub stage: String,
    pub execution: ExecutionId,
    pub mode: RetryMode,
    pub by: Caller,
}

/// Resumes a failed or stopped execution in the stage where it ended.
pub async fn retry_stage_execution(
    world: &World,
    request: RetryStageExecution,
) -> Result<(), OperationError> {
    let resource = Resource::Stage(&request.pipeline, &request.stage);
    let (operation, none) = ("RetryStageExecution", BTreeMap::new());
    authorise(world, &request.by, operation, resource, &none).await?;
    let input = Input::RetryRequested {
        stage: request.stage,
        execution: request.execution,
        mode: request.mode,
    };
    let update = Request {
        by: request.by.arn().to_owned(),
        cause: operation.to_owned(),
        also: Some(request.execution),
        ..Request::default()
    };
    apply(world, &request.pipeline, update, &input).await?;
    Ok(())
}
