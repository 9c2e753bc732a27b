//! `GetLogEvents`: the lines of a build's log, from a place on, or the last ones.
//!
//! A token is a direction and the place in the file: `f/<bytes>` or `b/<bytes>`. A line has no time
//! of its own: it has that of the last line before it on the same page that tells one, as the
//! build's own lines do, and the build's start where there is none.

use std::collections::BTreeMap;

use jiff::{civil::DateTime, tz::TimeZone};
use model::Timestamp;
use operations::{OperationError, allow};
use ports::{Account, LogPiece};
use serde_json::{Value, json};

use super::Logs;
use crate::{
    codebuild::log_group,
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

/// How many lines one answer has at most.
const LINES_MAX: u64 = 10_000;

static SHAPE: &[Member] = &[
    shape::optional("logGroupName", shape::text(1, 512)),
    shape::optional("logGroupIdentifier", shape::text(1, 2048)),
    shape::required("logStreamName", shape::text(1, 512)),
    shape::optional("startTime", Kind::Integer(0, i64::MAX.unsigned_abs())),
    shape::optional("endTime", Kind::Integer(0, i64::MAX.unsigned_abs())),
    shape::optional("nextToken", shape::text(1, usize::MAX)),
    shape::optional("limit", Kind::Integer(1, LINES_MAX)),
    shape::optional("startFromHead", Kind::Flag),
    shape::optional("unmask", Kind::Flag),
];

pub(super) async fn call(service: &Logs, call: Call<'_>) -> Result<Value, ApiError> {
    shape::check(&call.input, SHAPE).map_err(|error| match error.exception {
        "ValidationException" => invalid(error.message),
        _ => error,
    })?;
    let account = &service.world.account;
    let group = group(&call.input)?;
    let stream = call.input["logStreamName"].as_str().unwrap_or_default();
    let resource = arn(account, group, stream);
    allow(
        &call.caller,
        "logs:GetLogEvents",
        &resource,
        &BTreeMap::new(),
    )
    .map_err(|error| failed(&error, account))?;
    let record = service.builds.build(stream).await;
    let record = record.map_err(|error| failed(&error.into(), account))?;
    let record = record.filter(|record| log_group(record.project()) == group);
    let Some(record) = record else {
        return Err(ApiError::new(
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        ));
    };
    let limit = call.input["limit"].as_u64().unwrap_or(LINES_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let from_head = call.input["startFromHead"] == true;
    let token = call.input["nextToken"].as_str().map(place).transpose()?;
    let piece = match token {
        Some(Place::Forward(at)) => forward(service, stream, at, limit).await,
        None if from_head => forward(service, stream, 0, limit).await,
        Some(Place::Backward(at)) => backward(service, stream, at, limit).await,
        None => backward(service, stream, u64::MAX, limit).await,
    };
    let piece = piece.map_err(|error| failed(&error, account))?;
    Ok(json!({
        "events": events(&piece, record.started, &call.input),
        "nextForwardToken": format!("f/{}", piece.to),
        "nextBackwardToken": format!("b/{}", piece.from),
    }))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn failed(error: &OperationError, account: &Account) -> ApiError {
    ApiError::of_operation(error, account)
}

/// The group's name, also out of its ARN.
fn group(input: &Value) -> Result<&str, ApiError> {
    let name = input["logGroupName"].as_str();
    let identifier = input["logGroupIdentifier"].as_str();
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => {
            let of_arn = identifier.split_once(":log-group:");
            let name = of_arn.map_or(identifier, |(_, name)| name);
            Ok(name.strip_suffix(":*").unwrap_or(name))
        }
        _ => Err(invalid(
            "name the log group once, with logGroupName or logGroupIdentifier",
        )),
    }
}

fn arn(account: &Account, group: &str, stream: &str) -> String {
    let Account { id, region } = account;
    format!("arn:aws:logs:{region}:{id}:log-group:{group}:log-stream:{stream}")
}

/// Where a token says to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Forward(u64),
    Backward(u64),
}

fn place(token: &str) -> Result<Place, ApiError> {
    let place = token.split_once('/').and_then(|(way, at)| {
        let at = at.parse().ok()?;
        match way {
            "f" => Some(Place::Forward(at)),
            "b" => Some(Place::Backward(at)),
            _ => None,
        }
    });
    place.ok_or_else(|| invalid("The specified nextToken is invalid."))
}

async fn forward(
    service: &Logs,
    stream: &str,
    from: u64,
    limit: usize,
) -> Result<LogPiece, OperationError> {
    let (lines, to) = service.logs.lines(stream, from, limit).await?;
    Ok(LogPiece { lines, from, to })
}

/// The last lines before a place.
async fn backward(
    service: &Logs,
    stream: &str,
    until: u64,
    limit: usize,
) -> Result<LogPiece, OperationError> {
    Ok(service.logs.lines_before(stream, until, limit).await?)
}

fn events(piece: &LogPiece, started: Timestamp, input: &Value) -> Value {
    let first = input["startTime"].as_i64().unwrap_or(i64::MIN);
    let end = input["endTime"].as_i64().unwrap_or(i64::MAX);
    let mut at = started.0;
    let mut events = Vec::new();
    for line in &piece.lines {
        at = stamp(line).unwrap_or(at);
        if (first..end).contains(&at) {
            events.push(json!({"timestamp": at, "ingestionTime": at, "message": line}));
        }
    }
    Value::Array(events)
}

/// The time that a line of the build's own begins with: `[Container] 2026/01/02 03:04:05.678901 `.
fn stamp(line: &str) -> Option<i64> {
    let rest = line.strip_prefix("[Container] ")?;
    let text = rest.get(..26)?;
    let time = DateTime::strptime("%Y/%m/%d %H:%M:%S%.f", text).ok()?;
    let zoned = time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_builds_own_tells_its_time() {
        let line = "[Container] 2026/01/02 03:04:05.678901 Entering phase BUILD";
        assert_eq!(stamp(line), Some(1_767_323_045_678));
        for line in ["hello", "[Container] soon", "[Container] 2026/01/02 03:04"] {
            assert_eq!(stamp(line), None, "{line}");
        }
    }

    #[test]
    fn lines_have_the_time_that_was_told_last() {
        let lines = [
            "before",
            "[Container] 1970/01/01 00:00:09.000000 x",
            "after",
        ];
        let piece = LogPiece {
            lines: lines.map(str::to_owned).into(),
            ..LogPiece::default()
        };
        let times = |input: &Value| -> Vec<i64> {
            let events = events(&piece, Timestamp(5), input);
            let events = events.as_array().cloned().unwrap_or_default();
            events
                .iter()
                .filter_map(|event| event["timestamp"].as_i64())
                .collect()
        };
        assert_eq!(times(&json!({})), [5, 9_000, 9_000]);
        assert_eq!(times(&json!({"startTime": 6})), [9_000, 9_000]);
        assert_eq!(times(&json!({"endTime": 9_000})), [5]);
    }

    #[test]
    fn groups_and_tokens_are_read_in_their_forms() {
        let named = json!({"logGroupName": "/g"});
        let by_arn = json!({"logGroupIdentifier": "arn:aws:logs:r:0:log-group:/g:*"});
        for input in [&named, &by_arn, &json!({"logGroupIdentifier": "/g"})] {
            assert_eq!(group(input), Ok("/g"), "{input}");
        }
        let both = json!({"logGroupName": "/g", "logGroupIdentifier": "/g"});
        assert!(group(&both).is_err() && group(&json!({})).is_err());
        assert_eq!(place("f/12"), Ok(Place::Forward(12)));
        assert_eq!(place("b/0"), Ok(Place::Backward(0)));
        for token in ["", "f", "f/", "x/1", "f/-1"] {
            assert!(place(token).is_err(), "{token}");
        }
    }
}
