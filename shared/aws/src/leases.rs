//! Who has a job in hand.
//!
//! A job may be offered twice: SQS repeats messages, and the sweep offers what is still open. Two
//! workers that deploy the same thing at once are harmless until one of them is slow and ends after a
//! newer execution has deployed. So whoever begins a job takes it first, and lets go of it when it is
//! done or goes on by itself. What a worker that died had in hand is free when its call would have been
//! over, and Lambda sees to it that it lasts no longer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use model::Timestamp;
use ports::StoreError;
use uuid::Uuid;

use crate::{
    Table, keys,
    table::{Condition, Item, Refused, Write},
};

/// The longest that a call of Lambda lasts; a lease without a known end ends then.
const CALL_MAX: Duration = Duration::from_mins(15);

/// How long the clocks of two functions may differ.
const SKEW: Duration = Duration::from_secs(2);

/// When DynamoDB may remove what is over, in seconds.
const KEPT_SECONDS: u64 = 3_600;

const UNTIL: &str = "until";
const HOLDER: &str = "holder";

/// The jobs that are in somebody's hand.
#[derive(Clone, Debug)]
pub struct Leases {
    table: Table,
    /// Those in ours, with the name that we took each under.
    held: Arc<Mutex<BTreeMap<Uuid, Uuid>>>,
}

impl Leases {
    pub fn new(table: Table) -> Self {
        Self {
            table,
            held: Arc::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Uuid, Uuid>> {
        // A map is whole whatever happened to the thread that changed it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job until a time, for `holder`, which is another one with each call; `false` when
    /// somebody else has it.
    pub async fn take(
        &self,
        action_execution: Uuid,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let millis = |at: Timestamp| u64::try_from(at.0).unwrap_or_default();
        let until = millis(until.min(now.plus(CALL_MAX)).plus(SKEW));
        let item = Item::new(keys::lease(action_execution))
            .number(UNTIL, until)
            .text(HOLDER, holder.to_string())
            .expires(until / 1_000 + KEPT_SECONDS);
        let is_free = Condition::AbsentOrBelow(UNTIL, millis(now));
        match self.table.write(Write::put(item).when(is_free)).await {
            Ok(()) => {
                self.held().insert(action_execution, holder);
                Ok(true)
            }
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// Lets go of a job that was taken; nothing happens when it is somebody else's by now.
    pub async fn release(&self, action_execution: Uuid) -> Result<(), StoreError> {
        let Some(holder) = self.held().remove(&action_execution) else {
            return Ok(());
        };
        let holder = AttributeValue::S(holder.to_string());
        let is_ours = Condition::Equals(vec![(HOLDER, holder)]);
        let release = Write::delete(keys::lease(action_execution)).when(is_ours);
        match self.table.write(release).await {
            Ok(()) | Err(Refused::Conditions(_)) => Ok(()),
            Err(Refused::Store(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Meter,
        answers::{Answer, clients},
    };

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_may_have_been_taken_is_none() {
        let silent = clients(|_, _| Answer::Silence).dynamodb();
        let leases = Leases::new(Table::new(silent, "t", Meter::default()));
        let (job, holder) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let taken = leases.take(job, holder, Timestamp(0), Timestamp(1)).await;
        assert!(matches!(taken, Err(StoreError::Ambiguous)), "{taken:?}");
    }
}
