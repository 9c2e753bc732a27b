//! Nobody is there: what tests put where nothing is to happen.

use std::sync::Arc;

use async_trait::async_trait;
use model::{
    AttemptKey, Change, Input, Job,
    build::{BuildOrder, BuildState},
    effect::ApprovalRequest,
};

use crate::{BuildRunner, EventBus, Queues, StoreError, builds::BuildError};

/// Takes everything and does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

#[async_trait]
impl Queues for Nobody {
    async fn offer(&self, _job: Arc<Job>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn cancel(&self, _key: &AttemptKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send(&self, _pipeline: &str, _input: Input) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl EventBus for Nobody {
    async fn publish(&self, _changes: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ask(&self, _request: &ApprovalRequest) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl BuildRunner for Nobody {
    async fn start(&self, _order: BuildOrder) -> Result<(), BuildError> {
        Ok(())
    }

    async fn state(&self, _id: &str) -> Result<BuildState, BuildError> {
        Ok(BuildState::Unknown)
    }

    async fn stop(&self, _id: &str) -> Result<(), BuildError> {
        Ok(())
    }
}
