//! Runs the simulation for long: `simulate [--seeds N] [--seconds S] [--from SEED] [--lose WHAT]`.
//!
//! `--lose all` loses every message, `--lose all-but-sweep` all but those that the sweep sets off.
//!
//! Prints executions, events and seeds per second; ends with 1 at the first violation.

mod adapters;
mod chance;
mod declarations;
mod messages;
mod oracle;
mod provider;
mod run;
mod scheduler;
mod users;

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use chance::Spared;
use run::{Outcome, run};

struct Options {
    seeds: u64,
    seconds: u64,
    from: u64,
    lose_all: Option<Spared>,
}

fn main() -> ExitCode {
    match options() {
        Ok(options) => simulate(&options),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seeds: 1_000,
        seconds: u64::MAX,
        from: 1,
        lose_all: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        if name == "--lose" {
            options.lose_all = Some(spared(&value)?);
            continue;
        }
        let number = value.parse();
        let number = number.map_err(|_| format!("`{name}` needs a number"))?;
        match name.as_str() {
            "--seeds" => options.seeds = number,
            "--seconds" => options.seconds = number,
            "--from" => options.from = number,
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(options)
}

fn spared(lost: &str) -> Result<Spared, String> {
    match lost {
        "all" => Ok(Spared::Nothing),
        "all-but-sweep" => Ok(Spared::Sweep),
        other => Err(format!(
            "`--lose` takes `all` or `all-but-sweep`, not `{other}`"
        )),
    }
}

fn simulate(options: &Options) -> ExitCode {
    let began = Instant::now();
    let limit = Duration::from_secs(options.seconds);
    let (mut seeds, mut executions, mut events, mut commits) = (0_u64, 0, 0, 0);
    let mut out = std::io::stdout();
    for seed in (options.from..).take(usize::try_from(options.seeds).unwrap_or(usize::MAX)) {
        if began.elapsed() >= limit {
            break;
        }
        let outcome: Outcome = run(seed, options.lose_all);
        seeds += 1;
        executions += outcome.executions;
        events += outcome.events;
        commits += outcome.commits;
        if let Some(violation) = outcome.violation {
            let _ = writeln!(out, "seed {seed} violates {violation}");
            return ExitCode::FAILURE;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = |count: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let count = count as f64;
        count / seconds
    };
    let _ = writeln!(
        out,
        "{seeds} seeds, {executions} executions, {commits} commits, {events} events in {seconds:.1} s: \
         {:.0} seeds/s, {:.0} executions/s, {:.0} events/s, no violation",
        rate(seeds),
        rate(executions),
        rate(events),
    );
    ExitCode::SUCCESS
}
