//! How far somebody has read the journal.

use async_trait::async_trait;

use crate::StoreError;

/// Keeps numbers by name: the last commit that a reader has dealt with.
///
/// What holds after a crash: a cursor is what it was set to, or what it was before. So a reader
/// deals with a few commits again, and never with too few.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// The cursor of that name; nothing when it was never set.
    async fn get(&self, name: &str) -> Result<Option<u64>, StoreError>;

    async fn set(&self, name: &str, commit: u64) -> Result<(), StoreError>;

    /// Forgets every cursor but these: a reader that comes back later begins anew.
    async fn keep_only(&self, names: &[String]) -> Result<(), StoreError>;
}
