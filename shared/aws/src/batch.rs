//! A batch of messages, and which of them Lambda is to give back to the queue.
//!
//! Of a standard queue exactly those that failed. Of a FIFO queue each that failed with everything
//! behind it in its group, so that the order within the group is kept (RELIABILITY R20).

use std::collections::HashSet;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use serde_json::Value;
use thiserror::Error;

/// The messages of one call of a function.
#[derive(Debug, Default)]
pub struct Batch {
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Under this id it is given back.
    pub id: String,
    /// Of a FIFO queue; what is in one group stays in order.
    pub group: Option<String>,
    pub body: String,
    /// When it was sent, in milliseconds since 1970; `None` when the queue does not say.
    pub sent: Option<i64>,
    /// How often it was received, this time included.
    pub received: u32,
}

/// Why an event is no batch of messages.
#[derive(Debug, Error)]
pub enum BatchError {
    #[error("the event is no batch of messages of a queue")]
    Form(#[from] serde_json::Error),
    #[error("a message of the batch has no id, so it could not be given back")]
    NoId,
}

impl Batch {
    /// The batch that an event is.
    pub fn read(event: Value) -> Result<Self, BatchError> {
        let event: SqsEvent = serde_json::from_value(event)?;
        let messages = event.records.into_iter().map(Message::try_from);
        Ok(Self {
            messages: messages.collect::<Result<_, _>>()?,
        })
    }

    /// What Lambda is told when the messages at these places failed.
    pub fn response(&self, failed: &HashSet<usize>) -> Value {
        let mut broken: HashSet<&str> = HashSet::new();
        let mut back = Vec::new();
        for (place, message) in self.messages.iter().enumerate() {
            let group = message.group.as_deref();
            let is_behind = group.is_some_and(|group| broken.contains(group));
            if failed.contains(&place) || is_behind {
                broken.extend(group);
                back.push(message.id.clone());
            }
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = back.into_iter().map(failure).collect();
        // Texts in a list: there is nothing that could not be written.
        serde_json::to_value(response).unwrap_or_default()
    }
}

impl TryFrom<SqsMessage> for Message {
    type Error = BatchError;

    fn try_from(message: SqsMessage) -> Result<Self, BatchError> {
        let attribute = |name: &str| message.attributes.get(name);
        Ok(Self {
            group: attribute("MessageGroupId").cloned(),
            sent: attribute("SentTimestamp").and_then(|at| at.parse().ok()),
            received: attribute("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            id: message
                .message_id
                .filter(|id| !id.is_empty())
                .ok_or(BatchError::NoId)?,
            body: message.body.unwrap_or_default(),
        })
    }
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MESSAGES: usize = 10;

    /// Ten messages in as many groups as said; none is a standard queue.
    fn batch(groups: Option<usize>) -> Batch {
        let message = |place: usize| Message {
            id: place.to_string(),
            group: groups.map(|groups| (place % groups).to_string()),
            ..Message::default()
        };
        Batch {
            messages: (0..MESSAGES).map(message).collect(),
        }
    }

    fn back(batch: &Batch, failed: &HashSet<usize>) -> Vec<usize> {
        let response = batch.response(failed);
        let ids = response["batchItemFailures"]
            .as_array()
            .expect("it is a list");
        let ids = ids.iter().filter_map(|one| one["itemIdentifier"].as_str());
        ids.map(|id| id.parse().expect("a number")).collect()
    }

    /// Every set of messages that may fail.
    fn masks() -> impl Iterator<Item = HashSet<usize>> {
        (0_u32..1 << MESSAGES).map(|mask| {
            (0..MESSAGES)
                .filter(|place| mask >> place & 1 == 1)
                .collect()
        })
    }

    #[test]
    fn of_a_standard_queue_exactly_what_failed_goes_back() {
        let batch = batch(None);
        for failed in masks() {
            let mut expected: Vec<usize> = failed.iter().copied().collect();
            expected.sort_unstable();
            assert_eq!(back(&batch, &failed), expected);
        }
    }

    #[test]
    fn of_a_group_everything_behind_a_failure_goes_back() {
        for groups in [1, 2, 3, MESSAGES] {
            let batch = batch(Some(groups));
            for failed in masks() {
                let is_back = |place: usize| {
                    let before = (0..=place).rev().step_by(groups);
                    before.into_iter().any(|one| failed.contains(&one))
                };
                let expected: Vec<usize> = (0..MESSAGES).filter(|place| is_back(*place)).collect();
                assert_eq!(back(&batch, &failed), expected, "{groups} groups");
            }
        }
    }

    #[test]
    fn the_answer_has_the_form_that_lambda_reads() {
        let one = batch(None).response(&HashSet::from([3]));
        assert_eq!(one, json!({"batchItemFailures": [{"itemIdentifier": "3"}]}));
        let none = batch(None).response(&HashSet::new());
        assert_eq!(none, json!({"batchItemFailures": []}));
    }

    #[test]
    fn a_message_without_an_id_fails_the_batch_and_is_not_lost() {
        let event = json!({"Records": [{"messageId": "", "body": "{}"}]});
        assert!(matches!(Batch::read(event), Err(BatchError::NoId)));
        let event = json!({"Records": [{"body": "{}"}]});
        assert!(matches!(Batch::read(event), Err(BatchError::NoId)));
        let event = json!({"detail": {}});
        assert!(matches!(Batch::read(event), Err(BatchError::Form(_))));
    }

    #[test]
    fn a_message_says_whose_it_is_and_when_it_was_sent() {
        let attributes = json!({
            "MessageGroupId": "web", "SentTimestamp": "17", "ApproximateReceiveCount": "3",
        });
        let message = json!({"messageId": "m", "body": "b", "attributes": attributes});
        let batch = Batch::read(json!({ "Records": [message] })).expect("it has an id");
        let expected = Message {
            id: "m".to_owned(),
            group: Some("web".to_owned()),
            body: "b".to_owned(),
            sent: Some(17),
            received: 3,
        };
        assert_eq!(batch.messages, [expected]);
    }
}
