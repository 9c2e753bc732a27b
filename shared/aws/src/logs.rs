//! What builds printed, out of CloudWatch Logs.
//!
//! CloudWatch Logs counts no bytes: events have a time, in milliseconds, and those of a stream are in
//! order. So a place in a log is a time and how many events of that very millisecond come before it:
//!
//! ```text
//! place = milliseconds since 1970 · 2^20 + events of that millisecond before it
//! ```
//!
//! Places grow as a log does, 0 is its beginning and anything beyond its end its end, which is all
//! that whoever reads a log relies on; and each is found with one request, however long the log is.
//!
//! Cost: one read of the table to find a build's stream (half a unit), and one `GetLogEvents` for up
//! to 1 MB or 10,000 lines; these are free of charge, at most 25 a second in an account and region.

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::{Client, error::ProvideErrorMetadata, types::OutputLogEvent};
use ports::{BuildLogs, LogPiece, StoreError};

use crate::{Clients, Settings, SettingsError, Table, builds::stream_of, failed::unavailable};

/// How many events one request gives at most.
const EVENTS_MAX: usize = 10_000;

/// How many requests one page is made of at most: a page of CloudWatch may be empty although more
/// come, and many events may be of one millisecond.
const REQUESTS_MAX: usize = 16;

/// How many bits of a place tell the events of one millisecond.
const WITHIN_BITS: u32 = 20;

/// The latest millisecond that a place can tell.
const MILLIS_MAX: u64 = u64::MAX >> (WITHIN_BITS + 1);

/// The logs of builds on ECS.
#[derive(Clone)]
pub struct Logs {
    client: Client,
    table: Table,
    group: String,
    container: String,
}

/// A time, and how many events of that millisecond come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    millis: u64,
    before: u64,
}

impl Place {
    fn of(number: u64) -> Self {
        Self {
            millis: (number >> WITHIN_BITS).min(MILLIS_MAX),
            before: number & ((1 << WITHIN_BITS) - 1),
        }
    }

    fn number(self) -> u64 {
        let before = self.before.min((1 << WITHIN_BITS) - 1);
        (self.millis.min(MILLIS_MAX) << WITHIN_BITS) | before
    }
}

/// An event, and where it is among those of its millisecond.
struct Line {
    at: Place,
    text: String,
}

/// One request's answer.
struct Page {
    events: Vec<(u64, String)>,
    token: Option<String>,
}

impl Logs {
    /// The logs in the group that the function's environment names.
    pub fn new(
        clients: &Clients,
        settings: &Settings,
        table: Table,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            client: clients.logs(),
            table,
            group: settings.require("PIPEWRIGHT_BUILD_LOG_GROUP")?.to_owned(),
            container: settings.require("PIPEWRIGHT_TASK_CONTAINER")?.to_owned(),
        })
    }

    async fn stream(&self, build: &str) -> Result<Option<String>, StoreError> {
        stream_of(&self.table, &self.container, build).await
    }

    /// Events from a time on, or before one, in their order; none where there is no such stream yet.
    async fn page(
        &self,
        stream: &str,
        span: Span,
        limit: usize,
        token: Option<String>,
    ) -> Result<Option<Page>, StoreError> {
        let time = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        let (first, end, is_forward) = match span {
            Span::From(millis) => (Some(time(millis)), None, true),
            // The end is not included.
            Span::UpTo(millis) => (None, Some(time(millis.saturating_add(1))), false),
        };
        let limit = limit.clamp(1, EVENTS_MAX);
        let asked = self
            .client
            .get_log_events()
            .log_group_name(&self.group)
            .log_stream_name(stream)
            .set_start_time(first.filter(|first| *first > 0))
            .set_end_time(end)
            .start_from_head(is_forward)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_next_token(token)
            .send()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(unavailable("read the log of a build", error)),
        };
        let token = if is_forward {
            answer.next_forward_token
        } else {
            answer.next_backward_token
        };
        let events = answer.events.unwrap_or_default().into_iter();
        Ok(Some(Page {
            events: events.map(event).collect(),
            token,
        }))
    }

    /// The lines from a place on, `limit` of them or fewer.
    async fn forward(
        &self,
        stream: &str,
        from: Place,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let (mut lines, mut token): (Vec<Line>, Option<String>) = (Vec::new(), None);
        let (mut millis, mut before) = (from.millis, 0);
        for _ in 0..REQUESTS_MAX {
            let more = limit - lines.len() + usize::try_from(from.before).unwrap_or(0);
            let page = self.page(stream, Span::From(from.millis), more, token.clone());
            let Some(page) = page.await? else {
                return Ok(lines);
            };
            for (at, text) in page.events {
                before = if at == millis { before } else { 0 };
                millis = at;
                let at = Place { millis, before };
                before += 1;
                if at >= from && lines.len() < limit {
                    lines.push(Line { at, text });
                }
            }
            // At the end CloudWatch gives the same token again.
            let is_end = page.token.is_none() || page.token == token;
            token = page.token;
            if is_end || !lines.is_empty() {
                return Ok(lines);
            }
        }
        Ok(lines)
    }

    /// The lines before a place, `limit` of them or fewer.
    async fn backward(
        &self,
        stream: &str,
        until: Place,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let (mut events, mut token): (Vec<(u64, String)>, Option<String>) = (Vec::new(), None);
        for _ in 0..REQUESTS_MAX {
            let page = self.page(stream, Span::UpTo(until.millis), EVENTS_MAX, token.clone());
            let Some(page) = page.await? else { break };
            let is_end = page.token.is_none() || page.token == token;
            token = page.token;
            events.splice(0..0, page.events);
            // The first millisecond may be cut: its events can be counted only when it is whole.
            let first = events.first().map(|(at, _)| *at);
            let is_enough = first.is_some_and(|first| {
                events.iter().filter(|(at, _)| *at != first).count() > limit.min(EVENTS_MAX / 2)
            });
            if is_end {
                return Ok(last(placed(events), until, limit));
            }
            if is_enough {
                let first = first.unwrap_or_default();
                events.retain(|(at, _)| *at != first);
                return Ok(last(placed(events), until, limit));
            }
        }
        Ok(last(placed(events), until, limit))
    }
}

