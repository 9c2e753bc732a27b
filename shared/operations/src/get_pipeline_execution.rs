//! `GetPipelineExecution` (spec 10).

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use model::{Execution, ExecutionId, PipelineDeclaration, Rejection};
use ports::World;

use crate::{OperationError, Resource, authorise, existing};

#[derive(Clone, Debug)]
pub struct GetPipelineExecution {
    pub pipeline: String,
    pub execution: ExecutionId,
    pub by: Caller,
}

/// One execution, and the definition that it runs on.
pub async fn get_pipeline_execution(
    world: &World,
    request: GetPipelineExecution,
) -> Result<(Arc<Execution>, Arc<PipelineDeclaration>), OperationError> {
    let GetPipelineExecution {
        pipeline,
        execution,
        by,
    } = request;
    let (resource, none) = (Resource::Pipeline(&pipeline), BTreeMap::new());
    authorise(world, &by, "GetPipelineExecution", resource, &none).await?;
    existing(world, &pipeline).await?;
    let missing = || Rejection::PipelineExecutionNotFound(execution);
    let found = world.pipelines.execution(&pipeline, execution).await?;
    let found = found.ok_or_else(missing)?;
    let version = found.definition;
    let definition = world.pipelines.definition(&pipeline, version).await?;
    Ok((found, definition.ok_or_else(missing)?))
}
