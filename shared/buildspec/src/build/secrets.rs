//! A secret is a value that the order names and the caller knows.

use serde_json::Value;
use thiserror::Error;

/// Answers for parameters and secrets; values never travel in an order.
pub trait Secrets {
    /// The decrypted value of a parameter.
    fn parameter(&self, name: &str) -> Result<String, SecretError>;

    /// The whole text of a secret; its JSON key is looked up by the caller of this method.
    fn secret(&self, reference: &SecretReference) -> Result<String, SecretError>;
}

/// Knows nothing: every reference is reported as missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn parameter(&self, _name: &str) -> Result<String, SecretError> {
        Err(SecretError::NotFound)
    }

    fn secret(&self, _reference: &SecretReference) -> Result<String, SecretError> {
        Err(SecretError::NotFound)
    }
}

#[derive(Debug, Error)]
pub enum SecretError {
    #[error("it does not exist")]
    NotFound,
    #[error("access to it is denied: {0}")]
    Denied(String),
    #[error("it cannot be read: {0}")]
    Unavailable(String),
}

/// `<secret-id>[:<json-key>[:<version-stage>[:<version-id>]]]` (spec 70 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretReference {
    /// A name or an ARN.
    pub id: String,
    pub json_key: Option<String>,
    /// Absent means `AWSCURRENT`.
    pub version_stage: Option<String>,
    pub version_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    #[error("a secret reference names a secret")]
    NoId,
    #[error("a secret reference has at most four parts")]
    TooManyParts,
    #[error("a secret reference names a version stage or a version id, not both")]
    StageAndVersion,
}

/// An ARN of a secret has seven segments of its own.
const ARN_SEGMENTS: usize = 7;

impl SecretReference {
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let parts: Vec<&str> = text.split(':').collect();
        let own = if text.starts_with("arn:") {
            ARN_SEGMENTS.min(parts.len())
        } else {
            1
        };
        let (id, rest) = parts.split_at(own);
        let id = id.join(":");
        if id.is_empty() {
            return Err(ReferenceError::NoId);
        }
        let part = |index: usize| {
            rest.get(index)
                .filter(|part| !part.is_empty())
                .map(|part| (*part).to_owned())
        };
        if rest.len() > 3 {
            return Err(ReferenceError::TooManyParts);
        }
        let reference = Self {
            id,
            json_key: part(0),
            version_stage: part(1),
            version_id: part(2),
        };
        if reference.version_stage.is_some() && reference.version_id.is_some() {
            return Err(ReferenceError::StageAndVersion);
        }
        Ok(reference)
    }
}

/// The value of a key of a secret that is a JSON object.
pub(super) fn json_key(secret: &str, key: &str) -> Result<String, SecretError> {
    // The parser's own message may quote the secret, so it is not passed on.
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(secret) else {
        return Err(SecretError::Unavailable(format!(
            "it is no JSON object with a key {key}"
        )));
    };
    match object.get(key) {
        Some(Value::String(value)) => Ok(value.clone()),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Array(_))) => {
            Ok(value.to_string())
        }
        Some(Value::Null) | None => Err(SecretError::Unavailable(format!("it has no key {key}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        let r = SecretReference::parse(text).expect("a reference");
        (r.id, r.json_key, r.version_stage, r.version_id)
    }

    #[test]
    fn a_reference_has_up_to_four_parts_and_empty_ones_count_as_absent() {
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(read("db"), ("db".to_owned(), None, None, None));
        assert_eq!(read("db:user"), ("db".to_owned(), some("user"), None, None));
        assert_eq!(
            read("db::AWSPREVIOUS"),
            ("db".to_owned(), None, some("AWSPREVIOUS"), None)
        );
        assert_eq!(
            read("db:user::v1"),
            ("db".to_owned(), some("user"), None, some("v1"))
        );
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf";
        assert_eq!(read(arn), (arn.to_owned(), None, None, None));
        assert_eq!(
            read(&format!("{arn}:user")),
            (arn.to_owned(), some("user"), None, None)
        );
    }

    #[test]
    fn a_reference_that_says_too_little_or_too_much_is_refused() {
        assert_eq!(SecretReference::parse(""), Err(ReferenceError::NoId));
        assert_eq!(
            SecretReference::parse("a:b:c:d"),
            Err(ReferenceError::StageAndVersion)
        );
        assert_eq!(
            SecretReference::parse("a:b::d:e"),
            Err(ReferenceError::TooManyParts)
        );
    }

    #[test]
    fn a_key_of_a_secret_is_taken_from_its_json() {
        let secret = r#"{"user":"ann","port":5432,"none":null}"#;
        assert_eq!(json_key(secret, "user").expect("a key"), "ann");
        assert_eq!(json_key(secret, "port").expect("a key"), "5432");
        assert!(matches!(
            json_key(secret, "none"),
            Err(SecretError::Unavailable(_))
        ));
        let error = json_key("hunter2", "user").expect_err("no JSON");
        assert!(!error.to_string().contains("hunter2"));
    }
}
