//! A figure is what was measured, as people compare it.

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

/// The processor time that this process and the children it waited for have used.
pub(crate) fn cpu() -> io::Result<Duration> {
    /// The kernel's unit; it is the same on every Linux that Rust runs on.
    const TICKS_PER_SECOND: u64 = 100;
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok());
    Ok(Duration::from_millis(
        ticks.sum::<u64>() * 1000 / TICKS_PER_SECOND,
    ))
}

/// The memory of this process, in MB.
pub(crate) fn memory_mb() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    let kilobytes: u32 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default();
    Ok(f64::from(kilobytes) / 1024.0)
}

/// How long each of many took.
pub(crate) struct Latency(Vec<Duration>);

impl Latency {
    pub(crate) fn new(mut each: Vec<Duration>) -> Self {
        each.sort();
        Self(each)
    }

    pub(crate) fn p50(&self) -> Duration {
        self.at(50)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.at(99)
    }

    fn at(&self, percent: usize) -> Duration {
        let place = self.0.len().saturating_sub(1) * percent / 100;
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// Rows of figures, printed as Markdown.
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    pub(crate) fn new(head: [&str; 4]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned), ["---"; 4].map(str::to_owned)],
        }
    }

    pub(crate) fn row(&mut self, row: [String; 4]) {
        self.rows.push(row);
    }

    /// A latency beside its floor: smaller is better.
    pub(crate) fn latency(
        &mut self,
        what: &str,
        ours: &Latency,
        floor: &Latency,
        of: impl Fn(&Latency) -> Duration,
    ) {
        let (ours, floor) = (
            of(ours).as_secs_f64() * 1000.0,
            of(floor).as_secs_f64() * 1000.0,
        );
        let ratio = format!("{:.2} ×", ours / floor);
        self.row([
            what.to_owned(),
            format!("{ours:.3} ms"),
            format!("{floor:.3} ms"),
            ratio,
        ]);
    }

    /// A rate beside its floor: greater is better.
    pub(crate) fn rate(&mut self, what: &str, ours: f64, floor: f64) {
        let ratio = format!("{:.2} ×", ours / floor);
        self.row([
            what.to_owned(),
            format!("{ours:.0}"),
            format!("{floor:.0}"),
            ratio,
        ]);
    }

    pub(crate) fn markdown(&self) -> String {
        let lines = self
            .rows
            .iter()
            .map(|row| format!("| {} |", row.join(" | ")));
        lines.collect::<Vec<_>>().join("\n")
    }
}
