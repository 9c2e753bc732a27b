//! The log of an action, read in pieces from where the last reading ended: by our own operation,
//! which any action has, or as CloudWatch's events, which builds have on AWS, too.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{ApiError, Client, Service};

/// How many lines are asked for at once: the most that either operation gives.
const LINES_AT_ONCE: u64 = 10_000;
/// How many pieces are read in one go; what is left comes with the next.
const PIECES_MAX: usize = 10;
/// How many goes a log gets that is read to its end: more than the longest log has, which is capped
/// at 100 MiB, were all of its lines empty.
pub const GOES_MAX: usize = 2_000;
/// How many of the last lines are kept.
pub const TAIL_LINES: usize = 200;

/// A log and how far it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    offset: u64,
    /// Where CloudWatch goes on.
    token: Option<String>,
    /// Whether there will be no more of it.
    pub is_complete: bool,
    /// The last lines that were read.
    pub tail: VecDeque<String>,
}

/// Which log.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub pipeline: &'a str,
    pub execution: &'a str,
    pub action_execution: &'a str,
    /// The id of the build that it ran, `project:uuid`, once it is known.
    pub build: Option<&'a str>,
    /// Whether it has ended.
    pub is_over: bool,
}

impl Log {
    /// Reads what is new, and gives each line to `each`; whether all that was there has been read.
    pub fn read(
        &mut self,
        client: &Client,
        of: Of<'_>,
        each: &mut dyn FnMut(&str),
    ) -> Result<bool, ApiError> {
        for _ in 0..PIECES_MAX {
            let input = json!({
                "pipelineName": of.pipeline,
                "pipelineExecutionId": of.execution,
                "actionExecutionId": of.action_execution,
                "offset": self.offset,
                "limit": LINES_AT_ONCE,
            });
            let answer = client.ask(Service::Pipewright, "GetActionLog", &input)?;
            if self.take(&answer, each) == 0 || self.is_complete {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Like [`Log::read`], of a build's log in CloudWatch.
    pub fn read_events(
        &mut self,
        client: &Client,
        build: &str,
        is_over: bool,
        each: &mut dyn FnMut(&str),
    ) -> Result<bool, ApiError> {
        let Some((project, stream)) = build.split_once(':') else {
            self.is_complete = is_over;
            return Ok(true);
        };
        for _ in 0..PIECES_MAX {
            let mut input = json!({
                "logGroupName": format!("/aws/codebuild/{project}"),
                "logStreamName": stream,
                "startFromHead": true,
                "limit": LINES_AT_ONCE,
            });
            if let Some(token) = &self.token {
                input["nextToken"] = json!(token);
            }
            let answer = client.ask(Service::Logs, "GetLogEvents", &input)?;
            if !self.take_events(&answer, each) {
                self.is_complete = is_over;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in a page of events; whether there may be another one. The end is where the token stays.
    fn take_events(&mut self, answer: &Value, each: &mut dyn FnMut(&str)) -> bool {
        let none = Vec::new();
        let events = answer["events"].as_array().unwrap_or(&none);
        for message in events.iter().filter_map(|event| event["message"].as_str()) {
            self.line(message.trim_end_matches(['\n', '\r']), each);
        }
        let next = answer["nextForwardToken"].as_str().map(str::to_owned);
        let goes_on = next.is_some() && next != self.token;
        self.token = next.or(self.token.take());
        goes_on
    }

    fn line(&mut self, line: &str, each: &mut dyn FnMut(&str)) {
        each(line);
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
    }

    /// Takes in one piece; says how many lines it had.
    fn take(&mut self, answer: &Value, each: &mut dyn FnMut(&str)) -> usize {
        let none = Vec::new();
        let lines = answer["lines"].as_array().unwrap_or(&none);
        for line in lines.iter().filter_map(Value::as_str) {
            self.line(line, each);
        }
        // Without a number of its own the count of lines says where the next piece begins.
        let count = lines.len();
        let counted = self.offset.saturating_add(count as u64);
        let next = answer["nextOffset"].as_u64().unwrap_or(counted);
        let is_end = answer["complete"] == json!(true);
        // More may be left of a log that is complete.
        self.is_complete = is_end && (count == 0 || (count as u64) < LINES_AT_ONCE);
        self.offset = next.max(self.offset);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_in_pieces_until_it_is_complete() {
        let mut log = Log::default();
        let mut read = Vec::new();
        let mut each = |line: &str| read.push(line.to_owned());
        let first = json!({"lines": ["a", "b"], "nextOffset": 2, "complete": false});
        assert_eq!(log.take(&first, &mut each), 2);
        assert!(!log.is_complete);
        // Nothing new, and no end yet.
        let none = json!({"lines": [], "nextOffset": 2, "complete": false});
        assert_eq!(log.take(&none, &mut each), 0);
        let last = json!({"lines": ["c"], "complete": true});
        assert_eq!(log.take(&last, &mut each), 1);
        assert!(log.is_complete && log.offset == 3);
        assert_eq!(read, ["a", "b", "c"]);
    }

    #[test]
    fn events_are_read_until_the_token_stays() {
        let mut log = Log::default();
        let mut read = Vec::new();
        let mut each = |line: &str| read.push(line.to_owned());
        let page =
            json!({"events": [{"message": "a\n"}, {"message": "b"}], "nextForwardToken": "f/2"});
        assert!(log.take_events(&page, &mut each));
        let end = json!({"events": [], "nextForwardToken": "f/2"});
        assert!(!log.take_events(&end, &mut each));
        assert!(!log.take_events(&json!({}), &mut each));
        assert_eq!(log.token.as_deref(), Some("f/2"));
        assert_eq!(read, ["a", "b"]);
    }

    #[test]
    fn only_the_end_of_a_log_is_kept_and_a_full_piece_is_not_its_end() {
        let mut log = Log::default();
        let lines: Vec<String> = (0..LINES_AT_ONCE).map(|n| n.to_string()).collect();
        let piece = json!({"lines": lines, "nextOffset": LINES_AT_ONCE, "complete": true});
        log.take(&piece, &mut |_| {});
        assert!(!log.is_complete);
        assert_eq!(log.tail.len(), TAIL_LINES);
        assert_eq!(log.tail.back().map(String::as_str), Some("9999"));
        log.take(&json!({"lines": [], "complete": true}), &mut |_| {});
        assert!(log.is_complete);
    }

    #[test]
    fn an_offset_never_goes_back() {
        let mut log = Log::default();
        log.take(&json!({"lines": ["a"], "nextOffset": 1}), &mut |_| {});
        log.take(&json!({"lines": [], "nextOffset": 0}), &mut |_| {});
        assert_eq!(log.offset, 1);
        log.take(&json!({"nonsense": true}), &mut |_| {});
        assert_eq!(log.offset, 1);
    }
}
