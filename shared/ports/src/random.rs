//! Chance.

use uuid::Uuid;

/// Draws ids that nobody can guess and that never repeat.
pub trait Random: Send + Sync {
    /// A UUID of version 4.
    fn uuid(&self) -> Uuid;
}
