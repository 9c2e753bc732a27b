//! Times and durations as people and programs read them.

use std::time::Duration;

use jiff::fmt::strtime;
use model::Timestamp;

/// `12:03:41Z`.
pub fn time_of_day(at: Timestamp) -> String {
    formatted(at, "%H:%M:%SZ")
}

/// `2026-11-21T12:03:41.250Z`.
pub fn date_and_time(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

fn formatted(at: Timestamp, format: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(at.0).ok();
    // A time that no calendar has is shown as the number that it is.
    time.and_then(|time| strtime::format(format, time).ok())
        .unwrap_or_else(|| at.0.to_string())
}

/// `0.4s`, `31.8s`, `2m 14s`, `1h 02m`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds < 60 {
        format!("{}.{}s", seconds, length.subsec_millis() / 100)
    } else if seconds < 3600 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60)
    }
}

/// How long something took, from its beginning.
pub fn between(from: Timestamp, until: Timestamp) -> String {
    duration(until.since(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc() {
        assert_eq!(time_of_day(Timestamp(1_800_000_000_250)), "08:00:00Z");
        assert_eq!(
            date_and_time(Timestamp(1_800_000_000_250)),
            "2027-01-15T08:00:00.250Z"
        );
        assert_eq!(time_of_day(Timestamp(i64::MAX)), i64::MAX.to_string());
    }

    #[test]
    fn a_duration_has_the_units_that_matter() {
        for (millis, shown) in [
            (0, "0.0s"),
            (449, "0.4s"),
            (59_999, "59.9s"),
            (60_000, "1m 00s"),
            (134_000, "2m 14s"),
            (3_725_000, "1h 02m"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
    }
}
