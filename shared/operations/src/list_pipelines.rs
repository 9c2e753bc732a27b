//! `ListPipelines` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::{ExecutionMode, PipelineType, Timestamp};
use ports::World;

use crate::{OperationError, Page, Resource, authorise};

/// The most pipelines on one page.
const PAGE_MAX: usize = 1_000;

#[derive(Clone, Debug)]
pub struct ListPipelines {
    /// The last name of the page before.
    pub after: Option<String>,
    pub limit: Option<usize>,
    pub by: Caller,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineSummary {
    pub name: String,
    pub version: u32,
    pub pipeline_type: PipelineType,
    pub execution_mode: ExecutionMode,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// The pipelines in the order of their names.
pub async fn list_pipelines(
    world: &World,
    request: ListPipelines,
) -> Result<Page<PipelineSummary, String>, OperationError> {
    let none = BTreeMap::new();
    authorise(world, &request.by, "ListPipelines", Resource::None, &none).await?;
    let limit = request.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let after = request.after.unwrap_or_default();
    // One more tells whether there is another page.
    let mut names = world.pipelines.pipelines(&after, limit + 1).await?;
    let next = (names.len() > limit).then(|| names[limit - 1].clone());
    names.truncate(limit);
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        let Some(loaded) = world.pipelines.load(&name, None).await? else {
            continue;
        };
        let head = &loaded.state.head;
        if head.deleting {
            continue;
        }
        items.extend(
            loaded
                .state
                .current_definition()
                .map(|definition| PipelineSummary {
                    name,
                    version: head.definition,
                    pipeline_type: definition.pipeline_type,
                    execution_mode: definition.execution_mode,
                    created: head.created,
                    updated: head.updated,
                }),
        );
    }
    Ok(Page { items, next })
}
