//! Access keys where several processes have the store: each request reads its key anew, so that one
//! that was changed or taken back elsewhere counts no longer at once.

use std::sync::{Arc, Mutex, PoisonError};

use access::keys::{Holder, Keys, KeysError};
use async_trait::async_trait;
use keyring::Keyring;

/// Makes a ring for each request; a ring remembers what it has read.
pub struct FreshKeys<F> {
    make: F,
    /// Of the request that is answered now.
    ring: Mutex<Option<Arc<Keyring>>>,
}

impl<F: Fn() -> Keyring> FreshKeys<F> {
    pub fn new(make: F) -> Self {
        Self {
            make,
            ring: Mutex::default(),
        }
    }
}

#[async_trait]
impl<F: Fn() -> Keyring + Send + Sync> Keys for FreshKeys<F> {
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
        let ring = Arc::new((self.make)());
        let held = Arc::clone(&ring);
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        ring.holder(access_key).await
    }

    async fn used(&self, access_key: &str) {
        let ring = self
            .ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(ring) = ring {
            ring.used(access_key).await;
        }
    }
}
