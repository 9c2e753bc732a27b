//! EventBridge: every announced change as an event of spec 40, under our own source, as AWS keeps
//! `aws.*` for itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use model::{Change, effect::ApprovalRequest};
use ports::{Account, Event, EventBus, StoreError};
use tokio::time::sleep;

use crate::{Clients, Settings, SettingsError, failed::unavailable};

/// Where our events come from, unless the template says otherwise.
const SOURCE: &str = "pipewright.codepipeline";

/// How many entries one call takes, and how many bytes they may have together.
const ENTRIES_MAX: usize = 10;
const BYTES_MAX: usize = 256 * 1_024;

/// What an entry weighs for its time, whatever time that is.
const TIME_BYTES: usize = 14;

/// How often an entry is sent before the whole outbox is left to the sweep, and the first pause.
const ATTEMPTS_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// The bus of a stack.
#[derive(Clone)]
pub struct Bus {
    client: aws_sdk_eventbridge::Client,
    name: String,
    source: String,
    account: Arc<Account>,
}

impl Bus {
    pub fn new(clients: &Clients, settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            client: clients.eventbridge(),
            name: settings.require("PIPEWRIGHT_BUS")?.to_owned(),
            source: settings
                .get("PIPEWRIGHT_EVENT_SOURCE")
                .unwrap_or(SOURCE)
                .to_owned(),
            account: Arc::new(settings.account()?),
        })
    }

    fn entry(&self, change: &Change) -> Result<PutEventsRequestEntry, StoreError> {
        let event = Event::of(change, &self.account);
        let detail =
            serde_json::to_string(&event.detail).map_err(|error| StoreError::Unavailable {
                doing: "write an event".to_owned(),
                source: error.into(),
            })?;
        let [resource] = event.resources;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(&self.source)
            .detail_type(event.detail_type)
            .detail(detail)
            .resources(resource)
            .time(DateTime::from_millis(change.at.0))
            .build();
        let bytes = weight(&entry);
        if bytes > BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "an event".to_owned(),
                bytes,
                limit: BYTES_MAX,
            });
        }
        Ok(entry)
    }

    /// Sends entries that fit one call; those that were not taken again, a few times.
    async fn put(&self, mut entries: Vec<PutEventsRequestEntry>) -> Result<(), StoreError> {
        let mut pause = PAUSE;
        let mut why = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                sleep(pause).await;
                pause *= 2;
            }
            let request = self.client.put_events();
            let put = request.set_entries(Some(entries.clone())).send().await;
            let put = put.map_err(|error| unavailable("put events on the bus", error))?;
            if put.failed_entry_count() == 0 {
                return Ok(());
            }
            // The results stand in the order of the entries.
            let results = put.entries().iter();
            let failed: Vec<bool> = results.map(|result| result.event_id().is_none()).collect();
            let first = put
                .entries()
                .iter()
                .find(|result| result.event_id().is_none());
            why = first
                .and_then(|result| result.error_message().or(result.error_code()))
                .unwrap_or("no reason was given")
                .to_owned();
            let mut at = failed.iter();
            entries.retain(|_| at.next().copied().unwrap_or(true));
        }
        Err(StoreError::Unavailable {
            doing: format!("put {} events on the bus", entries.len()),
            source: why.into(),
        })
    }
}

#[async_trait]
impl EventBus for Bus {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        let entries: Result<Vec<_>, _> = changes.iter().map(|change| self.entry(change)).collect();
        for call in calls(entries?) {
            self.put(call).await?;
        }
        Ok(())
    }

    /// Whoever asks people listens for the announcement that the approval began: it says everything.
    async fn ask(&self, _request: &ApprovalRequest) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The entries, cut into what one call takes each.
fn calls(entries: Vec<PutEventsRequestEntry>) -> Vec<Vec<PutEventsRequestEntry>> {
    let mut calls: Vec<Vec<PutEventsRequestEntry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let weight = weight(&entry);
        match calls.last_mut() {
            Some(call) if call.len() < ENTRIES_MAX && bytes + weight <= BYTES_MAX => {
                bytes += weight;
                call.push(entry);
            }
            _ => {
                bytes = weight;
                calls.push(vec![entry]);
            }
        }
    }
    calls
}

/// What an entry counts, as EventBridge counts it.
fn weight(entry: &PutEventsRequestEntry) -> usize {
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    let texts: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let resources: usize = entry.resources().iter().map(String::len).sum();
    texts + resources + TIME_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .detail("x".repeat(bytes - TIME_BYTES))
            .build()
    }

    fn lengths(entries: Vec<PutEventsRequestEntry>) -> Vec<usize> {
        calls(entries).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_call_has_ten_entries_and_a_quarter_of_a_mebibyte_at_most() {
        assert_eq!(lengths(Vec::new()), [0; 0]);
        assert_eq!(lengths(vec![entry(100); 25]), [10, 10, 5]);
        assert_eq!(lengths(vec![entry(BYTES_MAX / 2); 5]), [2, 2, 1]);
        assert_eq!(lengths(vec![entry(BYTES_MAX); 2]), [1, 1]);
    }
}
