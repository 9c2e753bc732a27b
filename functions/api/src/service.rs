//! What every service on this address is: operations under a prefix.

use access::Caller;
use bytes::Bytes;
use serde_json::Value;

use crate::error::ApiError;

/// What answers operations of one service, as the prefix of their targets names it.
#[async_trait::async_trait]
pub trait Service: Send + Sync {
    /// What stands before the operation in `X-Amz-Target`: `CodePipeline_20150709`.
    fn prefix(&self) -> &'static str;

    /// The service that requests must be signed for: `codepipeline`.
    fn signed_for(&self) -> &'static str;

    /// Whether the operation changes nothing.
    fn only_reads(&self, operation: &str) -> bool;

    /// The answer as a text, from services that have some of them ready.
    async fn ready(&self, _call: &Call<'_>) -> Option<Result<Bytes, ApiError>> {
        None
    }

    /// Carries out an operation; the answer has no body where the value is null.
    async fn call(&self, call: Call<'_>) -> Result<Value, ApiError>;
}

/// One request for an operation, whose sender is known.
pub struct Call<'a> {
    pub operation: &'a str,
    pub caller: Caller,
    pub input: Value,
    /// The text that `input` was read from.
    pub body: &'a str,
}
