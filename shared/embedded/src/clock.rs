//! Where the time of day comes from: the machine's clock, or a hand that sets it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use model::Timestamp;
use ports::Clock;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock that was set before 1970 tells 1970: the engine only needs an order.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(0).plus(since.unwrap_or_default())
    }
}

/// A clock that stands still until it is set, for simulated time; clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    millis: Arc<AtomicI64>,
}

impl ManualClock {
    pub fn new(at: Timestamp) -> Self {
        Self {
            millis: Arc::new(AtomicI64::new(at.0)),
        }
    }

    /// Sets the clock, forwards or back.
    pub fn set(&self, at: Timestamp) {
        self.millis.store(at.0, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.millis.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = ManualClock::new(Timestamp(5_000));
        let other = clock.clone();
        assert_eq!(clock.now(), Timestamp(5_000));
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now(), Timestamp(7_000));
        other.set(Timestamp(1));
        assert_eq!(clock.now(), Timestamp(1));
    }

    #[test]
    fn the_system_clock_tells_a_time_of_this_century() {
        let year_2020 = Timestamp(1_577_836_800_000);
        let year_2100 = Timestamp(4_102_444_800_000);
        assert!((year_2020..year_2100).contains(&SystemClock.now()));
    }
}
