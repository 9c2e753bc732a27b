//! Handing out what a commit ordered.

use std::sync::Arc;

use model::planted::{Bug, planted};

use crate::{
    World,
    store::{Message, Outbox, StoreError},
};

/// Hands out an outbox and then marks it: first the one, then the other, so that a crash between
/// them repeats messages and loses none.
pub async fn deliver(world: &World, outbox: Outbox) -> Result<(), StoreError> {
    if planted(Bug::OutboxMarkedFirst) {
        world.pipelines.delivered(&[outbox.commit]).await?;
    }
    let mut changes = Vec::new();
    for message in outbox.messages {
        match message {
            Message::Job(job) => world.queues.offer(Arc::clone(&job)).await?,
            Message::Cancel(key) => world.queues.cancel(&key).await?,
            Message::Ask(request) => world.bus.ask(&request).await?,
            Message::Change(change) => changes.push(change),
        }
    }
    if !changes.is_empty() {
        world.bus.publish(&changes).await?;
    }
    world.pipelines.delivered(&[outbox.commit]).await
}
