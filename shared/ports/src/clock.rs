//! The time of day.

use model::Timestamp;

/// Tells the time. Two calls may tell the same or, when the machine's clock was set, an earlier one;
/// the engine keeps each pipeline's time from running backwards.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
