//! `ListPipelineExecutions` (spec 10; spec 40 §5).

use std::{collections::BTreeMap, sync::Arc};

use access::Caller;
use model::{Execution, StageStatus};
use ports::World;

use crate::{OperationError, Page, Resource, authorise, existing};

/// The most executions on one page.
const PAGE_MAX: usize = 100;

/// How many executions one call looks at for a page of those that a filter selects.
const LOOKED_AT_MAX: usize = 2_000;

#[derive(Clone, Debug)]
pub struct ListPipelineExecutions {
    pub pipeline: String,
    /// Only those that succeeded in this stage with the current definition.
    pub succeeded_in_stage: Option<String>,
    /// The sequence number of the last one looked at for the page before.
    pub before: Option<u64>,
    pub limit: Option<usize>,
    pub by: Caller,
}

/// A pipeline's executions, the newest first.
pub async fn list_pipeline_executions(
    world: &World,
    request: ListPipelineExecutions,
) -> Result<Page<Arc<Execution>, u64>, OperationError> {
    let (resource, none) = (Resource::Pipeline(&request.pipeline), BTreeMap::new());
    let operation = "ListPipelineExecutions";
    authorise(world, &request.by, operation, resource, &none).await?;
    let state = existing(world, &request.pipeline).await?;
    let limit = request.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let is_wanted = |execution: &Execution| match &request.succeeded_in_stage {
        None => true,
        Some(stage) => {
            execution.definition == state.head.definition
                && execution
                    .stages
                    .get(stage)
                    .is_some_and(|passage| passage.status == StageStatus::Succeeded)
        }
    };
    let mut before = request.before.unwrap_or(u64::MAX);
    let mut items = Vec::new();
    for _ in 0..LOOKED_AT_MAX / PAGE_MAX {
        let wanted = if request.succeeded_in_stage.is_some() {
            PAGE_MAX + 1
        } else {
            limit + 1
        };
        let pipelines = &world.pipelines;
        let found = pipelines.executions(&request.pipeline, before, wanted);
        let found = found.await?;
        let is_all = found.len() < wanted;
        for execution in found {
            if items.len() == limit {
                let next = Some(before);
                return Ok(Page { items, next });
            }
            before = execution.sequence;
            if is_wanted(&execution) {
                items.push(execution);
            }
        }
        if is_all {
            return Ok(Page { items, next: None });
        }
    }
    let next = Some(before);
    Ok(Page { items, next })
}
