//! `UntagResource` (spec 10).

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use model::Rejection;
use ports::{Decision, Request, UpdateError, World, update};

use crate::{OperationError, Resource, authorise, tags};

#[derive(Clone, Debug)]
pub struct UntagResource {
    pub arn: String,
    pub keys: Vec<String>,
    pub by: Caller,
}

/// Takes tags from a pipeline; keys that it does not have are passed over.
pub async fn untag_resource(world: &World, request: UntagResource) -> Result<(), OperationError> {
    let none = BTreeMap::new();
    let pipeline = tags::pipeline_of(&world.account, &request.arn)?;
    let resource = Resource::Pipeline(&pipeline);
    authorise(world, &request.by, "UntagResource", resource, &none).await?;
    for key in &request.keys {
        tags::check(key)?;
    }
    let untag = Request {
        by: request.by.arn().to_owned(),
        cause: "UntagResource".to_owned(),
        ..Request::default()
    };
    let updated = update(world, &pipeline, untag, |state, _| {
        if state.head.deleting {
            return Err(tags::no_pipeline(&world.account, &pipeline).into());
        }
        if request.keys.iter().any(|key| state.tags.contains_key(key)) {
            let tags = Arc::make_mut(&mut state.tags);
            tags.retain(|key, _| !request.keys.contains(key));
        }
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
