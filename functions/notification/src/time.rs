//! Times, as approvals and mails show them.

use model::Timestamp;

/// To the minute, as approvals have it: `2016-07-07T20:22Z`.
pub(crate) fn minutes(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%MZ")
}

/// For people: `2016-07-07 20:22 UTC`.
pub(crate) fn people(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M UTC")
}

fn formatted(at: Timestamp, format: &str) -> String {
    // No clock tells a time that is out of range; a damaged row may.
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_cut_and_never_rounded() {
        let at = Timestamp(1_698_328_179_999);
        assert_eq!(minutes(at), "2023-10-26T13:49Z");
        assert_eq!(people(at), "2023-10-26 13:49 UTC");
        assert_eq!(people(Timestamp(i64::MAX)), "1970-01-01 00:00 UTC");
    }
}
