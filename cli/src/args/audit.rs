//! What `pipewright audit` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use model::Timestamp;

use super::duration;

#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub verb: AuditVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub enum AuditVerb {
    /// Check that nothing was changed or removed; the exit code is 1 if something was
    Verify(AuditVerifyArgs),
    /// Print who asked for what, and what became of it
    Show(AuditShowArgs),
}

#[derive(Clone, Debug, Args)]
pub struct AuditVerifyArgs {
    /// The data directory of a server, which may be at work, or a copy of one
    #[arg(
        long,
        value_name = "DIR",
        default_value = crate::state::DEFAULT_DIRECTORY,
        value_hint = ValueHint::DirPath
    )]
    pub data: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct AuditShowArgs {
    #[command(flatten)]
    pub of: AuditVerifyArgs,

    /// Leave out what was before: 2026-11-21, 2026-11-21T08:00:00Z, or so long ago: 90s, 20m, 2h
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
}

/// A time, or how long ago it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    At(Timestamp),
    Ago(std::time::Duration),
}

fn since(text: &str) -> Result<Since, String> {
    let day = format!("{text}T00:00:00Z");
    for whole in [text, &day] {
        if let Ok(at) = whole.parse::<jiff::Timestamp>() {
            return Ok(Since::At(Timestamp(at.as_millisecond())));
        }
    }
    let ago = duration(text).map(Since::Ago);
    ago.map_err(|_| "expected 2026-11-21, 2026-11-21T08:00:00Z, 90s, 20m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_moment_or_so_long_ago() {
        let day = Timestamp(1_795_219_200_000);
        for (text, expected) in [
            ("2026-11-21", Since::At(day)),
            ("2026-11-21T00:00:01Z", Since::At(Timestamp(day.0 + 1_000))),
            ("2026-11-21T01:00:00+01:00", Since::At(day)),
            ("90s", Since::Ago(Duration::from_secs(90))),
            ("2h", Since::Ago(Duration::from_hours(2))),
        ] {
            assert_eq!(since(text), Ok(expected), "{text}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "-1h"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
