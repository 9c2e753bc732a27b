//! `ListTagsForResource` (spec 10).

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use ports::World;

use crate::{OperationError, Resource, authorise, tags};

#[derive(Clone, Debug)]
pub struct ListTagsForResource {
    pub arn: String,
    pub by: Caller,
}

/// The tags of a pipeline, all of them.
pub async fn list_tags_for_resource(
    world: &World,
    request: ListTagsForResource,
) -> Result<Arc<BTreeMap<String, String>>, OperationError> {
    let pipeline = tags::pipeline_of(&world.account, &request.arn)?;
    let (resource, none) = (Resource::Pipeline(&pipeline), BTreeMap::new());
    authorise(world, &request.by, "ListTagsForResource", resource, &none).await?;
    let loaded = world.pipelines.load(&pipeline, None).await?;
    let loaded = loaded.filter(|loaded| !loaded.state.head.deleting);
    let loaded = loaded.ok_or_else(|| tags::no_pipeline(&world.account, &pipeline))?;
    Ok(loaded.state.tags)
}
