//! The function as Lambda calls it: an approval began, and whoever subscribed to its topic is asked.
//!
//! The event says only that it began. What is asked, and whether anybody still waits for the answer,
//! is read from the store.

use async_trait::async_trait;
use aws::{Handled, Notice, Telemetry, TopicError, Topics, telemetry::Level};
use model::ExecutionId;
use ports::World;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Links,
    approval::{Begun, asked},
};

/// What is told of the changes of actions.
const OF_ACTIONS: &str = "CodePipeline Action Execution State Change";

/// Publishes notices.
#[async_trait]
pub trait Publisher: Send + Sync {
    async fn publish(&self, notice: Notice) -> Result<(), TopicError>;
}

#[async_trait]
impl Publisher for Topics {
    async fn publish(&self, notice: Notice) -> Result<(), TopicError> {
        self.publish(notice).await
    }
}

/// The function with what it needs.
pub struct Function {
    pub world: World,
    pub links: Links,
    pub publisher: Box<dyn Publisher>,
    /// Where those are asked for whose approval names no topic.
    pub topic: String,
    pub telemetry: Telemetry,
}

/// An event of the bus, as much of it as matters.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Announced {
    id: Uuid,
    detail_type: String,
    detail: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    pipeline: String,
    execution_id: ExecutionId,
    action_execution_id: Uuid,
    state: String,
    #[serde(rename = "type")]
    action_type: ActionType,
}

#[derive(Deserialize)]
struct ActionType {
    category: String,
}

impl Function {
    /// Handles one event; an error fails the call, and Lambda tries again. What a repeated event
    /// sends has the same link.
    pub async fn handle(&self, event: Value) -> Handled {
        let event: Announced = serde_json::from_value(event)?;
        if event.detail_type != OF_ACTIONS {
            return Ok(Value::Null);
        }
        let detail: Detail = serde_json::from_value(event.detail)?;
        if detail.state != "STARTED" || detail.action_type.category != "Approval" {
            return Ok(Value::Null);
        }
        let begun = Begun {
            pipeline: &detail.pipeline,
            execution: detail.execution_id,
            action_execution_id: detail.action_execution_id,
            event: event.id,
        };
        let Some(question) = asked(&self.world, begun).await? else {
            self.tell("nobody waits for the answer any more", &detail, None);
            return Ok(Value::Null);
        };
        let topic = question.topic.as_ref().unwrap_or(&self.topic).clone();
        let letter = question.to_letter(&self.links, &topic);
        let notice = Notice {
            subject: letter.subject,
            json: question.to_json(&self.links, &topic),
            text: letter.text,
            attributes: question.attributes(),
            topic: topic.clone(),
        };
        self.publisher.publish(notice).await?;
        self.tell("somebody was asked", &detail, Some(&topic));
        Ok(Value::Null)
    }

    fn tell(&self, message: &str, detail: &Detail, topic: Option<&str>) {
        let execution = detail.execution_id.to_string();
        self.telemetry.log(
            Level::Info,
            message,
            [
                ("pipeline", json!(detail.pipeline)),
                ("execution_id", json!(execution)),
                ("correlation_id", json!(execution)),
                ("topic", json!(topic)),
            ],
        );
    }
}
