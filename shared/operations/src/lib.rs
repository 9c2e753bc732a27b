//! The use cases, one file each: authorise, load, decide, commit, deliver.
//!
//! [`codebuild`] has those of projects and their builds.
//!
//! The API, the console and the command line are skins over these; none has a rule of its own.
//! Each operation that changes something answers when its change is on disk. What the change
//! ordered is delivered at once if that works, and by the sweep if it does not.

mod apply_inputs;
mod authorise;
pub mod codebuild;
mod create_pipeline;
mod delete_pipeline;
mod get_action_type;
mod get_pipeline;
mod get_pipeline_execution;
mod get_pipeline_state;
mod guarded;
mod list_action_executions;
mod list_action_types;
mod list_pipeline_executions;
mod list_pipelines;
mod list_tags_for_resource;
mod put_approval_result;
mod retry_stage_execution;
mod set_stage_transition;
mod start_pipeline_execution;
mod stop_pipeline_execution;
mod tag_resource;
mod tags;
mod untag_resource;
mod update_pipeline;

use std::sync::Arc;

use model::{
    Input, PipelineDeclaration, PipelineState, Rejection, Timestamp,
    declaration::{
        normalise::succeed,
        problem::Problem,
        support,
        validate::{Context, validate},
    },
};
use ports::{
    Decision, NoDecision, Request, StoreError, UpdateError, Updated, World, deliver,
    objects::ObjectError, update,
};
use thiserror::Error;

pub use access::Caller;
pub use apply_inputs::apply_inputs;
pub use authorise::{allow, pipeline_arn};
pub use create_pipeline::{CreatePipeline, create_pipeline};
pub use delete_pipeline::{DeletePipeline, delete_pipeline};
pub use get_action_type::{GetActionType, get_action_type};
pub use get_pipeline::{GetPipeline, Pipeline, get_pipeline};
pub use get_pipeline_execution::{GetPipelineExecution, get_pipeline_execution};
pub use get_pipeline_state::{
    ActionView, GetPipelineState, PipelineView, StageView, get_pipeline_state,
    pipeline_state_commit,
};
pub use list_action_executions::{
    ActionExecutionFilter, ListActionExecutions, list_action_executions,
};
pub use list_action_types::{ListActionTypes, list_action_types};
pub use list_pipeline_executions::{ListPipelineExecutions, list_pipeline_executions};
pub use list_pipelines::{ListPipelines, PipelineSummary, list_pipelines};
pub use list_tags_for_resource::{ListTagsForResource, list_tags_for_resource};
pub use put_approval_result::{PutApprovalResult, put_approval_result};
pub use retry_stage_execution::{RetryStageExecution, retry_stage_execution};
pub use set_stage_transition::{SetStageTransition, set_stage_transition, stage_behind};
pub use start_pipeline_execution::{StartPipelineExecution, start_pipeline_execution};
pub use stop_pipeline_execution::{StopPipelineExecution, stop_pipeline_execution};
pub use tag_resource::{TagResource, tag_resource};
pub use untag_resource::{UntagResource, untag_resource};
pub use update_pipeline::{UpdatePipeline, update_pipeline};

use authorise::{Resource, authorise};
use guarded::guarded;

/// How often a pipeline that has more to do than one commit holds is ticked at once: more than the
/// widest stage with every execution in it needs.
const TICKS_AT_ONCE_MAX: usize = 256;

/// Why an operation was not carried out.
#[derive(Debug, Error)]
pub enum OperationError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The declaration breaks rules of spec 20, or uses what is not supported.
    #[error("the declaration has {} problem(s), the first: {}", .0.len(), first(.0))]
    Invalid(Vec<Problem>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the pipeline is being changed by many others at once; try again")]
    Busy,
    /// The caller's policies do not allow it.
    #[error("{0}")]
    Denied(String),
    /// A defect of ours; the pipeline was left as it was.
    #[error("internal error: {0}")]
    Defect(String),
}

/// Part of a list, and where the next part begins, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, Next> {
    pub items: Vec<T>,
    pub next: Option<Next>,
}

