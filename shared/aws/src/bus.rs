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
            first
                .and_then(|result| result.error_message().or(result.error_code()))
                .unwrap_or("no reason was given")
                .clone_into(&mut why);
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
    use std::sync::Mutex;

    use model::{ExecutionId, Subject, Timestamp, change::EventState};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::answers::{Answer, clients};

    use super::*;

    /// A bus that answers each call with what is next, and what it was asked.
    fn answering(answers: Vec<Answer>) -> (Bus, Arc<Mutex<Vec<Value>>>) {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (told, answers) = (Arc::clone(&asked), Mutex::new(answers.into_iter()));
        let clients = clients(move |operation, body| {
            assert_eq!(operation, "PutEvents");
            told.lock().expect("nobody panicked").push(body.clone());
            let next = answers.lock().expect("nobody panicked").next();
            next.expect("nothing more is asked")
        });
        let settings = [
            ("AWS_REGION", "us-east-1"),
            ("PIPEWRIGHT_ACCOUNT", "000000000000"),
            ("PIPEWRIGHT_BUS", "pipewright"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let bus = Bus::new(&clients, &Settings::of(settings)).expect("it is named");
        (bus, asked)
    }

    fn change(sequence: u32) -> Change {
        Change {
            pipeline: format!("web-{sequence}"),
            execution: ExecutionId(Uuid::from_u128(1)),
            sequence,
            at: Timestamp(1_547_106_937_250),
            pipeline_version: 1,
            attempt: 1,
            started: Timestamp(1_547_106_937_000),
            subject: Subject::Pipeline {
                state: EventState::Started,
                trigger: None,
                comment: None,
            },
        }
    }

    /// The answer in which the entries that are `true` were taken.
    fn taken(entries: &[bool]) -> Answer {
        let failed = entries.iter().filter(|is_taken| !**is_taken).count();
        let entries = entries.iter().map(|is_taken| match is_taken {
            true => json!({"EventId": "e"}),
            false => json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}),
        });
        let entries: Vec<Value> = entries.collect();
        Answer::Done(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn pipelines(asked: &Value) -> Vec<String> {
        let entries = asked["Entries"].as_array().expect("there are entries");
        let details = entries.iter().filter_map(|entry| entry["Detail"].as_str());
        let detail = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        let names = details.map(|text| detail(text)["pipeline"].as_str().map(str::to_owned));
        names.map(Option::unwrap_or_default).collect()
    }

    #[tokio::test]
    async fn what_was_not_taken_is_sent_again_and_nothing_else() {
        let answers = vec![taken(&[true, false, true, false]), taken(&[false, true])];
        let answers = answers.into_iter().chain([taken(&[true])]).collect();
        let (bus, asked) = answering(answers);
        let changes: Vec<Change> = (1..=4).map(change).collect();
        bus.publish(&changes)
            .await
            .expect("all were taken in the end");
        let asked = asked.lock().expect("nobody panicked");
        let asked: Vec<Vec<String>> = asked.iter().map(pipelines).collect();
        let expected: [&[&str]; 3] = [
            &["web-1", "web-2", "web-3", "web-4"],
            &["web-2", "web-4"],
            &["web-2"],
        ];
        assert_eq!(asked, expected);
    }

    #[tokio::test]
    async fn what_is_never_taken_is_an_error_that_says_why() {
        let never = (0..ATTEMPTS_MAX).map(|_| taken(&[false]));
        let (bus, _) = answering(never.collect());
        let error = bus.publish(&[change(1)]).await.expect_err("it is given up");
        let text = crate::telemetry::chain(&error);
        assert_eq!(text, "failed to put 1 events on the bus: slow down");
        let (bus, _) = answering(vec![Answer::Failed(400, "AccessDeniedException")]);
        let error = bus.publish(&[change(1)]).await.expect_err("it is refused");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_event_has_the_time_of_its_change_and_the_source_of_the_stack() {
        let (bus, asked) = answering(vec![taken(&[true])]);
        bus.publish(&[change(1)]).await.expect("it is taken");
        let asked = asked.lock().expect("nobody panicked");
        let entry = &asked[0]["Entries"][0];
        assert_eq!(entry["Time"], 1_547_106_937.25);
        assert_eq!(entry["Source"], SOURCE);
        assert_eq!(entry["EventBusName"], "pipewright");
    }

    #[tokio::test]
    async fn an_event_that_no_call_takes_is_told() {
        let (bus, _) = answering(Vec::new());
        let mut large = change(1);
        large.subject = Subject::Pipeline {
            state: EventState::Stopping,
            trigger: None,
            comment: Some("x".repeat(BYTES_MAX)),
        };
        let error = bus.publish(&[large]).await.expect_err("it is too large");
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }

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
