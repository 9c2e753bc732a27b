//! Where ids come from: the operating system, or a seed that gives the same ones again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ports::Random;
use uuid::{Builder, Uuid};

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// Numbers that follow from a seed, for simulations; clones draw from the same sequence.
///
/// Anybody who knows the seed can guess them, so nothing that faces people may use it.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    state: Arc<AtomicU64>,
}

/// The step of the SplitMix64 generator: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(AtomicU64::new(seed)),
        }
    }

    /// The next number.
    pub fn next_u64(&self) -> u64 {
        let mut mixed = self
            .state
            .fetch_add(STEP, Ordering::SeqCst)
            .wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Random for SeededRandom {
    fn uuid(&self) -> Uuid {
        let high = u128::from(self.next_u64()) << 64;
        let bytes = (high | u128::from(self.next_u64())).to_be_bytes();
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_one_others() {
        let draw = |seed| {
            let random = SeededRandom::new(seed);
            [random.uuid(), random.uuid(), random.uuid()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7)[0], draw(7)[1]);
    }

    #[test]
    fn ids_have_version_four() {
        assert_eq!(SeededRandom::new(1).uuid().get_version_num(), 4);
        assert_eq!(OsRandom.uuid().get_version_num(), 4);
        assert_ne!(OsRandom.uuid(), OsRandom.uuid());
    }
}
