//! The time of day, as the machine that the function runs on has it.

use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;
use ports::Clock;

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock that was set before 1970 tells 1970: the engine only needs an order.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(0).plus(since.unwrap_or_default())
    }
}
