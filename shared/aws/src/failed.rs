//! What an error of an SDK means to us.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ports::StoreError;

/// What became of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The service refused it: nothing happened.
    Refused,
    /// The service was too busy and did nothing; the SDK has tried again by itself.
    Throttled,
    /// Nothing was sent.
    Unsent,
    /// No answer came, or one that says nothing: it may have happened.
    Unknown,
}

/// Codes of services that did nothing because they were asked too often.
const THROTTLED: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "SlowDown",
];

/// What became of a request whose call gave this error.
pub(crate) fn asked<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Asked
where
    R: HasStatus,
{
    match error {
        SdkError::ConstructionFailure(_) => Asked::Unsent,
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or_default();
            if THROTTLED.contains(&code) {
                Asked::Throttled
            } else if refused.raw().status() >= 500 {
                Asked::Unknown
            } else {
                Asked::Refused
            }
        }
        // Time-outs, broken connections and answers that are none; a dispatch that failed may have
        // sent its bytes.
        _ => Asked::Unknown,
    }
}

/// An answer that has an HTTP status.
pub(crate) trait HasStatus {
    fn status(&self) -> u16;
}

impl HasStatus for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        aws_smithy_runtime_api::client::orchestrator::HttpResponse::status(self).as_u16()
    }
}

/// What an error says, with all that is behind it, in one line.
pub(crate) fn said(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        text = format!("{text}: {cause}");
        behind = cause.source();
    }
    text
}

/// The error of a store that cannot be used now; `doing` says what failed: `read a pipeline`.
pub(crate) fn unavailable<E, R>(doing: &str, error: SdkError<E, R>) -> StoreError
where
    E: Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    StoreError::Unavailable {
        doing: doing.to_owned(),
        source: Box::new(error),
    }
}
