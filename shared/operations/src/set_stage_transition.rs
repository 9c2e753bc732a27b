//! `EnableStageTransition` and `DisableStageTransition` (spec 10; spec 30 §17).

use std::collections::BTreeMap;

use access::Caller;
use model::{Input, Rejection};
use ports::{Request, World};

use crate::{OperationError, Resource, apply, authorise, existing};

/// The longest reason for disabling a transition.
const REASON_CHARACTERS_MAX: usize = 300;

#[derive(Clone, Debug)]
pub struct SetStageTransition {
    pub pipeline: String,
    pub stage: String,
    pub enabled: bool,
    /// Why it is disabled; required for that.
    pub reason: Option<String>,
    pub by: Caller,
}

/// Opens or closes the way into a stage.
pub async fn set_stage_transition(
    world: &World,
    request: SetStageTransition,
) -> Result<(), OperationError> {
    let cause = if request.enabled {
        "EnableStageTransition"
    } else {
        "DisableStageTransition"
    };
    let resource = Resource::Stage(&request.pipeline, &request.stage);
    authorise(world, &request.by, cause, resource, &BTreeMap::new()).await?;
    if !request.enabled {
        check_reason(request.reason.as_deref().unwrap_or_default())?;
    }
    let input = Input::TransitionSet {
        stage: request.stage,
        enabled: request.enabled,
        reason: request.reason,
        by: request.by.arn().to_owned(),
    };
    let update = Request {
        by: request.by.arn().to_owned(),
        cause: cause.to_owned(),
        ..Request::default()
    };
    apply(world, &request.pipeline, update, &input).await?;
    Ok(())
}

/// The stage behind another one: its inbound transition is that one's outbound transition. None
/// behind the last stage.
pub async fn stage_behind(
    world: &World,
    by: &Caller,
    pipeline: &str,
    stage: &str,
) -> Result<Option<String>, OperationError> {
    let (resource, none) = (Resource::Stage(pipeline, stage), BTreeMap::new());
    authorise(world, by, "DisableStageTransition", resource, &none).await?;
    let state = existing(world, pipeline).await?;
    let definition = state.current_definition();
    let found = definition.and_then(|definition| Some((definition, definition.stage(stage)?.0)));
    let (definition, place) = found.ok_or_else(|| Rejection::StageNotFound(stage.to_owned()))?;
    Ok(definition
        .stages
        .get(place + 1)
        .map(|behind| behind.name.clone()))
}

fn check_reason(reason: &str) -> Result<(), Rejection> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!@ ().*?-".contains(c);
    let length = reason.chars().count();
    if (1..=REASON_CHARACTERS_MAX).contains(&length) && reason.chars().all(allowed) {
        return Ok(());
    }
    Err(Rejection::Validation(format!(
        "the reason must be 1 to {REASON_CHARACTERS_MAX} letters, digits, spaces or `!@().*?-`"
    )))
}
