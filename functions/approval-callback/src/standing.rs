//! How the approval stands that a link is about.

use std::sync::Arc;

use access::link::ApprovalLink;
use model::{
    ActionStatus, Execution, Timestamp,
    job::{ActionUpdate, Job},
};
use ports::{StoreError, World};
use uuid::Uuid;

/// How an approval stands.
pub(crate) enum Standing {
    /// It waits for an answer.
    Open(Box<Question>),
    Answered(Answer),
    /// It ended without an answer: stopped, out of time, overtaken, or its pipeline was changed.
    Over,
    /// There is no such attempt; perhaps its pipeline was deleted.
    Unknown,
}

/// What is to be decided.
pub(crate) struct Question {
    /// Proves to the engine that the answer is to this attempt.
    pub(crate) token: Uuid,
    pub(crate) job: Arc<Job>,
    pub(crate) execution: Arc<Execution>,
    /// How many newer executions wait behind this one.
    pub(crate) waiting: usize,
}

pub(crate) struct Answer {
    pub(crate) approved: bool,
    /// The ARN of whoever gave it.
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    pub(crate) comment: Option<String>,
}

pub(crate) async fn of(world: &World, link: &ApprovalLink) -> Result<Standing, StoreError> {
    let (store, pipeline) = (&world.pipelines, &link.pipeline);
    let attempts = store.action_executions(pipeline, link.execution).await?;
    let named = attempts.into_iter().find(|attempt| {
        let key = &attempt.job.key;
        key.stage == link.stage && key.action == link.action && key.attempt == link.attempt
    });
    let Some(named) = named else {
        return Ok(Standing::Unknown);
    };
    if let Some(update) = &named.update
        && update.status != ActionStatus::InProgress
    {
        return Ok(ended(update));
    }
    let execution = store.execution(pipeline, link.execution).await?;
    let (Some(execution), true) = (execution, store.is_open(&named.job.key).await?) else {
        return Ok(Standing::Over);
    };
    let head = store.load(pipeline, None).await?.map(|it| it.state.head);
    let inbound = head.and_then(|head| Some(head.stages.get(&link.stage)?.inbound.len()));
    Ok(Standing::Open(Box::new(Question {
        token: named.job.key.token,
        job: named.job,
        execution,
        waiting: inbound.unwrap_or_default(),
    })))
}

fn ended(update: &ActionUpdate) -> Standing {
    match &update.by {
        Some(by) if update.status != ActionStatus::Abandoned => Standing::Answered(Answer {
            approved: update.status == ActionStatus::Succeeded,
            by: by.clone(),
            at: update.at,
            comment: update.output.summary.clone(),
        }),
        Some(_) | None => Standing::Over,
    }
}
