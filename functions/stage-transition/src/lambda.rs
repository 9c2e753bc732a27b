//! The function as Lambda calls it: with a batch of inputs from the queue, by the schedule with a list
//! of what to look for, and by hand with an [`Event`]. What fails keeps nothing else from being done.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use aws::{
    Batch, Handled, Message, Telemetry, Until,
    telemetry::{Level, Unit, chain},
};
use model::Input;
use ports::World;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Event, handle};

/// The pauses before inputs are tried again within one call. What is given back to the queue waits
/// for its visibility to end, and so does everything behind it.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(10),
    Duration::from_secs(10),
];

/// The function with what it needs.
pub struct Function {
    pub world: World,
    pub telemetry: Telemetry,
    /// When the call that is handled now is over.
    pub until: Until,
}

/// What the queue of inputs brings.
#[derive(Deserialize)]
struct ToEngine {
    pipeline: String,
    input: Input,
}

/// What one pipeline is told, and where in the batch that stands.
#[derive(Default)]
struct Turn {
    places: Vec<usize>,
    inputs: Vec<Input>,
    /// When the first of them was sent.
    sent: Option<i64>,
}

impl Function {
    /// Handles one call; an error fails it, and Lambda tries again.
    pub async fn handle(&self, event: Value) -> Handled {
        if event.get("Records").is_some() {
            let batch = Batch::read(event)?;
            let failed = self.inputs(&batch).await;
            return Ok(batch.response(&failed));
        }
        let events: Vec<Event> = match event {
            Value::Array(_) => serde_json::from_value(event)?,
            one => vec![serde_json::from_value(one)?],
        };
        let mut result = Ok(Value::Null);
        for event in events {
            if let Err(error) = handle(&self.world, event).await {
                result = Err(error.into());
            }
        }
        result
    }

    /// Gives each pipeline all that the batch has for it, in order and in one turn; says which
    /// messages failed.
    async fn inputs(&self, batch: &Batch) -> HashSet<usize> {
        let mut failed = HashSet::new();
        let mut turns: BTreeMap<String, Turn> = BTreeMap::new();
        // What stands behind a message that cannot be read is given back with it, and not applied.
        let mut broken = HashSet::new();
        for (place, message) in batch.messages.iter().enumerate() {
            let group = message.group.as_deref();
            if group.is_some_and(|group| broken.contains(group)) {
                continue;
            }
            match serde_json::from_str::<ToEngine>(&message.body) {
                Ok(told) => turns
                    .entry(told.pipeline)
                    .or_default()
                    .add(place, message, told.input),
                Err(error) => {
                    failed.insert(place);
                    broken.extend(group);
                    self.telemetry.log(
                        Level::Error,
                        "a message cannot be read",
                        [
                            ("message_id", json!(message.id)),
                            ("error", json!(chain(&error))),
                        ],
                    );
                }
            }
        }
        for (pipeline, turn) in turns {
            if !self.take(&pipeline, &turn).await {
                failed.extend(turn.places);
            }
        }
        failed
    }

    /// One pipeline's turn; whether it was taken.
    async fn take(&self, pipeline: &str, turn: &Turn) -> bool {
        let event = Event::Inputs {
            pipeline: pipeline.to_owned(),
            inputs: turn.inputs.clone(),
        };
        let mut pauses = PAUSES.iter();
        loop {
            let result = handle(&self.world, event.clone()).await;
            let Err(error) = result else { break };
            let now = self.world.clock.now();
            let pause = pauses
                .next()
                .filter(|pause| self.until.has_time(now.plus(**pause)));
            self.telemetry.log(
                if pause.is_some() {
                    Level::Warning
                } else {
                    Level::Error
                },
                "a pipeline cannot go on",
                [
                    ("pipeline", json!(pipeline)),
                    ("error", json!(chain(&error))),
                    ("inputs", json!(turn.inputs.len())),
                ],
            );
            let Some(pause) = pause else { return false };
            sleep(*pause).await;
        }
        if let Some(sent) = turn.sent {
            let millis = self.world.clock.now().0.saturating_sub(sent);
            let millis = u32::try_from(millis.max(0)).unwrap_or(u32::MAX);
            self.telemetry.metrics(
                "a pipeline took its turn",
                &[("Pipeline", pipeline)],
                &[("TransitionLatencyMs", Unit::Milliseconds, f64::from(millis))],
                [
                    ("pipeline", json!(pipeline)),
                    ("inputs", json!(turn.inputs.len())),
                ],
            );
        }
        true
    }
}

impl Turn {
    fn add(&mut self, place: usize, message: &Message, input: Input) {
        self.places.push(place);
        self.inputs.push(input);
        self.sent = self.sent.or(message.sent);
    }
}
