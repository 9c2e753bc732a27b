//! SNS: what people are told through topics.

use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::json;
use thiserror::Error;

use crate::Clients;

/// The longest subject, and the only characters that it may have are those of ASCII that print.
const SUBJECT_CHARACTERS_MAX: usize = 100;

/// Topics, whoever made them.
#[derive(Clone)]
pub struct Topics {
    client: aws_sdk_sns::Client,
}

/// Something to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    pub topic: String,
    pub subject: String,
    /// For programs.
    pub json: String,
    /// For people: what mails show.
    pub text: String,
    /// What subscriptions may filter by; names and texts.
    pub attributes: Vec<(&'static str, String)>,
}

#[derive(Debug, Error)]
#[error("failed to publish to the topic {topic}")]
pub struct TopicError {
    pub topic: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Topics {
    pub fn new(clients: &Clients) -> Self {
        Self {
            client: clients.sns(),
        }
    }

    /// Publishes a notice; it may arrive more than once.
    pub async fn publish(&self, notice: Notice) -> Result<(), TopicError> {
        let failed = |source| TopicError {
            topic: notice.topic.clone(),
            source,
        };
        let message = json!({"default": notice.json, "email": notice.text});
        let mut request = self
            .client
            .publish()
            .topic_arn(&notice.topic)
            .subject(printable(&notice.subject))
            .message_structure("json")
            .message(message.to_string());
        for (name, value) in &notice.attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|error| failed(error.into()))?;
            request = request.message_attributes(*name, value);
        }
        let sent = request.send().await;
        sent.map_err(|error| failed(error.into()))?;
        Ok(())
    }
}

/// A subject as SNS takes it: what is not ASCII is shown as `?`, and what is too long is cut.
fn printable(subject: &str) -> String {
    let shown = |c: char| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    };
    let text: String = subject.trim_start().chars().map(shown).collect();
    text.chars().take(SUBJECT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_hundred_printable_characters_at_most() {
        assert_eq!(printable(" Grüße\n"), "Gr??e?");
        assert_eq!(printable(&"x".repeat(300)).len(), SUBJECT_CHARACTERS_MAX);
    }
}
