//! Pauses between tries of those who are in each other's way: longer each time, and of a length by
//! chance, so that they do not meet again.

use std::time::Duration;

use ports::Random as _;
use tokio::time::sleep;

use crate::SystemRandom;

/// How often something is tried.
pub(crate) const TRIES: u32 = 10;

/// The mean of the first pause; it doubles up to the longest.
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(640);

pub(crate) struct Pauses {
    mean: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self { mean: FIRST }
    }

    /// Waits between nothing and twice the mean.
    pub(crate) async fn pause(&mut self) {
        let mut chance = [0];
        SystemRandom.fill(&mut chance);
        sleep(self.mean * 2 * u32::from(chance[0]) / u32::from(u8::MAX)).await;
        self.mean = (self.mean * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_pauses_together_are_bounded() {
        let began = Instant::now();
        let mut pauses = Pauses::new();
        for _ in 0..TRIES {
            pauses.pause().await;
        }
        assert!(began.elapsed() < LONGEST * 2 * TRIES);
        assert_eq!(pauses.mean, LONGEST);
    }
}
