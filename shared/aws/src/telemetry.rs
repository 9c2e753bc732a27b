//! What a function says of itself: one line of JSON for each thing that happened, on standard output,
//! where Lambda takes it to CloudWatch Logs. A line with metrics has them in the embedded metric
//! format, so that nothing is asked of CloudWatch.

use std::{
    error::Error,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use model::{
    ActionCategory, Change, Subject,
    change::{ActionChange, EventState},
    effect::ApprovalRequest,
};
use ports::{EventBus, StoreError};
use serde_json::{Map, Value, json};

use crate::{Meter, Metered};

/// Where our metrics are.
const NAMESPACE: &str = "Pipewright";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Milliseconds,
    Seconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

/// A metric: its name, what it counts, and how much.
pub type Metric = (&'static str, Unit, f64);

/// Where metrics belong, and under which name of that: `("Pipeline", "web")`.
pub type Dimension<'a> = (&'static str, &'a str);

/// The log and the metrics of a function; all parts of it share one.
#[derive(Clone)]
pub struct Telemetry {
    service: &'static str,
    meter: Meter,
    current: Arc<Mutex<Current>>,
}

/// The call that is handled now; Lambda gives a process one at a time.
#[derive(Debug, Default)]
struct Current {
    calls: u64,
    request_id: String,
    trace_id: Option<String>,
    began: Option<Instant>,
}

impl Telemetry {
    pub fn new(service: &'static str, meter: Meter) -> Self {
        Self {
            service,
            meter,
            current: Arc::default(),
        }
    }

    /// The function is called; all lines from now on say by which call.
    pub fn begin(&self, request_id: &str, trace_id: Option<&str>) {
        let mut current = self.current();
        current.calls += 1;
        request_id.clone_into(&mut current.request_id);
        current.trace_id = trace_id.map(str::to_owned);
        current.began = Some(Instant::now());
    }

    /// The call ended: one line with what it took, and why it failed if it did.
    pub fn end(&self, outcome: Result<(), &(dyn Error + Send + Sync + 'static)>) {
        let began = self.current().began;
        let elapsed = began.map_or(0.0, |began| began.elapsed().as_secs_f64() * 1_000.0);
        let Metered {
            calls,
            read_units,
            write_units,
        } = self.meter.take();
        let all: u64 = calls.values().sum();
        let (level, message, error) = match outcome {
            Ok(()) => (Level::Info, "handled", Value::Null),
            Err(error) => (Level::Error, "failed", json!(chain(error))),
        };
        let metrics = [
            ("DurationMs", Unit::Milliseconds, elapsed),
            ("AwsCalls", Unit::Count, float(all)),
            ("ReadUnits", Unit::Count, read_units),
            ("WriteUnits", Unit::Count, write_units),
        ];
        let mut line = self.line(level, message, [("calls", json!(calls)), ("error", error)]);
        measure(&mut line, &[("Function", self.service)], &metrics);
        write(line);
    }

    /// Writes one line; fields that are null are left out.
    pub fn log<const N: usize>(
        &self,
        level: Level,
        message: &str,
        fields: [(&'static str, Value); N],
    ) {
        write(self.line(level, message, fields));
    }

    /// Writes one line with metrics.
    pub fn metrics<const N: usize>(
        &self,
        message: &str,
        dimensions: &[Dimension<'_>],
        metrics: &[Metric],
        fields: [(&'static str, Value); N],
    ) {
        let mut line = self.line(Level::Info, message, fields);
        measure(&mut line, dimensions, metrics);
        write(line);
    }

    fn line<const N: usize>(
        &self,
        level: Level,
        message: &str,
        fields: [(&'static str, Value); N],
    ) -> Map<String, Value> {
        let current = self.current();
        let head = [
            ("level", json!(level.name())),
            ("timestamp", json!(jiff::Timestamp::now().to_string())),
            ("service", json!(self.service)),
            ("cold_start", json!(current.calls <= 1)),
            ("function_request_id", json!(current.request_id)),
            ("xray_trace_id", json!(current.trace_id)),
            ("message", json!(message)),
        ];
        let all = head.into_iter().chain(fields);
        let told = all.filter(|(_, value)| !value.is_null());
        told.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // What a call says of itself is whole whatever happened to another one.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds metrics to a line, as the embedded metric format has them.
fn measure(line: &mut Map<String, Value>, dimensions: &[Dimension<'_>], metrics: &[Metric]) {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    // Of pipelines there is a sum, too: alarms look at it, and cannot know the pipelines' names.
    let is_of_pipeline = names.contains(&"Pipeline");
    let sets = if is_of_pipeline {
        vec![Vec::new(), names]
    } else {
        vec![names]
    };
    let described: Vec<_> = metrics
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit.name()}))
        .collect();
    let about = json!({
        "Timestamp": jiff::Timestamp::now().as_millisecond(),
        "CloudWatchMetrics": [
            {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": described},
        ],
    });
    line.insert("_aws".to_owned(), about);
    let values = dimensions.iter().map(|(name, of)| (*name, json!(of)));
    let values = values.chain(metrics.iter().map(|(name, _, value)| (*name, json!(value))));
    line.extend(values.map(|(name, value)| (name.to_owned(), value)));
}

fn write(line: Map<String, Value>) {
    // A log that cannot be written must not end the function.
    let _ = writeln!(std::io::stdout().lock(), "{}", Value::Object(line));
}

/// An error with everything that led to it.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody counts to 2^53 in one call"
)]
fn float(count: u64) -> f64 {
    count as f64
}

/// A bus that says what went over it: one line for each change, with its metrics.
pub struct Counted<B> {
    pub bus: B,
    pub telemetry: Telemetry,
}

#[async_trait]
impl<B: EventBus> EventBus for Counted<B> {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.bus.publish(changes).await?;
        for change in changes {
            count(&self.telemetry, change);
        }
        Ok(())
    }

    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError> {
        self.bus.ask(request).await
    }
}

fn count(telemetry: &Telemetry, change: &Change) {
    let (stage, action, state) = match &change.subject {
        Subject::Pipeline { state, .. } => (None, None, *state),
        Subject::Stage { stage, state, .. } => (Some(stage), None, *state),
        Subject::Action(action) => (Some(&action.stage), Some(&**action), action.state),
    };
    let provider = action.map(|action| action.action_type.provider.as_str());
    let mut dimensions = vec![("Pipeline", change.pipeline.as_str())];
    dimensions.extend(
        stage
            .filter(|_| action.is_some())
            .map(|name| ("Stage", name.as_str())),
    );
    dimensions.extend(provider.map(|name| ("Provider", name)));
    let fields = [
        ("pipeline", json!(change.pipeline)),
        ("execution_id", json!(change.execution.to_string())),
        ("correlation_id", json!(change.execution.to_string())),
        ("stage", json!(stage)),
        ("action", json!(action.map(|action| &action.action))),
        ("attempt", json!(action.map(|action| action.attempt))),
        ("state", json!(state)),
    ];
    match metric(change, action, state) {
        Some(metric) => telemetry.metrics("changed", &dimensions, &[metric], fields),
        None => telemetry.log(Level::Info, "changed", fields),
    }
}

/// What a change adds to the metrics, if anything.
fn metric(change: &Change, action: Option<&ActionChange>, state: EventState) -> Option<Metric> {
    let is_end = matches!(state, EventState::Succeeded | EventState::Failed);
    if let Some(action) = action {
        let millis = change.at.0.saturating_sub(change.started.0).max(0);
        let millis = float(millis.unsigned_abs());
        let is_approval = action.action_type.category == ActionCategory::Approval;
        return is_end.then_some(if is_approval {
            ("ApprovalWaitS", Unit::Seconds, millis / 1_000.0)
        } else {
            ("ActionRunMs", Unit::Milliseconds, millis)
        });
    }
    if !matches!(change.subject, Subject::Pipeline { .. }) {
        return None;
    }
    match state {
        EventState::Started => Some(("ExecutionsStarted", Unit::Count, 1.0)),
        EventState::Succeeded => Some(("ExecutionsSucceeded", Unit::Count, 1.0)),
        EventState::Failed => Some(("ExecutionsFailed", Unit::Count, 1.0)),
        EventState::Resumed
        | EventState::Stopping
        | EventState::Stopped
        | EventState::Superseded
        | EventState::Abandoned
        | EventState::Canceled => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{ExecutionId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn telemetry() -> Telemetry {
        Telemetry::new("api", Meter::default())
    }

    #[test]
    fn a_line_says_of_which_call_it_is() {
        let telemetry = telemetry();
        telemetry.begin("r1", Some("t1"));
        let line = telemetry.line(
            Level::Warning,
            "a\nb",
            [("pipeline", json!("web")), ("stage", Value::Null)],
        );
        let line = Value::Object(line);
        for (name, value) in [
            ("level", json!("WARN")),
            ("service", json!("api")),
            ("cold_start", json!(true)),
            ("function_request_id", json!("r1")),
            ("xray_trace_id", json!("t1")),
            ("message", json!("a\nb")),
            ("pipeline", json!("web")),
        ] {
            assert_eq!(line[name], value, "{name}");
        }
        assert_eq!(line.get("stage"), None);
        assert!(!line.to_string().contains('\n'));
        telemetry.begin("r2", None);
        let line = telemetry.line(Level::Info, "c", []);
        assert_eq!(
            (&line["cold_start"], line.get("xray_trace_id")),
            (&json!(false), None)
        );
    }

    #[test]
    fn metrics_have_the_embedded_form() {
        let mut line = Map::new();
        measure(
            &mut line,
            &[("Pipeline", "web")],
            &[("ExecutionsStarted", Unit::Count, 1.0)],
        );
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        let expected = json!({
            "Namespace": "Pipewright",
            "Dimensions": [[], ["Pipeline"]],
            "Metrics": [{"Name": "ExecutionsStarted", "Unit": "Count"}],
        });
        assert_eq!(described, &expected);
        assert!(line["_aws"]["Timestamp"].is_i64());
        assert_eq!(
            (&line["Pipeline"], &line["ExecutionsStarted"]),
            (&json!("web"), &json!(1.0))
        );
    }

    #[test]
    fn changes_of_executions_and_ends_of_actions_are_counted() {
        let change = |subject: Subject| Change {
            pipeline: "web".to_owned(),
            execution: ExecutionId(Uuid::from_u128(1)),
            sequence: 1,
            at: Timestamp(3_000),
            pipeline_version: 1,
            attempt: 1,
            started: Timestamp(1_000),
            subject,
        };
        let of_pipeline = |state| {
            let (trigger, comment) = (None, None);
            let change = change(Subject::Pipeline {
                state,
                trigger,
                comment,
            });
            metric(&change, None, state).map(|metric| metric.0)
        };
        let of_action = |category: &str, state| {
            let action: ActionChange = serde_json::from_value(json!({
                "stage": "S", "action": "A", "attempt": 1, "state": "STARTED",
                "action_execution_id": Uuid::nil(),
                "action_type": {"category": category, "owner": "AWS", "provider": "P", "version": "1"},
            }))
            .expect("it is a change of an action");
            let change = change(Subject::Action(Box::new(action.clone())));
            metric(&change, Some(&action), state).map(|metric| (metric.0, metric.2))
        };
        assert_eq!(of_pipeline(EventState::Started), Some("ExecutionsStarted"));
        assert_eq!(
            of_pipeline(EventState::Succeeded),
            Some("ExecutionsSucceeded")
        );
        assert_eq!(of_pipeline(EventState::Failed), Some("ExecutionsFailed"));
        assert_eq!(of_pipeline(EventState::Superseded), None);
        let ran = Some(("ActionRunMs", 2_000.0));
        assert_eq!(of_action("Build", EventState::Succeeded), ran);
        assert_eq!(of_action("Build", EventState::Started), None);
        let waited = Some(("ApprovalWaitS", 2.0));
        assert_eq!(of_action("Approval", EventState::Failed), waited);
    }

    #[test]
    fn an_error_is_told_with_what_led_to_it() {
        let error = StoreError::Unavailable {
            doing: "read a pipeline".to_owned(),
            source: "no route".into(),
        };
        assert_eq!(chain(&error), "failed to read a pipeline: no route");
    }
}
