//! Who has a job in hand.
//!
//! A job may be offered twice: SQS repeats messages, and the sweep offers what is still open. Two
//! workers that deploy the same thing at once are harmless until one of them is slow and ends after a
//! newer execution has deployed. So whoever begins a job takes it for as long as the call lasts, and
//! Lambda sees to it that the call lasts no longer.

use std::time::Duration;

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

/// The jobs that are in somebody's hand.
#[derive(Clone, Debug)]
pub struct Leases {
    table: Table,
}

impl Leases {
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Takes a job until a time, for `holder`, who is another one with each call; `false` when
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
            .text("holder", holder.to_string())
            .expires(until / 1_000 + KEPT_SECONDS);
        let is_free = Condition::AbsentOrBelow(UNTIL, millis(now));
        match self.table.write(Write::put(item).when(is_free)).await {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
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
