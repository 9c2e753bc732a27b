//! A flag that ends a build from another thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Raised once, seen by the build within a tenth of a second; clones share it.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
