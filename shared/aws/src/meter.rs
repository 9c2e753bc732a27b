//! Counts what services are asked for.
//!
//! The counts go into a function's metrics, into the price of an execution, and into the test that
//! compares the calls of each function with its role.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextRef},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// Shared by all clients of a function.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    metered: Arc<Mutex<Metered>>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metered {
    /// How often each operation was sent, retries included, by `Service.Operation`.
    pub calls: BTreeMap<String, u64>,
    /// Units of the table, as it said itself.
    pub read_units: f64,
    pub write_units: f64,
}

impl Meter {
    fn metered(&self) -> MutexGuard<'_, Metered> {
        // Counts are whole whatever happened to the thread that added to them.
        self.metered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted so far; the counts begin anew.
    pub fn take(&self) -> Metered {
        std::mem::take(&mut *self.metered())
    }

    pub(crate) fn add_units(&self, read: f64, write: f64) {
        let mut metered = self.metered();
        metered.read_units += read;
        metered.write_units += write;
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            let name = format!("{}.{}", metadata.service(), metadata.name());
            *self.metered().calls.entry(name).or_default() += 1;
        }
        Ok(())
    }
}
