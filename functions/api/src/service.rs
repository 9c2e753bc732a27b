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

    async fn call(&self, call: Call<'_>) -> Result<Reply, ApiError>;
}

/// What a caller gets of an operation that was carried out.
pub enum Reply {
    /// Nothing where it is null.
    Value(Value),
    /// A text that was made before.
    Ready(Bytes),
}

impl Reply {
    pub(crate) fn into_body(self) -> Bytes {
        match self {
            Self::Value(Value::Null) => Bytes::new(),
            Self::Value(output) => Bytes::from(output.to_string()),
            Self::Ready(text) => text,
        }
    }
}

impl From<Value> for Reply {
    fn from(output: Value) -> Self {
        Self::Value(output)
    }
}

impl From<Bytes> for Reply {
    fn from(text: Bytes) -> Self {
        Self::Ready(text)
    }
}

/// One request for an operation, whose sender is known.
pub struct Call<'a> {
    pub operation: &'a str,
    pub caller: Caller,
    pub input: Value,
    /// The text that `input` was read from.
    pub body: &'a str,
}
