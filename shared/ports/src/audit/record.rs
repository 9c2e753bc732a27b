//! One record, in `CloudTrail`'s form.

use jiff::Timestamp as Instant;
use model::Timestamp;
use serde_json::{Map, Value, json};

use super::AuditError;

/// The version of `CloudTrail`'s form that this is.
const EVENT_VERSION: &str = "1.08";

/// What was asked for, by whom, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    pub at: Timestamp,
    pub user: UserIdentity,
    /// `codepipeline.amazonaws.com`
    pub event_source: String,
    /// The operation: `StartPipelineExecution`.
    pub event_name: String,
    pub region: String,
    /// The account whose pipelines are asked about.
    pub account: String,
    pub source_ip_address: String,
    pub user_agent: String,
    /// With secrets masked; `null` where there are none.
    pub request_parameters: Value,
    /// `null` for reads and refusals.
    pub response_elements: Value,
    /// The short name of the exception, with its message.
    pub error: Option<(String, String)>,
    pub request_id: String,
    pub event_id: String,
    pub read_only: bool,
    /// What Pipewright itself did, and nobody asked for.
    pub is_service_event: bool,
    /// More that is worth knowing; `null` where there is nothing.
    pub additional: Value,
}

/// Whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserIdentity {
    /// The holder of an access key, whose request was verified.
    User {
        name: String,
        arn: String,
        access_key: String,
        /// With temporary credentials.
        is_session: bool,
    },
    /// Nobody whose word could be taken; the key that the request named, if it named one.
    Unknown { access_key: Option<String> },
    /// Pipewright itself, or a part of it: `events.amazonaws.com`.
    Service { invoked_by: String },
}

impl AuditRecord {
    /// A record of something that Pipewright itself did.
    pub fn of_service(at: Timestamp, account: &str, region: &str, event_name: &str) -> Self {
        Self {
            at,
            user: UserIdentity::Service {
                invoked_by: "pipewright".to_owned(),
            },
            event_source: "codepipeline.amazonaws.com".to_owned(),
            event_name: event_name.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            source_ip_address: "pipewright".to_owned(),
            user_agent: "pipewright".to_owned(),
            request_parameters: Value::Null,
            response_elements: Value::Null,
            error: None,
            request_id: String::new(),
            event_id: String::new(),
            read_only: false,
            is_service_event: true,
            additional: Value::Null,
        }
    }

    /// The record as `CloudTrail` writes it.
    pub fn document(&self) -> Value {
        let event_type = if self.is_service_event {
            "AwsServiceEvent"
        } else {
            "AwsApiCall"
        };
        let mut document = json!({
            "eventVersion": EVENT_VERSION,
            "userIdentity": self.user.document(&self.account),
            "eventTime": time(self.at),
            "eventSource": self.event_source,
            "eventName": self.event_name,
            "awsRegion": self.region,
            "sourceIPAddress": self.source_ip_address,
            "userAgent": self.user_agent,
            "requestParameters": self.request_parameters,
            "responseElements": self.response_elements,
            "requestID": self.request_id,
            "eventID": self.event_id,
            "readOnly": self.read_only,
            "eventType": event_type,
            "managementEvent": true,
            "eventCategory": "Management",
            "recipientAccountId": self.account,
        });
        if let Some((code, message)) = &self.error {
            document["errorCode"] = json!(code);
            document["errorMessage"] = json!(message);
        }
        if !self.additional.is_null() {
            document["additionalEventData"] = self.additional.clone();
        }
        document
    }

    /// The record as JSON in one line; without its parameters, if it is too long with them.
    pub fn json(&self, bytes_max: usize) -> Result<String, AuditError> {
        let mut document = self.document();
        let json = document.to_string();
        if json.len() <= bytes_max {
            return Ok(json);
        }
        let left_out = json!({"leftOut": "the record was too long", "bytes": json.len()});
        for name in ["requestParameters", "responseElements"] {
            if !document[name].is_null() {
                document[name] = left_out.clone();
            }
        }
        let json = document.to_string();
        if json.len() <= bytes_max {
            Ok(json)
        } else {
            Err(AuditError::TooLarge {
                bytes: json.len(),
                limit: bytes_max,
            })
        }
    }
}

