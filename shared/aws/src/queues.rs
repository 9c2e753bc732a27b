//! SQS: inputs to the engine in a FIFO queue, grouped by pipeline; jobs to the workers in a standard
//! queue, whose messages can be delayed each for itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    error::BuildError,
    types::{MessageAttributeValue, builders::MessageAttributeValueBuilder},
};
use model::{AttemptKey, ExecutionId, Input, Job};
use ports::{Clock, StoreError};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Clients, Settings, SettingsError, SystemClock, failed::unavailable};

/// How often the worker may tell itself to look again at one job. What has asked more often is left
/// to the sweep, so nothing goes on for ever by itself.
pub const HOPS_MAX: u32 = 2_000;

/// The longest message; the template sets the queues to it.
const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;

/// The longest that SQS keeps a message back.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// A repeat of a result within this time is dropped by the queue. Shorter than SQS would: when
/// messages are lost, the next sweep must get its own through.
const SAME_RESULT_WITHIN_MILLIS: i64 = 60_000;

/// Makes our deduplication ids different from everybody else's.
const DEDUPLICATION: Uuid = Uuid::from_u128(0x83d1_5a40_6b1e_4f0b_9d15_6c01_77aa_20e4);

/// The name under which a message says whose it is.
const CORRELATION: &str = "correlation_id";

/// The queues of a stack.
#[derive(Clone)]
pub struct Queues {
    client: aws_sdk_sqs::Client,
    inputs: String,
    jobs: String,
    clock: Arc<dyn Clock>,
}

/// A message with what SQS needs to know about it.
struct Sent {
    queue: String,
    body: String,
    correlation: Option<ExecutionId>,
    delay: Duration,
    /// Of a FIFO queue: the group, and what tells a repeat.
    order: Option<(String, Uuid)>,
}

impl Queues {
    pub fn new(clients: &Clients, settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            client: clients.sqs(),
            inputs: settings.require("PIPEWRIGHT_INPUTS_QUEUE")?.to_owned(),
            jobs: settings.require("PIPEWRIGHT_JOBS_QUEUE")?.to_owned(),
            clock: Arc::new(SystemClock),
        })
    }

    /// Tells the worker to look again at a job, after a pause; `hops` says how often it was told so
    /// before. Beyond [`HOPS_MAX`] nothing is sent, and the answer is `false`.
    pub async fn look_again(
        &self,
        job: &Job,
        hops: u32,
        pause: Duration,
    ) -> Result<bool, StoreError> {
        if hops >= HOPS_MAX {
            return Ok(false);
        }
        let execution = Some(job.key.execution);
        let body = json!({"due": job, "hops": hops + 1});
        self.tell_worker(&body, execution, pause).await?;
        Ok(true)
    }

    /// Tells the worker that the build of that id has news: it ended, or its task did.
    pub async fn wake(&self, build: &str) -> Result<(), StoreError> {
        self.tell_worker(&json!({ "wake": build }), None, Duration::ZERO)
            .await
    }

    /// Tells the worker that somebody asked for a build by itself.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.tell_worker(&json!({"settle": true}), None, Duration::ZERO)
            .await
    }

    async fn tell_worker(
        &self,
        body: &Value,
        correlation: Option<ExecutionId>,
        delay: Duration,
    ) -> Result<(), StoreError> {
        self.put(Sent {
            queue: self.jobs.clone(),
            body: body.to_string(),
            correlation,
            delay: delay.min(DELAY_MAX),
            order: None,
        })
        .await
    }

    async fn put(&self, message: Sent) -> Result<(), StoreError> {
        if message.body.len() > MESSAGE_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "a message of a queue".to_owned(),
                bytes: message.body.len(),
                limit: MESSAGE_BYTES_MAX,
            });
        }
        let (group, repeat) = message.order.unzip();
        let delay = i32::try_from(message.delay.as_secs()).unwrap_or(i32::MAX);
        let mut request = self
            .client
            .send_message()
            .queue_url(message.queue)
            .message_body(message.body)
            .set_delay_seconds((delay > 0).then_some(delay))
            .set_message_group_id(group)
            .set_message_deduplication_id(repeat.map(|id| id.to_string()));
        if let Some(execution) = message.correlation {
            let value = text(&execution.to_string()).map_err(|error| malformed(error.into()))?;
            request = request.message_attributes(CORRELATION, value);
        }
        let sent = request.send().await;
        sent.map_err(|error| unavailable("send a message to a queue", error))?;
        Ok(())
    }

    /// What tells a repeat of this input: results are of their attempt; anything else is an intent
    /// of its own.
    fn repeat_id(&self, input: &Input) -> Uuid {
        match input {
            Input::ActionFinished { key, .. } => {
                let turn = self.clock.now().0.div_euclid(SAME_RESULT_WITHIN_MILLIS);
                let name = format!("finished\n{}\n{turn}", key.token);
                Uuid::new_v5(&DEDUPLICATION, name.as_bytes())
            }
            _ => Uuid::new_v4(),
        }
    }
}

#[async_trait]
impl ports::Queues for Queues {
    async fn offer(&self, job: Arc<Job>) -> Result<(), StoreError> {
        let execution = Some(job.key.execution);
        self.tell_worker(
            &json!({"offered": job, "hops": 0}),
            execution,
            Duration::ZERO,
        )
        .await
    }

    async fn cancel(&self, key: &AttemptKey) -> Result<(), StoreError> {
        let execution = Some(key.execution);
        self.tell_worker(
            &json!({"cancelled": key, "hops": 0}),
            execution,
            Duration::ZERO,
        )
        .await
    }

    async fn send(&self, pipeline: &str, input: Input) -> Result<(), StoreError> {
        let body = ToEngine {
            pipeline,
            input: &input,
        };
        let body = serde_json::to_string(&body).map_err(|error| malformed(error.into()))?;
        self.put(Sent {
            queue: self.inputs.clone(),
            body,
            correlation: of(&input),
            delay: Duration::ZERO,
            order: Some((pipeline.to_owned(), self.repeat_id(&input))),
        })
        .await
    }
}

/// A message to the engine.
#[derive(Serialize)]
struct ToEngine<'a> {
    pipeline: &'a str,
    input: &'a Input,
}

/// The execution that an input is about, where it is about one.
fn of(input: &Input) -> Option<ExecutionId> {
    match input {
        Input::Start(start) => Some(start.execution),
        Input::ActionProgressed { key, .. } | Input::ActionFinished { key, .. } => {
            Some(key.execution)
        }
        Input::StopRequested { execution, .. } | Input::RetryRequested { execution, .. } => {
            Some(*execution)
        }
        Input::DefinitionChanged { .. }
        | Input::PipelineDeleted
        | Input::ApprovalDecided(_)
        | Input::TransitionSet { .. }
        | Input::Tick => None,
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValueBuilder::default()
        .data_type("String")
        .string_value(value)
        .build()
}

fn malformed(source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Unavailable {
        doing: "write a message for a queue".to_owned(),
        source,
    }
}
