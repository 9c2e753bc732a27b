//! `GetPipeline` (spec 10).

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use model::{PipelineDeclaration, Rejection, Timestamp, declaration::normalise::masked};
use ports::World;

use crate::{OperationError, Resource, authorise, existing};

#[derive(Clone, Debug)]
pub struct GetPipeline {
    pub pipeline: String,
    /// The newest version, if none is named.
    pub version: Option<u32>,
    pub by: Caller,
}

/// A definition with its secrets masked, and when the pipeline was made and last updated.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub declaration: PipelineDeclaration,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// One version of a pipeline's definition.
pub async fn get_pipeline(world: &World, request: GetPipeline) -> Result<Pipeline, OperationError> {
    let GetPipeline {
        pipeline,
        version,
        by,
    } = request;
    let resource = Resource::Pipeline(&pipeline);
    authorise(world, &by, "GetPipeline", resource, &BTreeMap::new()).await?;
    let state = existing(world, &pipeline).await?;
    let found: Option<Arc<PipelineDeclaration>> = match version {
        Some(version) => world.pipelines.definition(&pipeline, version).await?,
        None => state.current_definition().cloned(),
    };
    let missing = || Rejection::PipelineVersionNotFound(version.unwrap_or(state.head.definition));
    let declaration = masked(&*found.ok_or_else(missing)?);
    Ok(Pipeline {
        declaration,
        created: state.head.created,
        updated: state.head.updated,
    })
}
