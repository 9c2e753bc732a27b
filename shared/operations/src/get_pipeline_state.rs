//! `GetPipelineState` (spec 10; spec 40 §6).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use access::Caller;
use model::{
    ActionDeclaration, ActionStatus, Execution, ExecutionId, ExecutionMode, ExecutionStatus,
    PipelineState, Rejection, StageStatus, Timestamp,
    state::{StageRetry, Transition},
};
use ports::{World, store::ActionExecution};
use uuid::Uuid;

use crate::{OperationError, Resource, authorise, existing};

/// How many executions before the latest one of a stage are looked at for the run of an action that
/// the latest one did not come to.
const EARLIER_EXECUTIONS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub struct GetPipelineState {
    pub pipeline: String,
    pub by: Caller,
}

/// What goes on in a pipeline, stage by stage.
#[derive(Clone, Debug)]
pub struct PipelineView {
    pub name: String,
    pub version: u32,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub stages: Vec<StageView>,
}

#[derive(Clone, Debug)]
pub struct StageView {
    pub name: String,
    /// Who waits at the door, in the order in which they enter.
    pub inbound: Vec<(ExecutionId, ExecutionStatus)>,
    pub transition: Option<Transition>,
    /// The newest execution that entered, and how the stage stands.
    pub latest: Option<(ExecutionId, StageStatus)>,
    pub retry: Option<StageRetry>,
    pub actions: Vec<ActionView>,
}

#[derive(Clone, Debug)]
pub struct ActionView {
    pub declaration: ActionDeclaration,
    /// The newest run, whichever execution it belongs to.
    pub latest: Option<ActionExecution>,
}

/// The id of the pipeline's last commit: as long as that is the same, so is its state.
pub async fn pipeline_state_commit(
    world: &World,
    request: &GetPipelineState,
) -> Result<Uuid, OperationError> {
    let (resource, none) = (Resource::Pipeline(&request.pipeline), BTreeMap::new());
    authorise(world, &request.by, "GetPipelineState", resource, &none).await?;
    let seen = world.pipelines.glance(&request.pipeline).await?;
    let seen = seen.filter(|seen| !seen.is_deleting);
    let missing = || Rejection::PipelineNotFound(request.pipeline.clone());
    Ok(seen.ok_or_else(missing)?.commit)
}

/// What goes on in a pipeline. A PARALLEL one has no state beyond its transitions.
pub async fn get_pipeline_state(
    world: &World,
    request: GetPipelineState,
) -> Result<PipelineView, OperationError> {
    let GetPipelineState { pipeline, by } = request;
    let (resource, none) = (Resource::Pipeline(&pipeline), BTreeMap::new());
    authorise(world, &by, "GetPipelineState", resource, &none).await?;
    let state = existing(world, &pipeline).await?;
    let missing = || Rejection::PipelineNotFound(pipeline.clone());
    let definition = Arc::clone(state.current_definition().ok_or_else(missing)?);
    let is_parallel = definition.execution_mode == ExecutionMode::Parallel;
    let mut runs = Runs::new(world, &pipeline);
    let mut stages = Vec::with_capacity(definition.stages.len());
    for declared in &definition.stages {
        let head = state.head.stages.get(&declared.name);
        let transition = head.and_then(|head| head.transition.clone());
        let mut view = StageView {
            name: declared.name.clone(),
            inbound: Vec::new(),
            transition,
            latest: None,
            retry: None,
            actions: Vec::with_capacity(declared.actions.len()),
        };
        let latest = head.and_then(|head| head.latest).filter(|_| !is_parallel);
        let latest = match latest {
            Some(id) => runs.execution(&state, id).await?,
            None => None,
        };
        if let (Some(head), false) = (head, is_parallel) {
            for id in &head.inbound {
                let waiting = runs.execution(&state, *id).await?;
                view.inbound.extend(waiting.map(|it| (*id, it.status)));
            }
        }
        if let Some(latest) = &latest
            && let Some(passage) = latest.stages.get(&declared.name)
        {
            view.latest = Some((latest.id, passage.status));
            view.retry.clone_from(&passage.retry);
        }
        for action in &declared.actions {
            let run = match &latest {
                Some(latest) => runs.newest(latest, &declared.name, &action.name).await?,
                None => None,
            };
            view.actions.push(ActionView {
                declaration: action.clone(),
                latest: run,
            });
        }
        stages.push(view);
    }
    Ok(PipelineView {
        name: pipeline.clone(),
        version: state.head.definition,
        created: state.head.created,
        updated: state.head.updated,
        stages,
    })
}

/// The runs of actions, each execution read once.
struct Runs<'a> {
    world: &'a World,
    pipeline: &'a str,
    attempts: HashMap<ExecutionId, Vec<ActionExecution>>,
    /// Executions before one with that sequence number, newest first.
    earlier: HashMap<u64, Vec<Arc<Execution>>>,
}

impl<'a> Runs<'a> {
    fn new(world: &'a World, pipeline: &'a str) -> Self {
        Self {
            world,
            pipeline,
            attempts: HashMap::new(),
            earlier: HashMap::new(),
        }
    }

    async fn execution(
        &self,
        state: &PipelineState,
        id: ExecutionId,
    ) -> Result<Option<Arc<Execution>>, OperationError> {
        match state.executions.get(&id) {
            Some(live) => Ok(Some(Arc::clone(live))),
            None => Ok(self.world.pipelines.execution(self.pipeline, id).await?),
        }
    }

    /// The newest run of an action in that execution or, if it did not come to it, in an earlier one.
    async fn newest(
        &mut self,
        latest: &Execution,
        stage: &str,
        action: &str,
    ) -> Result<Option<ActionExecution>, OperationError> {
        let ran = |execution: &Execution| {
            let passage = execution.stages.get(stage);
            passage.is_some_and(|passage| passage.actions.contains_key(action))
        };
        if ran(latest) {
            return self.last_attempt(latest.id, stage, action).await;
        }
        if !self.earlier.contains_key(&latest.sequence) {
            let pipelines = &self.world.pipelines;
            let earlier = pipelines
                .executions(self.pipeline, latest.sequence, EARLIER_EXECUTIONS_MAX)
                .await?;
            self.earlier.insert(latest.sequence, earlier);
        }
        let earlier = self.earlier[&latest.sequence].iter();
        let found = earlier.clone().find(|execution| ran(execution));
        match found.map(|execution| execution.id) {
            Some(id) => self.last_attempt(id, stage, action).await,
            None => Ok(None),
        }
    }

    async fn last_attempt(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &str,
    ) -> Result<Option<ActionExecution>, OperationError> {
        if !self.attempts.contains_key(&id) {
            let pipelines = &self.world.pipelines;
            let attempts = pipelines.action_executions(self.pipeline, id).await?;
            self.attempts.insert(id, attempts);
        }
        let of_action = |attempt: &&ActionExecution| {
            attempt.job.key.stage == stage && attempt.job.key.action == action
        };
        Ok(self.attempts[&id].iter().rfind(of_action).cloned())
    }
}

impl ActionView {
    /// The token that an answer to the open approval must bear.
    pub fn open_approval(&self) -> Option<Uuid> {
        let latest = self.latest.as_ref()?;
        let is_approval =
            self.declaration.action_type_id.category == model::ActionCategory::Approval;
        let status = latest
            .update
            .as_ref()
            .map_or(ActionStatus::InProgress, |update| update.status);
        (is_approval && status == ActionStatus::InProgress).then_some(latest.job.key.token)
    }
}
