//! `pipewright serve` under load: how long its answers take, how many it gives, and what it needs.
//!
//! A thousand pipelines and, step by step, up to a hundred thousand finished executions, half of
//! them in one pipeline. They are made by the real machine with providers that do nothing; then the
//! real program serves the same directory. Every request is signed and every signature is checked;
//! it is signed before the clock runs, so that the client costs little.
//!
//! ```text
//! cargo bench -p pipewright --bench serve               # everything, on a quiet machine: 5 minutes
//! cargo bench -p pipewright --bench serve -- --quick    # a look whether it works
//! MOTO=venv/bin/moto_server cargo bench -p pipewright --bench serve   # with moto's server beside it
//! ```

#[path = "serve/client.rs"]
mod client;
#[path = "serve/figures.rs"]
mod figures;
#[path = "serve/fill.rs"]
mod fill;
#[expect(dead_code, reason = "tests sign in more ways than a measurement does")]
#[path = "../served/key.rs"]
mod key;
#[path = "serve/moto.rs"]
mod moto;
#[path = "serve/process.rs"]
mod process;

use std::{env, error::Error, fs, path::Path, process::ExitCode, time::Duration};

use serde_json::{Value, json};

use client::{Ask, Measured};
use figures::{Row, load, print, say};
use fill::{BUSY, Fill};
use process::Process;

/// Above this load somebody else is at work, and no figure means anything.
const LOAD_MAX: f64 = 0.5;

/// What answers, when there are ten times as many executions, may take more.
const FLAT: f64 = 1.5;

/// How much is measured.
pub(crate) struct Effort {
    pipelines: usize,
    /// How many finished executions there are at each step.
    steps: &'static [usize],
    /// Calls one after the other.
    alone: usize,
    /// How long as many calls as possible are made.
    throughput: Duration,
    starts: usize,
    idle_connections: usize,
}

const FULL: Effort = Effort {
    pipelines: 1_000,
    steps: &[10, 1_000, 10_000, 100_000],
    alone: 3_000,
    throughput: Duration::from_secs(5),
    starts: 1_000,
    idle_connections: 10_000,
};
const QUICK: Effort = Effort {
    pipelines: 50,
    steps: &[10, 200],
    alone: 200,
    throughput: Duration::from_secs(1),
    starts: 100,
    idle_connections: 500,
};

