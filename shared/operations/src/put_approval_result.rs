//! `PutApprovalResult` (spec 10; spec 30 §14).

use std::collections::BTreeMap;

use access::Caller;
use model::{ExecutionId, Input, Rejection, Timestamp, input::ApprovalDecision};
use ports::{Request, UpdateError, World};
use uuid::Uuid;

use crate::{OperationError, Resource, apply, authorise};

/// The longest comment of a person who decides.
const SUMMARY_CHARACTERS_MAX: usize = 512;

#[derive(Clone, Debug)]
pub struct PutApprovalResult {
    pub pipeline: String,
    pub stage: String,
    pub action: String,
    /// What the open request was asked with.
    pub token: Uuid,
    pub approved: bool,
    pub summary: String,
    pub by: Caller,
}

/// Applies a person's answer; returns when it was given.
pub async fn put_approval_result(
    world: &World,
    request: PutApprovalResult,
) -> Result<Timestamp, OperationError> {
    let PutApprovalResult { pipeline, by, .. } = request;
    let decision = ApprovalDecision {
        stage: request.stage,
        action: request.action,
        token: request.token,
        approved: request.approved,
        summary: request.summary,
        by: by.arn().to_owned(),
    };
    let resource = Resource::Action(&pipeline, &decision.stage, &decision.action);
    authorise(world, &by, "PutApprovalResult", resource, &BTreeMap::new()).await?;
    if decision.summary.chars().count() > SUMMARY_CHARACTERS_MAX {
        let message = format!("the summary is longer than {SUMMARY_CHARACTERS_MAX} characters");
        return Err(Rejection::Validation(message).into());
    }
    let input = Input::ApprovalDecided(decision.clone());
    let ask = |also| Request {
        by: decision.by.clone(),
        cause: "PutApprovalResult".to_owned(),
        also,
        ..Request::default()
    };
    match apply(world, &pipeline, ask(None), &input).await {
        Ok(state) => Ok(state.head.clock),
        // The execution may have ended: its token tells an answered approval from a wrong one.
        Err(UpdateError::Rejected(Rejection::InvalidApprovalToken)) => {
            let ended = latest_in_stage(world, &pipeline, &decision.stage).await?;
            let state = apply(world, &pipeline, ask(ended), &input).await?;
            Ok(state.head.clock)
        }
        Err(error) => Err(error.into()),
    }
}

async fn latest_in_stage(
    world: &World,
    pipeline: &str,
    stage: &str,
) -> Result<Option<ExecutionId>, OperationError> {
    let loaded = world.pipelines.load(pipeline, None).await?;
    Ok(loaded.and_then(|loaded| loaded.state.head.stages.get(stage)?.latest))
}
