//! What happened to one pipeline, all at once: results of workers, and time.

use model::{Effect, ExecutionId, Input, PipelineState};
use ports::{Request, StoreError, UpdateError, World, update};

use crate::{OperationError, conclude, guarded::guarded, hand_out};

/// How many attempts one commit begins at most; the stores take no more.
const BEGUN_MAX: usize = 100;

/// Applies inputs that nobody can reject, in as few commits as can hold what they order, and
/// delivers that.
///
/// A late or repeated input changes nothing, so the whole call may be repeated. An input that cannot
/// be applied does not keep the others waiting; its error is told when all had their turn.
pub async fn apply_inputs(
    world: &World,
    pipeline: &str,
    inputs: &[Input],
) -> Result<(), OperationError> {
    let mut rest = inputs;
    let mut failed = None;
    // Each turn takes at least one input, so their number bounds the turns.
    while !rest.is_empty() {
        match apply_some(world, pipeline, rest).await {
            Ok(taken) => rest = &rest[taken..],
            Err(error) if rest.len() > 1 && is_of_an_input(&error) => {
                let (first, others) = rest.split_at(1);
                if let Err(error) = apply_some(world, pipeline, first).await {
                    failed.get_or_insert(error);
                }
                rest = others;
            }
            Err(error) => return Err(failed.unwrap_or(error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Whether one input may be to blame, so that the others are worth a try without it.
fn is_of_an_input(error: &OperationError) -> bool {
    match error {
        OperationError::Defect(_) | OperationError::Store(StoreError::TooLarge { .. }) => true,
        OperationError::Rejected(_)
        | OperationError::Invalid(_)
        | OperationError::Store(
            StoreError::Conflict
            | StoreError::Ambiguous
            | StoreError::Unavailable { .. }
            | StoreError::Corrupt { .. },
        )
        | OperationError::Busy
        | OperationError::Denied(_) => false,
    }
}

/// Applies the first of the inputs, as many as one commit holds; says how many.
async fn apply_some(
    world: &World,
    pipeline: &str,
    inputs: &[Input],
) -> Result<usize, OperationError> {
    let request = Request {
        by: "pipewright".to_owned(),
        cause: cause(inputs).to_owned(),
        also: None::<ExecutionId>,
        ..Request::default()
    };
    let mut taken = 0;
    let decide = |state: &mut PipelineState, now| {
        guarded(|| {
            let mut effects = Vec::new();
            taken = 0;
            for input in inputs {
                effects.extend(engine::step(state, input, now)?);
                taken += 1;
                if begun(&effects) + engine::ACTIONS_PER_COMMIT > BEGUN_MAX {
                    break;
                }
            }
            conclude(state, effects)
        })
    };
    match update(world, pipeline, request, decide).await {
        Ok(updated) => {
            hand_out(world, pipeline, updated).await;
            Ok(taken)
        }
        // The pipeline was deleted: its late results concern nobody.
        Err(UpdateError::Rejected(_)) => Ok(inputs.len()),
        Err(error) => Err(error.into()),
    }
}

fn begun(effects: &[Effect]) -> usize {
    let begins = |effect: &&Effect| match effect {
        Effect::Dispatch(_) | Effect::Ask(_) | Effect::Refuse(_) => true,
        Effect::Record(_) | Effect::Cancel(_) | Effect::Announce(_) => false,
    };
    effects.iter().filter(begins).count()
}

fn cause(inputs: &[Input]) -> &'static str {
    match inputs {
        [Input::Tick] => "Tick",
        _ => "ActionResults",
    }
}
