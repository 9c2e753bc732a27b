//! The ways between the handlers.

use std::sync::Arc;

use async_trait::async_trait;
use model::{AttemptKey, Input, Job};

use crate::StoreError;

/// Carries jobs to the workers and inputs to the engine.
///
/// Every message is a hint: it may be lost, repeated, delayed and reordered. The truth is in the
/// store, and the sweep finds what a lost message would have told.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Offers a job to the workers.
    async fn offer(&self, job: Arc<Job>) -> Result<(), StoreError>;

    /// Tells the worker of an attempt to end it.
    async fn cancel(&self, key: &AttemptKey) -> Result<(), StoreError>;

    /// Sends an input to the engine.
    async fn send(&self, pipeline: &str, input: Input) -> Result<(), StoreError>;
}
