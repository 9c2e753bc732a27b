//! The logs of builds.

use async_trait::async_trait;

use crate::StoreError;

/// Reads what builds printed.
#[async_trait]
pub trait BuildLogs: Send + Sync {
    /// Up to `limit` whole lines of a stream from `offset` on, in bytes, and where the next ones
    /// begin; none of a stream that is not there yet.
    async fn lines(
        &self,
        stream: &str,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64), StoreError>;
}
