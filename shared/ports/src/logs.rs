//! The logs of builds.

use async_trait::async_trait;

use crate::StoreError;

/// Some lines of a log, and the places in bytes where they begin and end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPiece {
    pub lines: Vec<String>,
    pub from: u64,
    pub to: u64,
}

/// Reads what builds printed.
#[async_trait]
pub trait BuildLogs: Send + Sync {
    /// Up to `limit` whole lines of a stream from `offset` on, in bytes, and where the next ones
    /// begin; none of a stream that is not there yet, nor beyond its end.
    async fn lines(
        &self,
        stream: &str,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64), StoreError>;

    /// Up to `limit` whole lines of a stream that end at `until` or, where it is beyond the end of
    /// the log, at that end; none of a stream that is not there yet. It looks back so far only as a
    /// page is long: there may be fewer lines than asked for, and none only at the log's beginning.
    async fn lines_before(
        &self,
        stream: &str,
        until: u64,
        limit: usize,
    ) -> Result<LogPiece, StoreError>;
}
