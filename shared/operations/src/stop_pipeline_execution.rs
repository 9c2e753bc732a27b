//! `StopPipelineExecution` (spec 10; spec 30 §6).

use std::collections::BTreeMap;

use access::Caller;
use model::{ExecutionId, Input, Rejection};
use ports::{Request, World};

use crate::{OperationError, Resource, apply, authorise};

/// The longest reason for a stop.
const REASON_CHARACTERS_MAX: usize = 200;

#[derive(Clone, Debug)]
pub struct StopPipelineExecution {
    pub pipeline: String,
    pub execution: ExecutionId,
    /// End running actions at once instead of waiting for them.
    pub abandon: bool,
    pub reason: Option<String>,
    pub by: Caller,
}

/// Begins to stop an execution; it is Stopping, or Stopped already, when this returns.
pub async fn stop_pipeline_execution(
    world: &World,
    request: StopPipelineExecution,
) -> Result<(), OperationError> {
    let (resource, none) = (Resource::Pipeline(&request.pipeline), BTreeMap::new());
    let operation = "StopPipelineExecution";
    authorise(world, &request.by, operation, resource, &none).await?;
    check_reason(request.reason.as_deref().unwrap_or_default())?;
    let input = Input::StopRequested {
        execution: request.execution,
        abandon: request.abandon,
        reason: request.reason,
        by: request.by.arn().to_owned(),
    };
    let update = Request {
        by: request.by.arn().to_owned(),
        cause: operation.to_owned(),
        ..Request::default()
    };
    apply(world, &request.pipeline, update, &input).await?;
    Ok(())
}

fn check_reason(reason: &str) -> Result<(), Rejection> {
    if reason.chars().count() <= REASON_CHARACTERS_MAX {
        return Ok(());
    }
    let message = format!("the reason is longer than {REASON_CHARACTERS_MAX} characters");
    Err(Rejection::Validation(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_may_be_absent_and_is_not_long() {
        assert_eq!(check_reason(""), Ok(()));
        assert_eq!(check_reason(&"ü".repeat(200)), Ok(()));
        let refused = check_reason(&"r".repeat(201));
        let message = "the reason is longer than 200 characters".to_owned();
        assert_eq!(refused, Err(Rejection::Validation(message)));
    }
}
