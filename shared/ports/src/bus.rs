//! Where announced changes and questions to people go.

use async_trait::async_trait;
use model::{Change, effect::ApprovalRequest};

use crate::StoreError;

/// Hands changes to whoever listens.
///
/// At least once, in any order: a listener drops repeats by [`model::derive::change_id`], and an
/// approval request by the token in its key. Durable history is the store's, not the bus's.
#[async_trait]
pub trait EventBus: Send + Sync {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// Asks a person to decide; there may be nobody listening yet.
    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError>;
}
