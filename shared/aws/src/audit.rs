//! The audit trail in CloudWatch Logs: one event a record, one stream an execution environment.
//!
//! Records that nobody waits for are kept until there is enough of them for one request, until a
//! durable one comes, or until [`AuditTrail::flush`], which every invocation ends with. A request
//! whose answer was lost is sent again with what comes next, so a record may be there twice; its
//! `eventID` tells.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{InputLogEvent, RejectedLogEventsInfo},
};
use jiff::Timestamp as Instant;
use ports::{
    AuditTrail, Clock, Random,
    audit::{AuditError, AuditRecord},
};
use tokio::sync;

use crate::{Clients, Settings, SettingsError, failed::said};

/// What one event may take, and what the service counts for each besides its text.
const EVENT_BYTES_MAX: usize = 256 * 1024;
const EVENT_BYTES_MORE: usize = 26;

/// The longest record, in bytes of its JSON.
const RECORD_BYTES_MAX: usize = EVENT_BYTES_MAX - EVENT_BYTES_MORE;

/// What one request takes, which is as much as is kept.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
const BATCH_MAX: usize = 10_000;

/// How often a batch is sent: once more when its stream is gone and was made anew.
const SENDINGS_MAX: usize = 2;

/// The audit trail of one execution environment.
pub struct AuditLog {
    logs: Client,
    group: String,
    stream: String,
    clock: Arc<dyn Clock>,
    pending: sync::Mutex<Pending>,
    trouble: Mutex<Option<String>>,
}

/// What is not surely there yet.
#[derive(Default)]
struct Pending {
    has_stream: bool,
    records: Vec<String>,
    bytes: usize,
    /// The time of the last event: those of a stream are in order.
    last: i64,
}

/// Why nothing was written.
enum Unsent {
    NoStream,
    Because(String),
}

impl AuditLog {
    /// Begins a stream of the log group that the environment names. Where that fails, there is
    /// [trouble](AuditTrail::trouble) until it works.
    pub async fn open(
        clients: &Clients,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, SettingsError> {
        let day = Instant::from_millisecond(clock.now().0).unwrap_or(Instant::UNIX_EPOCH);
        let log = Self {
            logs: clients.logs(),
            group: settings.require("PIPEWRIGHT_AUDIT_LOG_GROUP")?.to_owned(),
            stream: format!("{}/{}", day.strftime("%Y/%m/%d"), random.uuid()),
            clock,
            pending: sync::Mutex::default(),
            trouble: Mutex::default(),
        };
        // Whoever is about to change something asks for trouble, and hears it then.
        let _ = log.flush().await;
        Ok(log)
    }

    /// The name of its stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Sends everything that is kept, and notes whether that worked.
    async fn send(&self, pending: &mut Pending) -> Result<(), AuditError> {
        let sent = self.try_send(pending).await;
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = sent.as_ref().err().cloned();
        sent.map_err(AuditError::Unavailable)
    }

    async fn try_send(&self, pending: &mut Pending) -> Result<(), String> {
        for _ in 0..SENDINGS_MAX {
            if !pending.has_stream {
                self.make_stream().await?;
                pending.has_stream = true;
            }
            if pending.records.is_empty() {
                return Ok(());
            }
            match self.put(pending).await {
                Ok(()) => {
                    pending.records.clear();
                    pending.bytes = 0;
                    return Ok(());
                }
                Err(Unsent::NoStream) => pending.has_stream = false,
                Err(Unsent::Because(why)) => return Err(why),
            }
        }
        Err(self.told("the log stream is gone each time that it was made"))
    }

    async fn make_stream(&self) -> Result<(), String> {
        let made = self.logs.create_log_stream();
        let made = made
            .log_group_name(&self.group)
            .log_stream_name(&self.stream);
        match made.send().await {
            Ok(_) => Ok(()),
            // An earlier request made it, and its answer was lost.
            Err(error) if is(&error, "ResourceAlreadyExistsException") => Ok(()),
            Err(error) => Err(self.told(&said(&error))),
        }
    }

    async fn put(&self, pending: &mut Pending) -> Result<(), Unsent> {
        let because = |why: &str| Unsent::Because(self.told(why));
        // The record says when it happened; this is when it got here, which the service lets be only
        // near its own time.
        let now = self.clock.now().0.max(pending.last);
        let event = |record: &String| {
            let event = InputLogEvent::builder().timestamp(now).message(record);
            event.build()
        };
        let events: Result<Vec<_>, _> = pending.records.iter().map(event).collect();
        let put = self.logs.put_log_events();
        let put = put
            .log_group_name(&self.group)
            .log_stream_name(&self.stream)
            .set_log_events(Some(events.map_err(|error| because(&error.to_string()))?));
        match put.send().await {
            Ok(answer) => match answer.rejected_log_events_info() {
                None => {
                    pending.last = now;
                    Ok(())
                }
                Some(rejected) => Err(because(why_rejected(rejected))),
            },
            Err(error) if is(&error, "ResourceNotFoundException") => Err(Unsent::NoStream),
            Err(error) => Err(because(&said(&error))),
        }
    }

    fn told(&self, why: &str) -> String {
        format!(
            "{why}, for log group `{}`; look whether the group is there and the function may write \
             to it",
            self.group
        )
    }
}

impl Pending {
    fn has_room_for(&self, record: &str) -> bool {
        self.records.len() < BATCH_MAX && self.bytes + weight(record) <= BATCH_BYTES_MAX
    }

    fn push(&mut self, record: String) {
        self.bytes += weight(&record);
        self.records.push(record);
    }
}

/// The bytes that the service counts for a record.
fn weight(record: &str) -> usize {
    record.len() + EVENT_BYTES_MORE
}

fn is<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.code() == Some(code)
}

/// All events of a batch have one time, so all of them are rejected for one reason.
fn why_rejected(rejected: &RejectedLogEventsInfo) -> &'static str {
    if rejected.too_new_log_event_start_index().is_some() {
        "CloudWatch Logs finds the records too new: the function's clock is ahead"
    } else {
        "CloudWatch Logs finds the records too old: the function's clock is behind"
    }
}

#[async_trait]
impl AuditTrail for AuditLog {
    async fn record(&self, record: AuditRecord) -> Result<(), AuditError> {
        let json = record.json(RECORD_BYTES_MAX)?;
        let mut pending = self.pending.lock().await;
        if !pending.has_room_for(&json) {
            self.send(&mut pending).await?;
        }
        pending.push(json);
        Ok(())
    }

    async fn record_durably(&self, record: AuditRecord) -> Result<(), AuditError> {
        let json = record.json(RECORD_BYTES_MAX)?;
        let mut pending = self.pending.lock().await;
        if !pending.has_room_for(&json) {
            self.send(&mut pending).await?;
        }
        pending.push(json);
        self.send(&mut pending).await
    }

    async fn flush(&self) -> Result<(), AuditError> {
        self.send(&mut *self.pending.lock().await).await
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }
}
