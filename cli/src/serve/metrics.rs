//! What the server counts, in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The upper bounds of the latency histogram, in seconds.
const BOUNDS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// How many operations and outcomes are counted apart; more are counted together.
const SERIES_MAX: usize = 512;

/// Counters of one server.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    pub connections: AtomicU64,
    requests: Mutex<BTreeMap<(String, String), u64>>,
    latency: [AtomicU64; BOUNDS.len() + 1],
    latency_micros: AtomicU64,
    changes: Mutex<BTreeMap<(&'static str, String), u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            connections: AtomicU64::new(0),
            requests: Mutex::default(),
            latency: std::array::from_fn(|_| AtomicU64::new(0)),
            latency_micros: AtomicU64::new(0),
            changes: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts a request by what it was for and how it ended.
    pub fn request(&self, operation: &str, outcome: &str, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.latency[bucket.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.fetch_add(micros, Ordering::Relaxed);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (label(operation), label(outcome));
        if requests.len() >= SERIES_MAX && !requests.contains_key(&key) {
            *requests.entry(("other".to_owned(), key.1)).or_default() += 1;
        } else {
            *requests.entry(key).or_default() += 1;
        }
    }

    /// Counts a change: of a pipeline execution, a stage or an action, into a state.
    pub fn change(&self, subject: &'static str, state: String) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes.entry((subject, state)).or_default() += 1;
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self, live_executions: usize) -> String {
        let mut text = String::new();
        self.requests(&mut text);
        self.latency(&mut text);
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        head(
            &mut text,
            "pipewright_changes_total",
            "counter",
            "State changes, by subject and state.",
        );
        for ((subject, state), count) in changes.iter() {
            let _ = writeln!(
                text,
                "pipewright_changes_total{{subject=\"{subject}\",state=\"{state}\"}} {count}"
            );
        }
        gauge(
            &mut text,
            "pipewright_pipelines_live",
            "Pipelines that wait for a time or a worker.",
            live_executions as u64,
        );
        let connections = self.connections.load(Ordering::Relaxed);
        gauge(
            &mut text,
            "pipewright_connections",
            "Open connections.",
            connections,
        );
        let uptime = self.started.elapsed().as_secs();
        gauge(
            &mut text,
            "pipewright_uptime_seconds",
            "Seconds since the start.",
            uptime,
        );
        if let Some(bytes) = resident_bytes() {
            gauge(
                &mut text,
                "process_resident_memory_bytes",
                "Memory in use.",
                bytes,
            );
        }
        text
    }

    fn requests(&self, text: &mut String) {
        head(
            text,
            "pipewright_requests_total",
            "counter",
            "Requests, by operation and outcome.",
        );
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((operation, outcome), count) in requests.iter() {
            let _ = writeln!(
                text,
                "pipewright_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}} {count}"
            );
        }
    }

    fn latency(&self, text: &mut String) {
        let name = "pipewright_request_seconds";
        head(text, name, "histogram", "How long requests took.");
        let mut total = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.latency) {
            total += count.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        total += self.latency[BOUNDS.len()].load(Ordering::Relaxed);
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {total}");
        let micros = self.latency_micros.load(Ordering::Relaxed);
        let seconds = Duration::from_micros(micros).as_secs_f64();
        let _ = writeln!(text, "{name}_sum {seconds}");
        let _ = writeln!(text, "{name}_count {total}");
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn gauge(text: &mut String, name: &str, help: &str, value: u64) {
    head(text, name, "gauge", help);
    let _ = writeln!(text, "{name} {value}");
}

/// A text that fits between the quotes of a label.
fn label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    text.chars().filter(|c| fits(*c)).take(80).collect()
}

/// `VmRSS` of this process.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_outcome_and_time() {
        let metrics = Metrics::default();
        metrics.request("GetPipeline", "200", Duration::from_micros(400));
        metrics.request("GetPipeline", "200", Duration::from_secs(9));
        metrics.request("evil\"}\n", "400", Duration::from_millis(2));
        metrics.change("pipeline", "STARTED".to_owned());
        let text = metrics.text(3);
        for line in [
            "pipewright_requests_total{operation=\"GetPipeline\",outcome=\"200\"} 2",
            "pipewright_requests_total{operation=\"evil\",outcome=\"400\"} 1",
            "pipewright_request_seconds_bucket{le=\"0.0005\"} 1",
            "pipewright_request_seconds_bucket{le=\"0.0025\"} 2",
            "pipewright_request_seconds_bucket{le=\"+Inf\"} 3",
            "pipewright_request_seconds_count 3",
            "pipewright_changes_total{subject=\"pipeline\",state=\"STARTED\"} 1",
            "pipewright_pipelines_live 3",
        ] {
            assert!(text.lines().any(|is| is == line), "{line}\n{text}");
        }
    }

    #[test]
    fn there_are_only_so_many_series() {
        let metrics = Metrics::default();
        for number in 0..2 * SERIES_MAX {
            metrics.request(&format!("op{number}"), "400", Duration::ZERO);
        }
        let text = metrics.text(0);
        let lines = text
            .lines()
            .filter(|line| line.starts_with("pipewright_requests_total"));
        assert_eq!(lines.count(), SERIES_MAX + 1);
        assert!(text.contains("operation=\"other\""));
    }
}