impl UserIdentity {
    fn document(&self, account: &str) -> Value {
        match self {
            Self::User {
                name,
                arn,
                access_key,
                is_session,
            } => {
                let mut user = json!({
                    "type": "IAMUser",
                    "principalId": access_key,
                    "arn": arn,
                    "accountId": account,
                    "accessKeyId": access_key,
                    "userName": name,
                });
                if *is_session {
                    user["sessionContext"] = json!({"attributes": {"mfaAuthenticated": "false"}});
                }
                user
            }
            Self::Unknown { access_key } => {
                let mut user = Map::from_iter([("type".to_owned(), json!("Unknown"))]);
                if let Some(key) = access_key {
                    user.insert("accessKeyId".to_owned(), json!(key));
                }
                Value::Object(user)
            }
            Self::Service { invoked_by } => json!({"type": "AWSService", "invokedBy": invoked_by}),
        }
    }
}

fn time(at: Timestamp) -> String {
    let at = Instant::from_millisecond(at.0).unwrap_or(Instant::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_form_of_the_specification() {
        let mut record = AuditRecord::of_service(
            Timestamp(1_434_568_340_000),
            "000000000000",
            "us-east-1",
            "UpdatePipeline",
        );
        record.user = UserIdentity::User {
            name: "ann".to_owned(),
            arn: "arn:aws:iam::000000000000:user/ann".to_owned(),
            access_key: "PWKAEXAMPLE".to_owned(),
            is_session: false,
        };
        record.is_service_event = false;
        record.error = Some(("AccessDeniedException".to_owned(), "no".to_owned()));
        let document = record.document();
        for (name, value) in [
            ("eventVersion", json!("1.08")),
            ("eventTime", json!("2015-06-17T19:12:20Z")),
            ("eventName", json!("UpdatePipeline")),
            ("awsRegion", json!("us-east-1")),
            ("eventType", json!("AwsApiCall")),
            ("eventCategory", json!("Management")),
            ("managementEvent", json!(true)),
            ("recipientAccountId", json!("000000000000")),
            ("errorCode", json!("AccessDeniedException")),
            ("errorMessage", json!("no")),
            ("responseElements", Value::Null),
        ] {
            assert_eq!(document[name], value, "{name}");
        }
        assert_eq!(document["userIdentity"]["userName"], "ann");
        assert_eq!(document.get("additionalEventData"), None);
    }

    #[test]
    fn a_record_that_is_too_long_goes_without_its_parameters_or_not_at_all() {
        let mut record = AuditRecord::of_service(Timestamp(0), "1", "r", "UpdatePipeline");
        record.request_parameters = json!({"long": "x".repeat(5_000)});
        assert!(record.json(10_000).is_ok_and(|json| json.contains("xxx")));
        let short = record.json(2_000).expect("it fits without");
        assert!(short.contains("the record was too long"), "{short}");
        record.user_agent = "x".repeat(5_000);
        let refused = record.json(2_000);
        assert!(matches!(
            refused,
            Err(AuditError::TooLarge { limit: 2_000, .. })
        ));
    }

    #[test]
    fn nobody_is_named_whose_word_was_not_taken() {
        let unknown = |access_key: Option<&str>| {
            let access_key = access_key.map(str::to_owned);
            UserIdentity::Unknown { access_key }.document("1")
        };
        assert_eq!(unknown(None), json!({"type": "Unknown"}));
        let named = json!({"type": "Unknown", "accessKeyId": "PWKA"});
        assert_eq!(unknown(Some("PWKA")), named);
    }

    #[test]
    fn a_session_says_that_it_is_one() {
        let session = UserIdentity::User {
            name: "ann".to_owned(),
            arn: "arn".to_owned(),
            access_key: "PWSA".to_owned(),
            is_session: true,
        };
        assert!(session.document("1")["sessionContext"].is_object());
    }
}
