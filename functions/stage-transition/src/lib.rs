//! Results, time and sweeps become steps of the engine.
//!
//! The fast path and the sweep run the same code: a result that a message brings, a deadline that
//! the sweep finds, an outbox that a crash left behind.

#[cfg(feature = "lambda")]
pub mod lambda;

use model::{
    Input, Timestamp,
    planted::{Bug, planted},
};
use operations::{OperationError, apply_inputs};
use ports::{World, deliver};
use serde::{Deserialize, Serialize};

/// How many pipelines, outboxes and jobs one page of a sweep takes.
const PAGE: usize = 200;

/// How many pages one sweep takes; the next sweep goes on.
const PAGES_MAX: usize = 50;

/// An outbox younger than this is still being delivered by whoever committed it.
const DELIVERY_GRACE_MILLIS: i64 = 2_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// Something happened to a pipeline.
    Inputs {
        pipeline: String,
        inputs: Vec<Input>,
    },
    /// Look for what was missed; after a start, with `everything` that was left behind.
    Sweep { everything: bool },
    /// Offer every job that is still to be done to the workers.
    Offer,
}

/// Handles one event. It may be repeated after an error.
pub async fn handle(world: &World, event: Event) -> Result<(), OperationError> {
    match event {
        Event::Inputs { pipeline, inputs } => apply_inputs(world, &pipeline, &inputs).await,
        Event::Sweep { everything } => sweep(world, everything).await,
        Event::Offer => offer_open_jobs(world).await,
    }
}

/// Looks everywhere, whatever fails on the way: trouble with one pipeline, or one kind of work, must
/// not keep the others waiting. The first error is reported when all had their turn.
async fn sweep(world: &World, everything: bool) -> Result<(), OperationError> {
    let ticked = tick_due(world).await;
    let delivered = if planted(Bug::SweepSkipsOutbox) {
        Ok(())
    } else {
        deliver_left(world, everything).await
    };
    let offered = if everything {
        offer_open_jobs(world).await
    } else {
        Ok(())
    };
    ticked.and(delivered).and(offered)
}

/// Ticks the pipelines whose deadline has come. One that cannot be ticked does not keep the others
/// waiting; its error is reported when all had their turn.
async fn tick_due(world: &World) -> Result<(), OperationError> {
    let mut failed = None;
    for _ in 0..PAGES_MAX {
        let due = world.pipelines.due(world.clock.now(), PAGE).await?;
        let mut moved = false;
        for pipeline in &due {
            match apply_inputs(world, pipeline, &[Input::Tick]).await {
                Ok(()) => moved = true,
                Err(error) => failed = Some(error),
            }
        }
        if due.len() < PAGE || !moved {
            break;
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn deliver_left(world: &World, everything: bool) -> Result<(), OperationError> {
    let now = world.clock.now();
    let settled = Timestamp(now.0.saturating_sub(DELIVERY_GRACE_MILLIS));
    let mut failed = None;
    for _ in 0..PAGES_MAX {
        let left = world.pipelines.undelivered(PAGE).await?;
        let (count, mut delivered) = (left.len(), 0);
        for outbox in left {
            if !everything && outbox.at > settled {
                continue;
            }
            match deliver(world, outbox).await {
                Ok(()) => delivered += 1,
                Err(error) => failed = Some(error),
            }
        }
        if count < PAGE || delivered < count {
            break;
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Offers every job that is still to be done: its worker may have died. Whoever does it already
/// drops the repeat.
async fn offer_open_jobs(world: &World) -> Result<(), OperationError> {
    let mut after = None;
    loop {
        let jobs = world.pipelines.open_jobs(after, PAGE).await?;
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        after = Some(last.action_execution_id);
        for job in jobs {
            world.queues.offer(job).await?;
        }
    }
}
