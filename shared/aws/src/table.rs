//! The one table: what is asked of it, what it costs, and what its errors mean.
//!
//! Whatever is read here is read strongly consistent, but for the index `work`, which cannot be. A
//! write says what must hold for it, and an error says whether anything was written: a request
//! without an answer is [`StoreError::Ambiguous`], never "not done".

mod create;
mod expression;
mod item;
mod read;
mod refused;
#[cfg(test)]
mod tests;
mod write;

use aws_sdk_dynamodb::{Client, types::ConsumedCapacity};
pub(crate) use item::encoded;
pub use item::{Item, bytes_of};
pub use read::{Query, Sorted};
pub use refused::Refused;
pub use write::{Condition, Write};

use crate::{Clients, Meter, Settings, SettingsError};

/// What DynamoDB takes: the bytes of one item, the items and the bytes of one transaction, the keys
/// of one batch.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;
pub const TRANSACTION_ITEMS_MAX: usize = 100;
pub const TRANSACTION_BYTES_MAX: usize = 4 * 1024 * 1024;
const BATCH_KEYS_MAX: usize = 100;

/// A table of DynamoDB. Clones are the same table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    meter: Meter,
}

impl Table {
    pub fn new(client: Client, name: impl Into<String>, meter: Meter) -> Self {
        let name = name.into();
        Self {
            client,
            name,
            meter,
        }
    }

    /// The table that the function's environment names.
    pub fn of(clients: &Clients, settings: &Settings) -> Result<Self, SettingsError> {
        let name = settings.require("PIPEWRIGHT_TABLE")?;
        Ok(Self::new(clients.dynamodb(), name, clients.meter().clone()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn read_units(&self, consumed: Option<&ConsumedCapacity>) {
        let units = consumed.and_then(ConsumedCapacity::capacity_units);
        self.meter.add_units(units.unwrap_or_default(), 0.0);
    }

    fn written_units(&self, consumed: Option<&ConsumedCapacity>) {
        let units = consumed.and_then(ConsumedCapacity::capacity_units);
        self.meter.add_units(0.0, units.unwrap_or_default());
    }
}
