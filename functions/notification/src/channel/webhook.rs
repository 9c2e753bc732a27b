//! Webhooks: the JSON is posted to a URL and signed, so that the receiver knows whose it is.
//!
//! `X-Pipewright-Signature` is `sha256=` and the hexadecimal HMAC-SHA-256, under the target's secret,
//! of `X-Pipewright-Timestamp`, a full stop and the body. Receivers compare it in constant time,
//! refuse old timestamps and drop repeats by `X-Pipewright-Event-Id`.

use std::{io::Read, time::Duration};

use access::keys::Secret;
use hmac::{Hmac, KeyInit, Mac};
use model::Timestamp;
use sha2::Sha256;
use ureq::{
    Agent, Error,
    unversioned::{
        resolver::{DefaultResolver, Resolver},
        transport::DefaultConnector,
    },
};
use uuid::Uuid;

use super::{
    Failure,
    address::{Checked, Forbidden},
    said,
};
use crate::rules::Webhook;

/// How long one delivery may take, from the look-up of the name to the answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read; only its status counts.
const ANSWER_BYTES_MAX: u64 = 1_024;

const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Posts a message; blocks until it was answered.
pub(crate) fn post(webhook: &Webhook, id: Uuid, now: Timestamp, body: &str) -> Result<(), Failure> {
    send(webhook, DefaultResolver::default(), id, now, body)
}

fn send(
    webhook: &Webhook,
    names: impl Resolver,
    id: Uuid,
    now: Timestamp,
    body: &str,
) -> Result<(), Failure> {
    let timestamp = now.0.div_euclid(1_000).to_string();
    let signature = signature(&webhook.secret, &timestamp, body);
    let answer = agent(webhook, names)
        .post(&webhook.url)
        .header("Content-Type", "application/json")
        .header("X-Pipewright-Event-Id", id.to_string())
        .header("X-Pipewright-Timestamp", timestamp)
        .header("X-Pipewright-Signature", format!("sha256={signature}"))
        .send(body);
    let mut answer = answer.map_err(|error| failure(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut text = Vec::new();
    // What the receiver says is only for whoever reads the log.
    let _ = answer
        .body_mut()
        .as_reader()
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut text);
    let note = if status.is_redirection() {
        ", and redirects are not followed"
    } else {
        ""
    };
    Err(Failure::new(format!(
        "the receiver answered {}{note}{}",
        status.as_u16(),
        said(&text)
    )))
}

/// A client that has no memory: no connection, name or cookie is left for the next delivery.
fn agent(webhook: &Webhook, names: impl Resolver) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(TIME_MAX))
        .https_only(!webhook.allow_private)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(HEADER_BYTES_MAX)
        .max_idle_connections(0)
        // A proxy would look up the name itself.
        .proxy(None)
        .user_agent("pipewright")
        .build();
    let names = Checked {
        names,
        allow_private: webhook.allow_private,
    };
    Agent::with_parts(config, DefaultConnector::default(), names)
}

fn signature(secret: &Secret, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .expect("a key may have any length");
    for part in [timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

/// The text never holds the URL, which may be a secret itself.
fn failure(error: &Error) -> Failure {
    if let Error::Other(other) = error
        && let Some(forbidden) = other.downcast_ref::<Forbidden>()
    {
        return Failure::final_(forbidden.to_string());
    }
    Failure::new(match error {
        Error::HostNotFound => "the name of the host is not known".to_owned(),
        Error::Timeout(_) => format!("no answer within {} s", TIME_MAX.as_secs()),
        Error::Io(error) => format!("the connection failed: {error}"),
        Error::BadUri(_) | Error::RequireHttpsOnly(_) => "the URL cannot be used".to_owned(),
        other => format!("the request failed: {other}"),
    })
}

#[cfg(test)]
mod tests;
