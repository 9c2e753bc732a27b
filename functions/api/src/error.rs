//! Errors as the wire has them (spec 10 §2).

use access::AuthenticationError;
use model::{
    Rejection,
    declaration::problem::{Problem, api_error},
};
use operations::OperationError;
use ports::{Account, StoreError};
use serde_json::json;

/// An answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The name of the exception.
    pub exception: &'static str,
    pub status: u16,
    pub message: String,
}

impl ApiError {
    /// Something is wrong with the request.
    pub fn new(exception: &'static str, message: impl Into<String>) -> Self {
        Self {
            exception,
            status: 400,
            message: message.into(),
        }
    }

    /// The body is no JSON, or a member has the wrong type.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// Something is wrong here. The message says no more than whoever asks should know.
    fn internal() -> Self {
        Self {
            exception: "InternalFailure",
            status: 500,
            message: "The service failed; nothing was changed unless it says so. \
                      Its log has the reason under this request's id"
                .to_owned(),
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            exception: "ServiceUnavailableException",
            status: 503,
            message: message.into(),
        }
    }

    /// The exception in the words of the API; the account belongs to some of them.
    pub fn of_operation(error: &OperationError, account: &Account) -> Self {
        match error {
            OperationError::Rejected(rejection) => {
                Self::new(rejection.exception(), message(rejection, account))
            }
            OperationError::Invalid(problems) => Self::of_problems(problems),
            OperationError::Denied(message) => Self::new("AccessDeniedException", message),
            OperationError::Busy => Self::new("ConcurrentModificationException", error.to_string()),
            OperationError::Store(StoreError::TooLarge { .. }) => {
                Self::new("LimitExceededException", error.to_string())
            }
            OperationError::Store(StoreError::Unavailable { .. }) => Self::unavailable(
                "the store cannot be written or read now; nothing was changed, try again",
            ),
            OperationError::Store(StoreError::Ambiguous) => Self::unavailable(
                "whether the change was stored is not known; look before you try again",
            ),
            OperationError::Store(StoreError::Conflict | StoreError::Corrupt { .. })
            | OperationError::Defect(_) => Self::internal(),
        }
    }

    /// What is wrong with a declaration, as one error.
    pub fn of_problems(problems: &[Problem]) -> Self {
        match api_error(problems) {
            Some((exception, message)) => {
                let first = problems
                    .iter()
                    .find(|problem| problem.message == message)
                    .and_then(|problem| problem.help.as_ref());
                let message = match first {
                    Some(help) => format!("{message} ({help})"),
                    None => message,
                };
                Self::new(exception.name(), message)
            }
            None => Self::internal(),
        }
    }

    /// The sender is not known.
    pub fn of_authentication(error: &AuthenticationError) -> Self {
        match error.exception() {
            "InternalFailure" => Self::unavailable(
                "access keys cannot be looked up now; nothing was done, try again",
            ),
            exception => Self::new(exception, error.to_string()),
        }
    }

    pub(crate) fn body(&self) -> String {
        json!({"__type": self.exception, "message": self.message}).to_string()
    }
}

/// The texts that were observed where there are any (spec 10 §2), else our own.
fn message(rejection: &Rejection, account: &Account) -> String {
    match rejection {
        Rejection::PipelineNotFound(name) => format!(
            "Account '{}' does not have a pipeline with name '{name}'",
            account.id
        ),
        Rejection::PipelineNameInUse(name) => format!(
            "A pipeline with the name '{name}' already exists in account '{}'",
            account.id
        ),
        Rejection::Validation(what) => what.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_ours_tells_nothing_of_our_insides() {
        let account = Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let defect = OperationError::Defect("secret insides".to_owned());
        let corrupt = OperationError::Store(StoreError::Corrupt {
            what: "secret".to_owned(),
            why: "insides".to_owned(),
        });
        for error in [defect, corrupt] {
            let error = ApiError::of_operation(&error, &account);
            assert_eq!((error.exception, error.status), ("InternalFailure", 500));
            assert!(!error.message.contains("insides"));
        }
        let gone = OperationError::Store(StoreError::Unavailable {
            doing: "write".to_owned(),
            source: "disk full".into(),
        });
        let error = ApiError::of_operation(&gone, &account);
        assert_eq!(error.status, 503);
        let busy = ApiError::of_operation(&OperationError::Busy, &account);
        assert_eq!(busy.exception, "ConcurrentModificationException");
        let large = OperationError::Store(StoreError::TooLarge {
            what: "head".to_owned(),
            bytes: 2,
            limit: 1,
        });
        let large = ApiError::of_operation(&large, &account);
        assert_eq!(large.exception, "LimitExceededException");
    }
}
