//! Figures and their targets, as people compare them.

use std::{
    fs,
    io::{self, Write as _},
    time::Duration,
};

/// Prints a line of the result.
pub(crate) fn say(line: &str) {
    // Whoever closed the output does not want the rest.
    let _ = writeln!(io::stdout(), "{line}");
}

/// How many processes wanted to run in the last minute.
pub(crate) fn load() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    first
        .parse()
        .map_err(|_| io::Error::other("the load is no number"))
}

/// One figure.
pub(crate) struct Row {
    what: String,
    value: String,
    target: String,
    verdict: &'static str,
}

impl Row {
    /// A time; less is better.
    pub(crate) fn millis(what: &str, time: Duration, target: Option<f64>) -> Self {
        let millis = time.as_secs_f64() * 1000.0;
        Self::of(
            what,
            format!("{millis:.3} ms"),
            target.map(|most| (most, "ms", millis <= most)),
        )
    }

    /// Memory; less is better.
    pub(crate) fn megabytes(what: &str, megabytes: f64, target: Option<f64>) -> Self {
        let target = target.map(|most| (most, "MB", megabytes <= most));
        Self::of(what, format!("{megabytes:.1} MB"), target)
    }

    /// How many a second; more is better.
    pub(crate) fn rate(what: &str, rate: f64, target: Option<f64>) -> Self {
        let target = target.map(|least| (least, "a second", rate >= least));
        Self::of(what, format!("{rate:.0}"), target)
    }

    /// One figure by another; less is better.
    pub(crate) fn factor(what: &str, factor: f64, target: Option<f64>) -> Self {
        let target = target.map(|most| (most, "×", factor <= most));
        Self::of(what, format!("{factor:.2} ×"), target)
    }

    /// What could not be measured, and why.
    pub(crate) fn absent(what: &str, why: &str) -> Self {
        Self::of(what, why.to_owned(), None)
    }

    fn of(what: &str, value: String, target: Option<(f64, &str, bool)>) -> Self {
        let verdict = match target {
            Some((_, _, true)) => "met",
            Some((_, _, false)) => "**missed**",
            None => "",
        };
        let target = target.map(|(bound, unit, _)| format!("{bound} {unit}"));
        Self {
            what: what.to_owned(),
            value,
            target: target.unwrap_or_default(),
            verdict,
        }
    }
}

/// Prints the figures as Markdown.
pub(crate) fn print(rows: &[Row]) {
    say("\n| what | figure | target | |\n| --- | --- | --- | --- |");
    for row in rows {
        let Row {
            what,
            value,
            target,
            verdict,
        } = row;
        say(&format!("| {what} | {value} | {target} | {verdict} |"));
    }
}
