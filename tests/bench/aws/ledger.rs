//! What was asked for, and its price.

use aws::Metered;

/// Prices of us-east-1 in dollars, without free tiers: DynamoDB on demand, SQS, EventBridge's custom
/// events, Lambda on arm64.
const READ_UNIT: f64 = 0.125e-6;
const WRITE_UNIT: f64 = 0.625e-6;
const STANDARD_REQUEST: f64 = 0.40e-6;
const FIFO_REQUEST: f64 = 0.50e-6;
const EVENT: f64 = 1.00e-6;
const INVOCATION: f64 = 0.20e-6;
const GIGABYTE_SECOND: f64 = 0.000_013_333_4;

/// What an invocation is taken to last and to hold; the emulator cannot tell how long AWS takes.
const INVOCATION_SECONDS: f64 = 0.050;
const INVOCATION_GIGABYTES: f64 = 0.25;

/// V2: 0.002 for each action and begun minute; approvals cost nothing (spec 50 §3).
pub(crate) const PRICE_OF_CODEPIPELINE: f64 = 4.0 * 0.002;

/// What one step, or all of them, took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) dynamodb: u64,
    pub(crate) sqs: u64,
    pub(crate) eventbridge: u64,
    pub(crate) others: u64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    pub(crate) events: u64,
    pub(crate) invocations: u64,
    /// Messages that went through a queue: each was sent, received and deleted.
    pub(crate) standard: u64,
    pub(crate) fifo: u64,
}

impl Ledger {
    /// What the clients counted.
    pub(crate) fn count(&mut self, metered: &Metered) {
        for (call, times) in &metered.calls {
            let service = call.split('.').next().unwrap_or_default();
            match service {
                "DynamoDB" => self.dynamodb += times,
                "SQS" => self.sqs += times,
                "EventBridge" => self.eventbridge += times,
                _ => self.others += times,
            }
        }
        self.read_units += metered.read_units;
        self.write_units += metered.write_units;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.dynamodb += other.dynamodb;
        self.sqs += other.sqs;
        self.eventbridge += other.eventbridge;
        self.others += other.others;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
        self.events += other.events;
        self.invocations += other.invocations;
        self.standard += other.standard;
        self.fifo += other.fifo;
    }

    /// What the functions sent; the queues' own part, receiving and deleting, is Lambda's.
    pub(crate) fn requests(&self) -> u64 {
        self.dynamodb + self.sqs + self.eventbridge + self.others
    }

    pub(crate) fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {} | {} | {} | {:.1} | {:.1} | {} |",
            self.requests(),
            self.dynamodb,
            self.sqs,
            self.eventbridge,
            self.read_units,
            self.write_units,
            self.events
        )
    }

    fn parts(&self) -> [(&'static str, f64); 5] {
        let of = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let seconds = of(self.invocations) * INVOCATION_SECONDS * INVOCATION_GIGABYTES;
        [
            ("the table, written", self.write_units * WRITE_UNIT),
            ("the table, read", self.read_units * READ_UNIT),
            (
                "queues: each message sent, received, deleted",
                of(self.standard) * 3.0 * STANDARD_REQUEST + of(self.fifo) * 3.0 * FIFO_REQUEST,
            ),
            ("events", of(self.events) * EVENT),
            (
                "functions: invocations of 50 ms with 256 MB",
                of(self.invocations) * INVOCATION + seconds * GIGABYTE_SECOND,
            ),
        ]
    }

    pub(crate) fn dollars(&self) -> f64 {
        self.parts().iter().map(|(_, dollars)| dollars).sum()
    }

    pub(crate) fn prices(&self) -> Vec<String> {
        let mut lines = vec![
            "| part | dollars an execution |".to_owned(),
            "|---|---|".to_owned(),
        ];
        let rows = self.parts();
        lines.extend(
            rows.iter()
                .map(|(part, dollars)| format!("| {part} | {dollars:.7} |")),
        );
        lines
    }
}
