//! Load, decide, commit: the one way to write a pipeline.

use std::sync::Arc;

use model::{
    Effect, ExecutionId, Job, PipelineState, Rejection, Timestamp,
    effect::ApprovalRequest,
    planted::{Bug, planted},
};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    World,
    store::{Audit, Commit, Doer, Loaded, Message, Outbox, StoreError},
};

/// How often a decision is made again because somebody else committed first. Each time somebody did
/// get on; where forty want to, one of them may have to try a hundred times.
const CONFLICTS_MAX: usize = 256;

/// What is to be decided, apart from the decision itself.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub by: String,
    pub cause: String,
    /// An execution to load although it may have ended.
    pub also: Option<ExecutionId>,
    /// Whether the pipeline may be created.
    pub create: bool,
    /// A client request token, for the execution that the decision starts.
    pub token: Option<(String, ExecutionId)>,
}

/// What a decision gives: the orders, and when to tick next.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    pub effects: Vec<Effect>,
    pub deadline: Option<Timestamp>,
}

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDecision {
    Rejected(Rejection),
    Defect(String),
}

impl From<Rejection> for NoDecision {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<NoDecision> for UpdateError {
    fn from(none: NoDecision) -> Self {
        match none {
            NoDecision::Rejected(rejection) => Self::Rejected(rejection),
            NoDecision::Defect(what) => Self::Defect(what),
        }
    }
}

/// What [`update`] did.
#[derive(Debug)]
pub struct Updated {
    /// The state as it is now.
    pub state: PipelineState,
    /// What to deliver; empty when the decision changed nothing.
    pub outbox: Option<Outbox>,
}

#[derive(Debug, Error)]
pub enum UpdateError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client request token started this execution before; nothing was done.
    #[error("the client request token was used for execution {0}")]
    TokenUsed(ExecutionId),
    /// The decision broke an invariant; nothing was written and the pipeline stays as it was.
    #[error("the decision would break an invariant: {0}")]
    Defect(String),
    #[error("the pipeline was changed by others {CONFLICTS_MAX} times in a row")]
    Contended,
}

/// Loads the pipeline, lets `decide` change its state, and commits the outcome; again from the
/// start when somebody else committed meanwhile.
///
/// A decision that changes nothing writes nothing. The caller delivers the outbox.
pub async fn update<F>(
    world: &World,
    pipeline: &str,
    request: Request,
    mut decide: F,
) -> Result<Updated, UpdateError>
where
    F: FnMut(&mut PipelineState, Timestamp) -> Result<Decision, NoDecision> + Send,
{
    for _ in 0..CONFLICTS_MAX {
        if let Some((token, _)) = &request.token
            && let Some(id) = world.pipelines.execution_by_token(pipeline, token).await?
        {
            return Err(UpdateError::TokenUsed(id));
        }
        let loaded = world.pipelines.load(pipeline, request.also).await?;
        let before = match loaded {
            Some(loaded) => loaded,
            None if request.create => created(pipeline),
            None => return Err(Rejection::PipelineNotFound(pipeline.to_owned()).into()),
        };
        let now = world.clock.now();
        let mut state = before.state.clone();
        let decision = decide(&mut state, now)?;
        if state == before.state && decision.effects.is_empty() {
            return Ok(Updated {
                state,
                outbox: None,
            });
        }
        let mut commit = commit(world, &request, &before, state, decision, now);
        if planted(Bug::NoVersionCheck) {
            let newest = world.pipelines.load(pipeline, None).await?;
            commit.expected_version = newest.as_ref().map_or(0, |newest| newest.version);
            commit.expected_commit = newest.map_or_else(Uuid::nil, |newest| newest.commit);
        }
        let (id, messages, state) = (commit.id, commit.outbox.clone(), commit.state.clone());
        match world.pipelines.commit(commit).await {
            Ok(number) => {
                let outbox = Some(Outbox {
                    commit: number,
                    at: now,
                    messages,
                });
                return Ok(Updated { state, outbox });
            }
            Err(StoreError::Ambiguous) if planted(Bug::CommitNotReadBack) => {
                let outbox = None;
                return Ok(Updated { state, outbox });
            }
            // Our own commit may be the one that moved the version: the sweep delivers its outbox.
            Err(StoreError::Conflict | StoreError::Ambiguous) => {
                if committed(world, pipeline, &request, id).await? {
                    return Ok(Updated {
                        state,
                        outbox: None,
                    });
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateError::Contended)
}

fn created(pipeline: &str) -> Loaded {
    Loaded {
        state: PipelineState::empty(pipeline),
        version: 0,
        commit: Uuid::nil(),
    }
}

async fn committed(
    world: &World,
    pipeline: &str,
    request: &Request,
    id: Uuid,
) -> Result<bool, StoreError> {
    let loaded = world.pipelines.load(pipeline, request.also).await?;
    Ok(loaded.is_some_and(|loaded| loaded.commit == id))
}

fn commit(
    world: &World,
    request: &Request,
    before: &Loaded,
    state: PipelineState,
    decision: Decision,
    now: Timestamp,
) -> Commit {
    let changed = changed(&before.state, &state);
    let new_definition = before.state.head.definition != state.head.definition;
    let mut commit = Commit {
        id: world.random.uuid(),
        expected_version: before.version,
        expected_commit: before.commit,
        changed,
        new_definition,
        new_tags: before.state.tags != state.tags,
        gone: state.is_gone(),
        state,
        begun: Vec::new(),
        updates: Vec::new(),
        outbox: Vec::with_capacity(decision.effects.len()),
        token: request
            .token
            .clone()
            .filter(|_| !planted(Bug::RequestTokenNotKept)),
        deadline: decision.deadline,
        audit: Audit {
            at: now,
            by: request.by.clone(),
            cause: request.cause.clone(),
        },
    };
    for effect in decision.effects {
        place(&mut commit, effect);
    }
    commit
}

/// Which executions the decision touched: the engine copies what it changes and shares the rest.
fn changed(before: &PipelineState, after: &PipelineState) -> Vec<ExecutionId> {
    let is_same = |id: &ExecutionId, now| {
        before
            .executions
            .get(id)
            .is_some_and(|was| Arc::ptr_eq(was, now) || was == now)
    };
    let touched = after
        .executions
        .iter()
        .filter(|(id, now)| !is_same(id, now));
    touched.map(|(id, _)| *id).collect()
}

fn place(commit: &mut Commit, effect: Effect) {
    match effect {
        Effect::Dispatch(job) => {
            let job: Arc<Job> = Arc::from(job);
            commit.begun.push((Arc::clone(&job), Doer::Worker));
            commit.outbox.push(Message::Job(job));
        }
        Effect::Ask(job) => {
            let job: Arc<Job> = Arc::from(job);
            commit.outbox.push(Message::Ask(question(&job)));
            commit.begun.push((job, Doer::Person));
        }
        Effect::Refuse(job) => commit.begun.push((Arc::from(job), Doer::Nobody)),
        Effect::Record(update) => commit.updates.push(*update),
        Effect::Cancel(key) => commit.outbox.push(Message::Cancel(*key)),
        Effect::Announce(change) => commit.outbox.push(Message::Change(*change)),
    }
}

fn question(job: &Job) -> ApprovalRequest {
    let of = |key: &str| job.configuration.get(key).cloned();
    ApprovalRequest {
        key: job.key.clone(),
        expires: job.until,
        custom_data: of("CustomData"),
        external_entity_link: of("ExternalEntityLink"),
        notification_arn: of("NotificationArn"),
    }
}
