//! A change happened somewhere: start the pipelines that watch it.
//!
//! Two ways to learn of a change: an event (spec 90 §3), or a look at the source (spec 90 §7). A
//! source action says by `PollForSourceChanges` which of the two it wants. Both end in
//! `operations::start_pipeline_execution`, with a token that follows from the change, so that the
//! same change starts one execution however often it is told.

mod event;
#[cfg(feature = "lambda")]
pub mod lambda;
mod poll;

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ExecutionId, PipelineDeclaration, PipelineType,
    state::{SourceRevisionOverride, Trigger},
};
use operations::{Caller, OperationError, StartPipelineExecution, start_pipeline_execution};
use ports::{StoreError, World};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// How many pipelines one page of a search takes, and how many pages there may be.
const PAGE: usize = 500;
const PAGES_MAX: usize = 2_000;

/// Makes our tokens different from everybody else's.
const TOKENS: Uuid = Uuid::from_u128(0x5b1f_6f0e_54f7_4c0a_9d58_1d7b_8f4c_2a11);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// An EventBridge event, as JSON.
    EventBridge(String),
    /// Look at the sources of every pipeline that polls.
    Poll,
}

/// A pipeline that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub pipeline: String,
    pub execution: ExecutionId,
}

#[derive(Debug, Error)]
pub enum TriggerError {
    #[error("failed to understand the event")]
    Event(#[source] serde_json::Error),
    #[error("failed to start pipeline `{pipeline}`")]
    Start {
        pipeline: String,
        #[source]
        source: OperationError,
    },
    #[error("failed to look for the pipelines that watch a source")]
    Store(#[from] StoreError),
}

/// Handles one event. A repeated event starts nothing more.
///
/// A pipeline that cannot be started does not keep the others waiting; its error is told when all
/// had their turn, and the whole event may be handled again.
pub async fn handle(world: &World, event: Event) -> Result<Vec<Started>, TriggerError> {
    match event {
        Event::EventBridge(json) => event::handle(world, &json).await,
        Event::Poll => poll::handle(world).await,
    }
}

/// Why a pipeline is to be started.
struct Cause {
    trigger: Trigger,
    /// The same token starts one execution.
    token: String,
    /// The revisions that changed; those are built, and not what may have come since (R43).
    revisions: Vec<SourceRevisionOverride>,
}

/// Starts a pipeline, unless this very change started it before.
async fn start(
    world: &World,
    definition: &PipelineDeclaration,
    cause: Cause,
) -> Result<Option<Started>, TriggerError> {
    let pipeline = definition.name.clone();
    let earlier = world.pipelines.execution_by_token(&pipeline, &cause.token);
    if earlier.await?.is_some() {
        return Ok(None);
    }
    // A V1 pipeline takes no revisions: its sources take the newest when they run (spec 30 §12).
    let source_revisions = match definition.pipeline_type {
        PipelineType::V1 => Vec::new(),
        PipelineType::V2 => cause.revisions,
    };
    let request = StartPipelineExecution {
        pipeline: pipeline.clone(),
        trigger: cause.trigger,
        variables: BTreeMap::new(),
        source_revisions,
        client_request_token: Some(cause.token),
        by: Caller::owner("source-trigger"),
    };
    match start_pipeline_execution(world, request).await {
        Ok(execution) => Ok(Some(Started {
            pipeline,
            execution,
        })),
        Err(source) => Err(TriggerError::Start { pipeline, source }),
    }
}

/// What was started, and the first thing that went wrong.
#[derive(Default)]
struct Outcome {
    started: Vec<Started>,
    error: Option<TriggerError>,
}

impl Outcome {
    fn add(&mut self, one: Result<Option<Started>, TriggerError>) {
        match one {
            Ok(started) => self.started.extend(started),
            Err(error) if self.error.is_none() => self.error = Some(error),
            Err(_) => {}
        }
    }

    fn into_result(self) -> Result<Vec<Started>, TriggerError> {
        self.error.map_or(Ok(self.started), Err)
    }
}

/// A token that follows from what it names.
fn token(parts: &[&str]) -> String {
    Uuid::new_v5(&TOKENS, parts.join("\n").as_bytes()).to_string()
}

/// The current definition of every pipeline that may watch a place, of those that can be read; one
/// that cannot does not keep the others waiting (R15), and its error goes to the outcome.
async fn definitions(
    world: &World,
    place: &str,
    outcome: &mut Outcome,
) -> Result<Vec<Arc<PipelineDeclaration>>, StoreError> {
    let mut all = Vec::new();
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let page = world.pipelines.watchers(place, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for name in page {
            match world.pipelines.load(&name, None).await {
                Ok(loaded) => {
                    all.extend(loaded.and_then(|l| l.state.current_definition().cloned()));
                }
                Err(error) => outcome.add(Err(error.into())),
            }
        }
    }
    Ok(all)
}
