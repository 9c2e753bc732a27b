//! `TagResource` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::Rejection;
use ports::{Decision, Request, UpdateError, World, update};

use crate::{OperationError, Resource, authorise, tags};

#[derive(Clone, Debug)]
pub struct TagResource {
    pub arn: String,
    pub tags: Vec<(String, String)>,
    pub by: Caller,
}

/// Adds tags to a pipeline, or changes their values.
pub async fn tag_resource(world: &World, request: TagResource) -> Result<(), OperationError> {
    let wanted: BTreeMap<String, String> = request.tags.iter().cloned().collect();
    let pipeline = tags::pipeline_of(&world.account, &request.arn)?;
    let resource = Resource::Pipeline(&pipeline);
    authorise(world, &request.by, "TagResource", resource, &wanted).await?;
    let tag = Request {
        by: request.by.arn().to_owned(),
        cause: "TagResource".to_owned(),
        ..Request::default()
    };
    let updated = update(world, &pipeline, tag, |state, _| {
        if state.head.deleting {
            return Err(tags::no_pipeline(&world.account, &pipeline).into());
        }
        state.tags = tags::with(&state.tags, &request.tags, &request.arn)?;
        let deadline = engine::deadline(state);
        Ok(Decision {
            effects: Vec::new(),
            deadline,
        })
    });
    match updated.await {
        Ok(_) => Ok(()),
        Err(UpdateError::Rejected(Rejection::PipelineNotFound(_))) => {
            Err(tags::no_pipeline(&world.account, &pipeline).into())
        }
        Err(error) => Err(error.into()),
    }
}
