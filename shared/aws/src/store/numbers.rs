//! The numbers of commits.
//!
//! One counter for all pipelines would be the one item that every commit writes. So a number is made
//! of the time, of the shard of the journal that the commit is in, and of chance; the journal takes
//! none twice. Those of one pipeline always grow; those of several ones grow as far as the clocks of
//! whoever commits agree.

use model::Timestamp;

use crate::keys::SHARDS;

const SHARD_BITS: u32 = 4;
const CHANCE_BITS: u32 = 7;
/// How many bits of an attempt's order tell its place in the commit: there are 100 items in one.
const PLACE_BITS: u32 = 7;

/// Bits above those of the time; all of them together stay below 2^53, which every reader of JSON
/// can take, until the year 2109.
const TIME_SHIFT: u32 = SHARD_BITS + CHANCE_BITS;

/// A number after `last`, that of the pipeline's commit before; 0 when there was none.
pub(super) fn next(now: Timestamp, last: u64, shard: u64, chance: u64) -> u64 {
    let now = u64::try_from(now.0).unwrap_or_default();
    let time = now.max((last >> TIME_SHIFT) + 1);
    let chance = chance & ((1 << CHANCE_BITS) - 1);
    (time << TIME_SHIFT) | ((shard % SHARDS) << CHANCE_BITS) | chance
}

/// The shard of the journal that has this commit.
pub(super) fn shard_in(number: u64) -> u64 {
    (number >> CHANCE_BITS) % SHARDS
}

/// The order of an attempt among all of its pipeline.
pub(super) fn order(commit: u64, place: usize) -> u64 {
    (commit << PLACE_BITS) | u64::try_from(place).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_pipeline_grow_whatever_the_clock_does() {
        let mut last = 0;
        for now in [1_800_000_000_000, 1_800_000_000_000, 5, 1_800_000_000_001] {
            let number = next(Timestamp(now), last, 3, 127);
            assert!(number > last);
            assert_eq!(shard_in(number), 3);
            assert!(number < 1 << 53);
            last = number;
        }
    }

    #[test]
    fn attempts_are_in_order_of_their_commits_and_places() {
        assert!(order(7, 99) < order(8, 0));
        assert!(order(8, 0) < order(8, 1));
    }
}
