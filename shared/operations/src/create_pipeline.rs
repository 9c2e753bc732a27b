//! `CreatePipeline` (spec 10).

use model::{Input, PipelineDeclaration, Rejection};
use ports::{Request, World, update};

use crate::{OperationError, accept, decide};

#[derive(Clone, Debug)]
pub struct CreatePipeline {
    pub declaration: PipelineDeclaration,
    pub by: String,
}

/// Saves version 1 of a new pipeline.
///
/// The first execution, which the API starts right after, is a start of its own.
pub async fn create_pipeline(world: &World, request: CreatePipeline) -> Result<(), OperationError> {
    let declaration = accept(world, &request.declaration, None)?;
    let name = declaration.name.clone();
    let input = Input::DefinitionChanged { declaration };
    let create = Request {
        by: request.by,
        cause: "CreatePipeline".to_owned(),
        create: true,
        ..Request::default()
    };
    update(world, &name, create, |state, now| {
        if state.head.definition > 0 {
            return Err(Rejection::PipelineNameInUse(name.clone()).into());
        }
        decide(state, &input, now)
    })
    .await?;
    Ok(())
}
