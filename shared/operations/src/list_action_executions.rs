//! `ListActionExecutions` (spec 10; spec 40 §5).

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    sync::Arc,
};

use access::Caller;
use model::{ExecutionId, PipelineDeclaration, Rejection};
use ports::{
    World,
    store::{ActionExecution, ActionPosition},
};

use crate::{OperationError, Page, Resource, authorise, existing};

/// The most attempts on one page.
const PAGE_MAX: usize = 100;

#[derive(Clone, Debug)]
pub struct ListActionExecutions {
    pub pipeline: String,
    pub filter: Option<ActionExecutionFilter>,
    pub from: Option<ActionPosition>,
    pub limit: Option<usize>,
    pub by: Caller,
}

/// The attempts of one execution only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionExecutionFilter {
    pub execution: ExecutionId,
    /// Of each action the newest attempt alone.
    pub latest: bool,
}

/// An attempt with the definition that it ran on.
pub(crate) type Attempt = (ActionExecution, Arc<PipelineDeclaration>);

/// A pipeline's action executions, the newest first.
pub async fn list_action_executions(
    world: &World,
    request: ListActionExecutions,
) -> Result<Page<Attempt, ActionPosition>, OperationError> {
    let (resource, none) = (Resource::Pipeline(&request.pipeline), BTreeMap::new());
    let operation = "ListActionExecutions";
    authorise(world, &request.by, operation, resource, &none).await?;
    existing(world, &request.pipeline).await?;
    let limit = request.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let (found, next) = match request.filter {
        None => {
            let pipelines = &world.pipelines;
            pipelines
                .newest_action_executions(&request.pipeline, request.from, limit)
                .await?
        }
        Some(filter) => of_one(world, &request, filter, limit).await?,
    };
    let mut definitions: BTreeMap<u32, Arc<PipelineDeclaration>> = BTreeMap::new();
    let mut items = Vec::with_capacity(found.len());
    for attempt in found {
        let version = attempt.job.pipeline_version;
        let definition = match definitions.entry(version) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => {
                let pipelines = &world.pipelines;
                let found = pipelines.definition(&request.pipeline, version).await?;
                let found = found.ok_or(Rejection::PipelineVersionNotFound(version))?;
                Arc::clone(place.insert(found))
            }
        };
        items.push((attempt, definition));
    }
    Ok(Page { items, next })
}

/// An execution has as many attempts as one item can list, so all are read for each page.
async fn of_one(
    world: &World,
    request: &ListActionExecutions,
    filter: ActionExecutionFilter,
    limit: usize,
) -> Result<(Vec<ActionExecution>, Option<ActionPosition>), OperationError> {
    let (pipeline, execution) = (&request.pipeline, filter.execution);
    if world
        .pipelines
        .execution(pipeline, execution)
        .await?
        .is_none()
    {
        return Err(Rejection::PipelineExecutionNotFound(execution).into());
    }
    let mut found = world
        .pipelines
        .action_executions(pipeline, execution)
        .await?;
    // The place of the first one that was not on the page before, counted from the oldest.
    let rest = request
        .from
        .map_or(found.len(), |from| {
            usize::try_from(from.before_attempt).unwrap_or(usize::MAX)
        })
        .min(found.len());
    let mut newer = HashSet::new();
    if filter.latest {
        let is_newest: Vec<bool> = found
            .iter()
            .rev()
            .map(|it| newer.insert((it.job.key.stage.clone(), it.job.key.action.clone())))
            .collect();
        let mut kept = is_newest.into_iter().rev();
        found.retain(|_| kept.next().unwrap_or(false));
    }
    let rest = rest.min(found.len());
    let begin = rest.saturating_sub(limit);
    let page = found.drain(begin..rest).rev().collect();
    let next = (begin > 0).then_some(ActionPosition {
        before_execution: 0,
        before_attempt: begin as u64,
    });
    Ok((page, next))
}