fn main() -> ExitCode {
    let quick = env::args().any(|argument| argument == "--quick");
    match run(if quick { &QUICK } else { &FULL }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("serve: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(effort: &Effort) -> Result<(), Box<dyn Error>> {
    let before = load()?;
    let verdict = if before <= LOAD_MAX {
        "quiet"
    } else {
        "NOT QUIET: these figures mean nothing"
    };
    say(&format!("load before: {before:.2} ({verdict})"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/serve");
    fs::create_dir_all(&folder)?;
    let folder = tempfile::tempdir_in(folder)?;
    let mut rows = Vec::new();
    empty(&folder.path().join("empty"), &mut rows)?;
    let data = folder.path().join("data");
    let mut all = Vec::new();
    for (place, executions) in effort.steps.iter().enumerate() {
        let fill = Fill::open(&data)?;
        fill.up_to(effort.pipelines, *executions)?;
        drop(fill);
        let is_last = place + 1 == effort.steps.len();
        all.push(reads(effort, &data, *executions, &mut rows)?);
        if is_last {
            loaded(effort, &data, *executions, &mut rows)?;
        }
    }
    flatness(&all, effort.steps, &mut rows);
    moto::measure(effort, folder.path(), &mut rows)?;
    print(&rows);
    say(&format!("load after: {:.2}", load()?));
    Ok(())
}

/// A server in which nothing is.
fn empty(data: &Path, rows: &mut Vec<Row>) -> Result<(), Box<dyn Error>> {
    // The first start makes the keys.
    let first = Process::start(data)?;
    rows.push(Row::millis(
        "start to first answer, first time",
        first.ready,
        None,
    ));
    drop(first);
    let starts = Process::starts(data)?;
    rows.push(Row::millis(
        "start to first answer, empty",
        starts,
        Some(50.0),
    ));
    let process = Process::start(data)?;
    let idle = process.memory_mb()?;
    rows.push(Row::megabytes("memory, idle and empty", idle, Some(20.0)));
    Ok(())
}

/// The reads that are measured: what they are called here, the operation, and what it is asked.
///
/// A page of five is full at every step; a page of a hundred is what whoever asks for no size gets.
fn asked() -> [(&'static str, &'static str, Value); 4] {
    let list = "ListPipelineExecutions";
    [
        (
            "GetPipelineState",
            "GetPipelineState",
            json!({"name": BUSY}),
        ),
        (
            "ListPipelineExecutions, 5 a page",
            list,
            json!({"pipelineName": BUSY, "maxResults": 5}),
        ),
        (
            "ListPipelineExecutions, 100 a page",
            list,
            json!({"pipelineName": BUSY, "maxResults": 100}),
        ),
        ("ListPipelines", "ListPipelines", json!({})),
    ]
}

/// What the reads took with so many executions: the time of each, and calls a second.
fn reads(
    effort: &Effort,
    data: &Path,
    executions: usize,
    rows: &mut Vec<Row>,
) -> Result<Vec<Measured>, Box<dyn Error>> {
    let process = Process::start(data)?;
    let mut all = Vec::new();
    for (name, operation, input) in asked() {
        let ask = Ask::signed(&process, operation, &input);
        let measured = client::measure(&ask, effort.alone, effort.throughput)?;
        let is_state = operation == "GetPipelineState";
        let name = format!("{name}, {executions} executions");
        rows.push(Row::millis(
            &format!("{name}, p50"),
            measured.p50,
            is_state.then_some(0.3),
        ));
        rows.push(Row::millis(&format!("{name}, p99"), measured.p99, None));
        rows.push(Row::rate(
            &format!("{name}, calls/s"),
            measured.per_second,
            is_state.then_some(10_000.0),
        ));
        say(&format!("{name}: {measured:?}"));
        all.push(measured);
    }
    Ok(all)
}

/// What is measured once, with all executions there.
fn loaded(
    effort: &Effort,
    data: &Path,
    executions: usize,
    rows: &mut Vec<Row>,
) -> Result<(), Box<dyn Error>> {
    let name = format!("start to first answer, {executions} executions");
    rows.push(Row::millis(&name, Process::starts(data)?, Some(500.0)));
    let process = Process::start(data)?;
    let idle = process.memory_mb()?;
    rows.push(Row::megabytes("memory, idle with all of them", idle, None));

    let starts = client::starts(&process, effort.starts, effort.throughput)?;
    say(&format!("StartPipelineExecution: {starts:?}"));
    let name = "StartPipelineExecution";
    let paced = format!(
        "{name}, one every {} ms",
        client::BETWEEN_STARTS.as_millis()
    );
    rows.push(Row::millis(&format!("{paced}, p50"), starts.p50, None));
    rows.push(Row::millis(&format!("{paced}, p99"), starts.p99, Some(5.0)));
    let crowded = format!("{name}, 16 at a time, accepted/s");
    rows.push(Row::rate(&crowded, starts.per_second, None));
    rows.push(Row::millis(
        "one row in a synced commit (the floor), p50",
        client::synced_write(data)?,
        None,
    ));
    for (_, operation, input) in asked() {
        let ask = Ask::signed(&process, operation, &input);
        client::measure(&ask, effort.alone, effort.throughput)?;
    }
    let memory = process.memory_mb()?;
    rows.push(Row::megabytes(
        "memory, after all of that",
        memory,
        Some(80.0),
    ));
    let connections = client::idle(&process, effort.idle_connections)?;
    let name = format!("memory, with {} idle connections", connections.len());
    rows.push(Row::megabytes(&name, process.memory_mb()?, None));
    Ok(())
}

/// How much more the reads take with all executions than with the fewest.
fn flatness(all: &[Vec<Measured>], steps: &[usize], rows: &mut Vec<Row>) {
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return;
    };
    let (fewest, most) = (steps[0], steps[steps.len() - 1]);
    for (place, (name, _, input)) in asked().into_iter().enumerate() {
        let factor = last[place].p50.as_secs_f64() / first[place].p50.as_secs_f64();
        let name = format!("{name}, p50 at {most} to {fewest}");
        // With the fewest executions a page of a hundred is not full, so it must take less.
        let is_full = input["maxResults"] != 100;
        rows.push(Row::factor(&name, factor, is_full.then_some(FLAT)));
    }
}
