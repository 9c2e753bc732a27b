//! Refusals of requests that nobody valid signed: each costs its sender nothing, so they may not
//! fill the disk. So many a minute are recorded one by one; the others are counted.

use std::sync::{Mutex, PoisonError};

use model::Timestamp;
use serde_json::json;

use super::AuditRecord;

/// How many refusals of requests without a valid key are recorded one by one in a minute.
pub const REFUSALS_PER_MINUTE_MAX: u64 = 60;

const MINUTE_MILLIS: i64 = 60_000;

/// Counts refusals, minute by minute.
#[derive(Debug, Default)]
pub struct RefusalLimit {
    minute: Mutex<Option<Minute>>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    began: Timestamp,
    refusals: u64,
}

/// What is to be done about one refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whether it gets a record of its own.
    pub is_recorded: bool,
    /// Those of an earlier minute that got none; they are to be recorded first.
    pub left_out: Option<LeftOut>,
}

/// How many refusals got no record of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub count: u64,
    /// When the minute began.
    pub since: Timestamp,
}

impl RefusalLimit {
    /// Counts a refusal.
    pub fn refused(&self, now: Timestamp) -> Refused {
        let left_out = self.settle(now);
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minute.get_or_insert(Minute {
            began: now,
            refusals: 0,
        });
        minute.refusals = minute.refusals.saturating_add(1);
        Refused {
            is_recorded: minute.refusals <= REFUSALS_PER_MINUTE_MAX,
            left_out,
        }
    }

    /// What the minute left out, when it is over; to be asked now and then, and with the end of time
    /// when the server stops.
    pub fn settle(&self, now: Timestamp) -> Option<LeftOut> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back ends the minute, too.
        let over =
            minute.filter(|it| !(0..MINUTE_MILLIS).contains(&now.0.saturating_sub(it.began.0)))?;
        *minute = None;
        let count = over.refusals.saturating_sub(REFUSALS_PER_MINUTE_MAX);
        (count > 0).then_some(LeftOut {
            count,
            since: over.began,
        })
    }
}

impl LeftOut {
    /// The record that stands for all of them.
    pub fn record(self, now: Timestamp, account: &str, region: &str) -> AuditRecord {
        let mut record = AuditRecord::of_service(now, account, region, "RefusalsLeftOut");
        record.additional = json!({"count": self.count, "sinceMillis": self.since.0});
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_are_recorded_and_the_others_are_counted() {
        let limit = RefusalLimit::default();
        let began = Timestamp(1_000);
        for _ in 0..REFUSALS_PER_MINUTE_MAX {
            assert!(limit.refused(began).is_recorded);
        }
        for _ in 0..3 {
            let refused = limit.refused(Timestamp(1_000 + MINUTE_MILLIS - 1));
            let left_out = None;
            let expected = Refused {
                is_recorded: false,
                left_out,
            };
            assert_eq!(refused, expected);
        }
        let next = limit.refused(Timestamp(1_000 + MINUTE_MILLIS));
        let left_out = LeftOut {
            count: 3,
            since: began,
        };
        let expected = Refused {
            is_recorded: true,
            left_out: Some(left_out),
        };
        assert_eq!(next, expected);
        let record = left_out.record(began, "1", "r").document();
        assert_eq!(record["additionalEventData"]["count"], 3);
    }

    #[test]
    fn a_minute_in_which_nothing_was_left_out_says_nothing() {
        let limit = RefusalLimit::default();
        assert_eq!(limit.settle(Timestamp(i64::MAX)), None);
        limit.refused(Timestamp(0));
        assert_eq!(limit.settle(Timestamp(1)), None);
        assert_eq!(limit.settle(Timestamp(i64::MAX)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_minute() {
        let limit = RefusalLimit::default();
        for _ in 0..=REFUSALS_PER_MINUTE_MAX {
            limit.refused(Timestamp(5_000));
        }
        let left_out = limit.settle(Timestamp(4_999)).map(|it| it.count);
        assert_eq!(left_out, Some(1));
    }
}