#[derive(Clone, Copy)]
enum Span {
    From(u64),
    UpTo(u64),
}

fn event(event: OutputLogEvent) -> (u64, String) {
    let at = event.timestamp.and_then(|at| u64::try_from(at).ok());
    let text = event.message.unwrap_or_default();
    (at.unwrap_or(0), text.trim_end_matches('\n').to_owned())
}

/// Events with their places, the first of which begins its millisecond.
fn placed(events: Vec<(u64, String)>) -> Vec<Line> {
    let (mut millis, mut before) = (0, 0);
    let place = |(at, text)| {
        before = if at == millis { before } else { 0 };
        millis = at;
        let at = Place { millis, before };
        before += 1;
        Line { at, text }
    };
    events.into_iter().map(place).collect()
}

/// The last lines before a place.
fn last(mut lines: Vec<Line>, until: Place, limit: usize) -> Vec<Line> {
    lines.retain(|line| line.at < until);
    let surplus = lines.len().saturating_sub(limit);
    lines.drain(..surplus);
    lines
}

/// The place behind a line.
fn behind(line: &Line) -> u64 {
    let before = line.at.before + 1;
    Place { before, ..line.at }.number()
}

#[async_trait]
impl BuildLogs for Logs {
    async fn lines(
        &self,
        stream: &str,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64), StoreError> {
        let Some(stream) = self.stream(stream).await? else {
            return Ok((Vec::new(), offset));
        };
        let limit = limit.min(EVENTS_MAX);
        let lines = match limit {
            0 => Vec::new(),
            limit => self.forward(&stream, Place::of(offset), limit).await?,
        };
        let next = lines.last().map_or(offset, behind);
        Ok((lines.into_iter().map(|line| line.text).collect(), next))
    }

    async fn lines_before(
        &self,
        stream: &str,
        until: u64,
        limit: usize,
    ) -> Result<LogPiece, StoreError> {
        let Some(stream) = self.stream(stream).await? else {
            return Ok(LogPiece::default());
        };
        if until == 0 || limit == 0 {
            return Ok(LogPiece {
                lines: Vec::new(),
                from: until,
                to: until,
            });
        }
        let limit = limit.min(EVENTS_MAX);
        let lines = self.backward(&stream, Place::of(until), limit).await?;
        Ok(LogPiece {
            from: lines.first().map_or(0, |line| line.at.number()),
            to: lines.last().map_or(0, behind),
            lines: lines.into_iter().map(|line| line.text).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64, before: u64) -> Place {
        Place { millis, before }
    }

    #[test]
    fn places_are_numbers_that_grow_as_a_log_does() {
        let places = [at(0, 0), at(1, 0), at(1, 1), at(1_795_000_000_000, 7)];
        let numbers = places.map(Place::number);
        assert!(numbers.is_sorted());
        assert_eq!(numbers.map(Place::of), places);
        assert!(
            numbers[3] < i64::MAX.unsigned_abs(),
            "tokens are read as that, too"
        );
        assert!(Place::of(u64::MAX).millis > 1 << 40 && Place::of(u64::MAX) > places[3]);
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_of_one_millisecond_have_places_of_their_own() {
        let events = [(5, "a"), (5, "b"), (6, "c"), (6, "d")];
        let lines = || placed(events.map(|(at, text)| (at, text.to_owned())).to_vec());
        assert_eq!(text(&last(lines(), Place::of(u64::MAX), 3)), "bcd");
        assert_eq!(text(&last(lines(), at(6, 1), 9)), "abc");
        assert_eq!(text(&last(lines(), at(5, 1), 9)), "a");
        let ends = lines().iter().map(behind).collect::<Vec<_>>();
        let begins = lines()
            .iter()
            .map(|line| line.at.number())
            .collect::<Vec<_>>();
        assert!(
            ends.iter()
                .zip(&begins[1..])
                .all(|(end, begin)| end <= begin)
        );
    }
}
