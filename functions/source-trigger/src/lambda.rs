//! The function as Lambda calls it: with an event of a service, or by the schedule that looks at the
//! sources of the pipelines that poll.

use aws::{Handled, Telemetry, telemetry::Level};
use ports::World;
use serde_json::{Value, json};

use crate::{Event, handle};

/// The function with what it needs.
pub struct Function {
    pub world: World,
    pub telemetry: Telemetry,
}

impl Function {
    /// Handles one call; an error fails it, and Lambda tries again. Says what was started:
    /// `{"started": [{"pipeline": …, "executionId": …}]}`.
    pub async fn handle(&self, event: Value) -> Handled {
        let event = if is_schedule(&event) {
            Event::Poll
        } else {
            Event::EventBridge(event.to_string())
        };
        let mut started = Vec::new();
        for one in handle(&self.world, event).await? {
            let execution = one.execution.to_string();
            self.telemetry.log(
                Level::Info,
                "a source changed",
                [
                    ("pipeline", json!(one.pipeline)),
                    ("execution_id", json!(execution)),
                    ("correlation_id", json!(execution)),
                ],
            );
            started.push(json!({"pipeline": one.pipeline, "executionId": execution}));
        }
        Ok(json!({ "started": started }))
    }
}

/// `{"poll": true}`, which the template's schedule sends, or what a schedule sends by itself.
fn is_schedule(event: &Value) -> bool {
    event["poll"] == true
        || (event["source"] == "aws.events" && event["detail-type"] == "Scheduled Event")
}
