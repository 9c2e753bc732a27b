//! The function as Lambda calls it: with the requests of an HTTP API, and once by hand, for the first
//! access key.

mod fresh_keys;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use aws::{
    Handled, Telemetry, gateway,
    telemetry::{Level, Unit, chain},
};
use bytes::Bytes;
use keyring::{Issue, Keyring, KeyringError};
use ports::{StoreError, World, audit::AuditTrail};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    Agents, Api, ApiError, agents,
    handle::respond,
    trail::{Entry, Trail, unrecorded},
};

pub use fresh_keys::FreshKeys;

/// What the first key is good for.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Tells the worker that somebody asked for a build.
#[async_trait]
pub trait Builds: Send + Sync {
    async fn settle(&self) -> Result<(), StoreError>;
}

#[async_trait]
impl Builds for aws::Queues {
    async fn settle(&self) -> Result<(), StoreError> {
        self.settle().await
    }
}

/// The function with what it needs.
pub struct Function {
    pub world: World,
    pub api: Api,
    pub agents: Agents,
    pub keyring: Arc<Keyring>,
    pub trail: Arc<Trail>,
    pub audit: Arc<dyn AuditTrail>,
    /// Whether a request asked for a build; `operations::codebuild` says so by its nudge.
    pub nudged: Arc<AtomicBool>,
    pub builds: Arc<dyn Builds>,
    pub telemetry: Telemetry,
}

/// `{"bootstrap": {"user": "administrator", "again": false}}`, by whoever may invoke the function.
#[derive(Deserialize)]
struct ByHand {
    bootstrap: Bootstrap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bootstrap {
    user: String,
    /// Although there are keys already.
    #[serde(default)]
    again: bool,
}

/// Why there is no first key.
#[derive(Debug, Error)]
pub enum BootstrapError {
    #[error(
        "there are access keys already; if all of them are lost, say \"again\": true to be given \
         another one that may do everything"
    )]
    NotTheFirst,
    #[error("the first access key cannot be given out")]
    Keyring(#[from] KeyringError),
    #[error("what was done cannot be recorded in the audit trail")]
    Untold(#[from] ports::audit::AuditError),
}

impl Function {
    /// Handles one call; an error fails it, and whoever asked over HTTP gets a 500.
    pub async fn handle(&self, event: Value) -> Handled {
        if event.get("bootstrap").is_some() {
            let by_hand: ByHand = serde_json::from_value(event)?;
            return Ok(self.bootstrap(by_hand.bootstrap).await?);
        }
        let received = gateway::request(event)?;
        let target = received.request.headers().get("x-amz-target");
        let operation = target.and_then(|value| value.to_str().ok());
        let operation = operation.unwrap_or_default().to_owned();
        let response = if received.request.uri().path().starts_with(agents::PATH) {
            self.agent(received.request).await
        } else {
            self.answer(received.request, &received.source).await
        };
        let status = response.status().as_u16();
        self.telemetry.metrics(
            "request",
            &[("Operation", operation_name(&operation))],
            &[("Requests", Unit::Count, 1.0)],
            [
                ("operation", json!(operation)),
                ("status", json!(status)),
                ("source_ip", json!(received.source)),
                ("gateway_request_id", json!(received.id)),
            ],
        );
        Ok(gateway::response(response))
    }

    async fn answer(&self, request: http::Request<Bytes>, source: &str) -> http::Response<Bytes> {
        let response = self.api.handle(request, source).await;
        if self.nudged.swap(false, Ordering::Relaxed)
            && let Err(error) = self.builds.settle().await
        {
            // The build is recorded, and the schedule finds it.
            let error = json!(chain(&error));
            let message = "nobody was told of a build that was asked for";
            self.telemetry
                .log(Level::Warning, message, [("error", error)]);
        }
        // Lambda may stop this process with the answer, and what was not sent with it.
        match self.audit.flush().await {
            Ok(()) => response,
            Err(error) => {
                let message = "the audit trail cannot be written, so requests are refused";
                let fields = [("error", json!(chain(&error)))];
                self.telemetry.log(Level::Error, message, fields);
                let id = self.world.random.uuid();
                respond(id, Err(ApiError::unavailable(unrecorded(false))))
            }
        }
    }

    async fn agent(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let response = self.agents.handle(request).await;
        if let Some(agents::Trouble(why)) = response.extensions().get() {
            let fields = [("error", json!(why))];
            self.telemetry
                .log(Level::Error, "an agent got no answer", fields);
        }
        response
    }

    /// Gives out the first key: nobody could sign a request for it.
    async fn bootstrap(&self, wanted: Bootstrap) -> Result<Value, BootstrapError> {
        let keys = self.keyring.list("", 1).await?;
        if !keys.is_empty() && !wanted.again {
            return Err(BootstrapError::NotTheFirst);
        }
        let issued = self
            .keyring
            .issue(Issue {
                user: wanted.user.clone(),
                policies: vec![EVERYTHING.to_owned()],
                description: Some("given out by hand, for the first requests".to_owned()),
                lifetime: None,
            })
            .await?;
        let parameters = json!({"userName": wanted.user, "accessKeyId": issued.id});
        self.trail.tell(self.entry(parameters)).await?;
        Ok(json!({
            "userName": wanted.user,
            "accessKeyId": issued.id,
            "secretAccessKey": issued.secret.reveal(),
        }))
    }

    fn entry(&self, parameters: Value) -> Entry {
        Entry {
            user: ports::audit::UserIdentity::Service {
                invoked_by: "lambda.amazonaws.com".to_owned(),
            },
            service: "codepipeline".to_owned(),
            operation: "CreateAccessKey".to_owned(),
            source: "lambda.amazonaws.com".to_owned(),
            agent: "lambda.amazonaws.com".to_owned(),
            parameters,
            error: None,
            request_id: self.world.random.uuid().to_string(),
            only_reads: false,
            additional: Value::Null,
        }
    }
}

/// The operation that a target names, where it may be one: what strangers send makes no dimensions.
fn operation_name(target: &str) -> &str {
    let name = target.rsplit_once('.').map_or("", |(_, name)| name);
    let known = [
        &crate::codepipeline::OPERATIONS[..],
        &crate::codebuild::OPERATIONS,
        &crate::pipewright::OPERATIONS,
    ];
    if known.iter().any(|names| names.contains(&name)) {
        name
    } else {
        "Other"
    }
}
