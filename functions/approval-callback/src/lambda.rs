//! The function as Lambda calls it: with the requests of an HTTP API.

use aws::{Handled, Telemetry, gateway, telemetry::Level};
use serde_json::{Value, json};

use crate::{Callback, handle};

/// The function with what it needs.
pub struct Function {
    pub callback: Callback,
    pub telemetry: Telemetry,
}

impl Function {
    /// Answers one request; an error fails the call, and whoever asked gets a 500.
    pub async fn handle(&self, event: Value) -> Handled {
        let received = gateway::request(event)?;
        let method = received.request.method().to_string();
        let response = handle(&self.callback, received.request).await;
        // The path is not told: whoever has the link can answer.
        self.telemetry.log(
            Level::Info,
            "request",
            [
                ("method", json!(method)),
                ("status", json!(response.status().as_u16())),
                ("source_ip", json!(received.source)),
                ("gateway_request_id", json!(received.id)),
            ],
        );
        Ok(gateway::response(response))
    }
}
