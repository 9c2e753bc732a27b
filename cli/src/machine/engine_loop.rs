//! Calls `stage_transition::handle` with the inputs of each pipeline, one call a pipeline at a
//! time: what arrives during a commit goes into the next one together.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures_util::FutureExt as _;
use model::Input;
use ports::World;
use stage_transition::Event;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::queues::{LocalQueues, Notice};

/// How many inputs one commit takes.
const INPUTS_PER_COMMIT: usize = 32;

/// How long a pipeline's inputs wait after the store failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// A pipeline's turn that ended, with the inputs that are to be tried again.
struct Turn {
    pipeline: String,
    again: Vec<Input>,
}

pub(crate) async fn run(
    world: World,
    queues: LocalQueues,
    mut inputs: mpsc::Receiver<(String, Input)>,
) {
    let context = (world, queues);
    let mut waiting: HashMap<String, Vec<Input>> = HashMap::new();
    let mut busy: HashSet<String> = HashSet::new();
    let mut turns: JoinSet<Turn> = JoinSet::new();
    loop {
        tokio::select! {
            received = inputs.recv() => {
                let Some((pipeline, input)) = received else { return };
                let mut fresh = HashSet::from([pipeline.clone()]);
                waiting.entry(pipeline).or_default().push(input);
                while let Ok((pipeline, input)) = inputs.try_recv() {
                    waiting.entry(pipeline.clone()).or_default().push(input);
                    fresh.insert(pipeline);
                }
                for pipeline in fresh {
                    begin(&context, pipeline, &mut waiting, &mut busy, &mut turns);
                }
            }
            Some(ended) = turns.join_next() => {
                let Ok(turn) = ended else { continue };
                busy.remove(&turn.pipeline);
                if !turn.again.is_empty() {
                    let mut inputs = turn.again;
                    inputs.extend(waiting.remove(&turn.pipeline).unwrap_or_default());
                    waiting.insert(turn.pipeline.clone(), inputs);
                }
                begin(&context, turn.pipeline, &mut waiting, &mut busy, &mut turns);
            }
        }
    }
}

fn begin(
    context: &(World, LocalQueues),
    pipeline: String,
    waiting: &mut HashMap<String, Vec<Input>>,
    busy: &mut HashSet<String>,
    turns: &mut JoinSet<Turn>,
) {
    if busy.contains(&pipeline) {
        return;
    }
    let Some(mut inputs) = waiting.remove(&pipeline) else {
        return;
    };
    if inputs.len() > INPUTS_PER_COMMIT {
        waiting.insert(pipeline.clone(), inputs.split_off(INPUTS_PER_COMMIT));
    }
    busy.insert(pipeline.clone());
    let (world, queues) = context.clone();
    turns.spawn(take_turn(world, queues, pipeline, inputs));
}

async fn take_turn(
    world: World,
    queues: LocalQueues,
    pipeline: String,
    inputs: Vec<Input>,
) -> Turn {
    let event = Event::Inputs {
        pipeline: pipeline.clone(),
        inputs: inputs.clone(),
    };
    let handled = AssertUnwindSafe(stage_transition::handle(&world, event));
    let what = match handled.catch_unwind().await {
        Ok(Ok(())) => {
            return Turn {
                pipeline,
                again: Vec::new(),
            };
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it failed unexpectedly".to_owned(),
    };
    // The results are not on disk yet, and nobody else has them.
    queues.notify(Notice::Trouble(format!(
        "pipeline `{pipeline}` cannot go on: {what}"
    )));
    sleep(PAUSE_AFTER_FAILURE).await;
    Turn {
        pipeline,
        again: inputs,
    }
}
