//! `DeletePipeline` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::{Input, Rejection};
use ports::{Request, UpdateError, World};

use crate::{OperationError, Resource, apply, authorise};

#[derive(Clone, Debug)]
pub struct DeletePipeline {
    pub pipeline: String,
    pub by: Caller,
}

/// Deletes a pipeline with all that it is doing; one that is not there is deleted already.
///
/// What it has under way is abandoned first, as much with each commit as that can hold. The
/// pipeline takes nothing new from the first of them on, and the sweep ends what a crash leaves.
pub async fn delete_pipeline(world: &World, request: DeletePipeline) -> Result<(), OperationError> {
    let resource = Resource::Pipeline(&request.pipeline);
    let none = BTreeMap::new();
    authorise(world, &request.by, "DeletePipeline", resource, &none).await?;
    let update = Request {
        by: request.by.arn().to_owned(),
        cause: "DeletePipeline".to_owned(),
        ..Request::default()
    };
    match apply(world, &request.pipeline, update, &Input::PipelineDeleted).await {
        Ok(_) | Err(UpdateError::Rejected(Rejection::PipelineNotFound(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
