//! The log of a server: one line a request, a change or a trouble, for people or for programs.

use std::{fmt::Write as _, io::Write as _};

use model::Timestamp;
use serde_json::{Map, Value, json};

use crate::{args::LogFormat, clock::date_and_time};

/// Writes lines to standard error.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    format: LogFormat,
    /// Problems only.
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Log {
    pub fn new(format: LogFormat, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Writes one line; fields that are null are left out.
    pub fn write<const N: usize>(
        self,
        level: Level,
        message: &str,
        fields: [(&'static str, Value); N],
    ) {
        if self.quiet && level == Level::Info {
            return;
        }
        let now = jiff::Timestamp::now().as_millisecond();
        let line = self.line(Timestamp(now), level, message, fields);
        // A log that nobody reads any more must not end the server.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn line<const N: usize>(
        self,
        at: Timestamp,
        level: Level,
        message: &str,
        fields: [(&'static str, Value); N],
    ) -> String {
        let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
        let level = match level {
            Level::Info => "INFO",
            Level::Warning => "WARN",
            Level::Error => "ERROR",
        };
        match self.format {
            LogFormat::Json => {
                let mut map = Map::new();
                map.insert("level".to_owned(), json!(level));
                map.insert("timestamp".to_owned(), json!(date_and_time(at)));
                map.insert("service".to_owned(), json!("pipewright"));
                map.insert("message".to_owned(), json!(message));
                map.extend(fields.map(|(name, value)| (name.to_owned(), value)));
                Value::Object(map).to_string()
            }
            LogFormat::Text => {
                let mut line = format!("{} {level:5} {}", date_and_time(at), plain(message));
                for (name, value) in fields {
                    let value = match value {
                        Value::String(text) => plain(&text),
                        other => other.to_string(),
                    };
                    // Writing to a string cannot fail.
                    let _ = write!(line, " {name}={value}");
                }
                line
            }
        }
    }
}

/// A text that cannot end its line or speak to the terminal.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat) -> String {
        Log::new(format, false).line(
            Timestamp(1_700_000_000_123),
            Level::Warning,
            "a\nb",
            [
                ("operation", json!("Get")),
                ("none", Value::Null),
                ("ms", json!(3)),
            ],
        )
    }

    #[test]
    fn a_line_is_one_line_for_people_and_one_object_for_programs() {
        assert_eq!(
            line(LogFormat::Text),
            "2023-11-14T22:13:20.123Z WARN  a\u{fffd}b operation=Get ms=3"
        );
        let read: Value = serde_json::from_str(&line(LogFormat::Json)).expect("it is JSON");
        assert_eq!(read["message"], "a\nb");
        assert_eq!(read["level"], "WARN");
        assert_eq!(read.get("none"), None);
    }
}
