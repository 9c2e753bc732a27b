//! `UpdatePipeline` (spec 10; spec 30 §4).

use std::collections::BTreeMap;

use access::Caller;
use model::{Input, PipelineDeclaration, Rejection};
use ports::{Request, UpdateError, World};

use crate::{OperationError, Resource, accept, apply, authorise, make_artifact_buckets, tags};

#[derive(Clone, Debug)]
pub struct UpdatePipeline {
    pub declaration: PipelineDeclaration,
    pub by: Caller,
}

/// Replaces the definition; returns it as it was stored.
pub async fn update_pipeline(
    world: &World,
    request: UpdatePipeline,
) -> Result<PipelineDeclaration, OperationError> {
    let name = request.declaration.name.clone();
    let (resource, none) = (Resource::Pipeline(&name), BTreeMap::new());
    authorise(world, &request.by, "UpdatePipeline", resource, &none).await?;
    let loaded = world.pipelines.load(&name, None).await?;
    let stored = loaded.and_then(|loaded| loaded.state.current_definition().cloned());
    let declaration = accept(world, &request.declaration, stored.as_deref())?;
    make_artifact_buckets(world, &declaration).await?;
    let input = Input::DefinitionChanged { declaration };
    let cause = "UpdatePipeline".to_owned();
    let update = Request {
        by: request.by.arn().to_owned(),
        cause,
        ..Request::default()
    };
    let state = match apply(world, &name, update, &input).await {
        Ok(state) => state,
        // The API's list of errors has no other word for it (spec 10, `UpdatePipeline`).
        Err(UpdateError::Rejected(Rejection::PipelineNotFound(_))) => {
            return Err(tags::no_pipeline(&world.account, &name).into());
        }
        Err(error) => return Err(error.into()),
    };
    let stored = state.current_definition().cloned();
    let stored =
        stored.ok_or_else(|| OperationError::Defect("a definition was lost".to_owned()))?;
    Ok(PipelineDeclaration::clone(&stored))
}
