//! `UpdatePipeline` (spec 10; spec 30 §4).

use model::{Input, PipelineDeclaration};
use ports::{Request, World};

use crate::{OperationError, accept, apply};

#[derive(Clone, Debug)]
pub struct UpdatePipeline {
    pub declaration: PipelineDeclaration,
    pub by: String,
}

/// Replaces the definition; returns its new version.
pub async fn update_pipeline(
    world: &World,
    request: UpdatePipeline,
) -> Result<u32, OperationError> {
    let name = request.declaration.name.clone();
    let loaded = world.pipelines.load(&name, None).await?;
    let stored = loaded.and_then(|loaded| loaded.state.current_definition().cloned());
    let declaration = accept(world, &request.declaration, stored.as_deref())?;
    let input = Input::DefinitionChanged { declaration };
    let cause = "UpdatePipeline".to_owned();
    let update = Request {
        by: request.by,
        cause,
        ..Request::default()
    };
    let state = apply(world, &name, update, &input).await?;
    Ok(state.head.definition)
}