/// The pipeline with its live executions; one that is being deleted is not there any more.
async fn existing(world: &World, pipeline: &str) -> Result<PipelineState, OperationError> {
    let loaded = world.pipelines.load(pipeline, None).await?;
    let state = loaded.map(|loaded| loaded.state);
    let state = state.filter(|state| !state.head.deleting);
    Ok(state.ok_or_else(|| Rejection::PipelineNotFound(pipeline.to_owned()))?)
}

fn first(problems: &[Problem]) -> &str {
    problems.first().map_or("none", |problem| &problem.message)
}

impl From<UpdateError> for OperationError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Rejected(rejection) => Self::Rejected(rejection),
            UpdateError::Store(error) => Self::Store(error),
            UpdateError::Contended => Self::Busy,
            UpdateError::Defect(what) => Self::Defect(what),
            UpdateError::TokenUsed(id) => Self::Defect(format!(
                "token of execution {id} in an operation that has none"
            )),
        }
    }
}

/// Applies one input and delivers what it orders.
async fn apply(
    world: &World,
    pipeline: &str,
    request: Request,
    input: &Input,
) -> Result<PipelineState, UpdateError> {
    let updated = update(world, pipeline, request, |state, now| {
        decide(state, input, now)
    })
    .await?;
    Ok(hand_out(world, pipeline, updated).await)
}

/// Delivers what a commit ordered, and goes on at once with what one commit could not hold.
///
/// The change is made: what cannot be delivered or begun now is the sweep's.
async fn hand_out(world: &World, pipeline: &str, updated: Updated) -> PipelineState {
    let Updated { mut state, outbox } = updated;
    if let Some(outbox) = outbox {
        let _ = deliver(world, outbox).await;
    }
    for _ in 0..TICKS_AT_ONCE_MAX {
        if !state.head.unsettled {
            break;
        }
        let request = Request {
            by: "pipewright".to_owned(),
            cause: "Tick".to_owned(),
            ..Request::default()
        };
        let decided = update(world, pipeline, request, |state, now| {
            decide(state, &Input::Tick, now)
        });
        let Ok(ticked) = decided.await else { break };
        state = ticked.state;
        if let Some(outbox) = ticked.outbox {
            let _ = deliver(world, outbox).await;
        }
    }
    state
}

fn decide(
    state: &mut PipelineState,
    input: &Input,
    now: Timestamp,
) -> Result<Decision, NoDecision> {
    guarded(|| {
        let effects = engine::step(state, input, now)?;
        conclude(state, effects)
    })
}

fn conclude(state: &PipelineState, effects: Vec<model::Effect>) -> Result<Decision, NoDecision> {
    engine::check(state).map_err(|violation| NoDecision::Defect(violation.to_string()))?;
    Ok(Decision {
        effects,
        deadline: engine::deadline(state),
    })
}

/// Makes sure that there are buckets for the artifacts of a declaration: nobody else makes them on a
/// machine that is no cloud, and nothing happens where they are there.
async fn make_artifact_buckets(
    world: &World,
    declaration: &PipelineDeclaration,
) -> Result<(), OperationError> {
    let one = declaration.artifact_store.iter();
    let many = declaration
        .artifact_stores
        .iter()
        .flat_map(|stores| stores.values());
    for store in one.chain(many) {
        let made = world.objects.create_bucket(&store.location).await;
        made.map_err(|error| match error {
            ObjectError::InvalidName(why) => Rejection::Validation(why).into(),
            error => OperationError::Store(StoreError::Unavailable {
                doing: format!("make the bucket `{}` for artifacts", store.location),
                source: error.into(),
            }),
        })?;
    }
    Ok(())
}

/// The declaration as it is to be stored, if it is valid and supported; `stored` is what it
/// replaces.
fn accept(
    world: &World,
    declaration: &PipelineDeclaration,
    stored: Option<&PipelineDeclaration>,
) -> Result<Arc<PipelineDeclaration>, OperationError> {
    let context = Context {
        region: &world.account.region,
        stored,
        ..Context::default()
    };
    let mut problems = validate(declaration, &context);
    problems.extend(support::refusals(declaration));
    if !problems.is_empty() {
        return Err(OperationError::Invalid(problems));
    }
    let mut accepted = declaration.clone();
    succeed(&mut accepted, stored);
    Ok(Arc::new(accepted))
}
