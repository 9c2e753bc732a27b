//! When: the times of the API, which are seconds since the epoch with a fraction, as people say them.

use model::Timestamp;
use serde_json::Value;

use crate::clock;

/// A time of an answer; none when it holds none.
pub fn timestamp(value: &Value) -> Option<Timestamp> {
    let millis = (value.as_f64()? * 1000.0).round();
    // Times of the years that a calendar has fit into a whole number of milliseconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of floats saturates"
    )]
    let millis = millis as i64;
    Some(Timestamp(millis))
}

/// `2026-11-21T12:03:41.250Z`, or nothing.
pub fn exact(value: &Value) -> String {
    timestamp(value)
        .map(clock::date_and_time)
        .unwrap_or_default()
}

/// `just now`, `2m ago`, `3h ago`, `5d ago`; long ago, the day.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        86_400..2_592_000 => format!("{}d ago", seconds / 86_400),
        _ => clock::date_and_time(at)
            .get(..10)
            .unwrap_or_default()
            .to_owned(),
    }
}

/// Like [`ago`], of a value of an answer; `-` when there is none.
pub fn ago_value(value: &Value, now: Timestamp) -> String {
    timestamp(value).map_or_else(|| "-".to_owned(), |at| ago(at, now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_has_the_unit_that_matters() {
        let now = Timestamp(1_800_000_000_000);
        for (seconds, shown) in [
            (-10, "just now"),
            (4, "just now"),
            (59, "59s ago"),
            (61, "1m ago"),
            (3_600, "1h ago"),
            (172_800, "2d ago"),
            (8_640_000, "2026-10-07"),
        ] {
            assert_eq!(ago(Timestamp(now.0 - seconds * 1_000), now), shown);
        }
    }

    #[test]
    fn the_apis_times_are_seconds_with_a_fraction() {
        assert_eq!(
            timestamp(&json!(1_586_273_484.137)),
            Some(Timestamp(1_586_273_484_137))
        );
        assert_eq!(timestamp(&json!(12)), Some(Timestamp(12_000)));
        assert_eq!(timestamp(&json!("x")), None);
        assert_eq!(exact(&json!(1_800_000_000)), "2027-01-15T08:00:00.000Z");
        assert_eq!(exact(&Value::Null), "");
        assert_eq!(ago_value(&Value::Null, Timestamp(0)), "-");
    }
}
