//! P5 is a pipeline of five actions that do nothing: a source, two in parallel, one, a deployment.
//!
//! What remains is what a pipeline costs. Each of its four steps is on disk before the next one
//! begins; beside every figure stands the floor, the same rows in the same number of synced commits
//! of plain SQLite, measured in the same run.
//!
//! ```text
//! cargo bench -p pipewright-tests --bench p5               # everything, on a quiet machine
//! cargo bench -p pipewright-tests --bench p5 -- --quick    # a look whether it works
//! PEERS=folder cargo bench -p pipewright-tests --bench p5  # with Restate, installed in the folder
//! ```

#[path = "p5/figures.rs"]
mod figures;
#[path = "p5/floor.rs"]
mod floor;
#[path = "p5/house.rs"]
mod house;
#[path = "p5/others.rs"]
mod others;
#[path = "p5/recorder.rs"]
mod recorder;
#[path = "p5/stored.rs"]
mod stored;

use std::{env, error::Error, fs, path::Path, process::ExitCode, time::Duration};

use figures::{Latency, Table, load, say};
use house::{Actions, House};

/// Above this load somebody else is at work, and no figure means anything.
const LOAD_MAX: f64 = 0.5;

/// How many executions are in flight in the throughput measurements.
const IN_FLIGHT: [usize; 3] = [1, 64, 1024];

/// How long and how often things are measured.
pub(crate) struct Effort {
    warm_up: usize,
    alone: usize,
    alone_with_children: usize,
    throughput: Duration,
}

const FULL: Effort = Effort {
    warm_up: 200,
    alone: 2_000,
    alone_with_children: 500,
    throughput: Duration::from_secs(10),
};
const QUICK: Effort = Effort {
    warm_up: 5,
    alone: 50,
    alone_with_children: 10,
    throughput: Duration::from_secs(1),
};

fn main() -> ExitCode {
    let quick = env::args().any(|argument| argument == "--quick");
    match run(if quick { &QUICK } else { &FULL }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("p5: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(effort: &Effort) -> Result<(), Box<dyn Error>> {
    let before = load()?;
    let quiet = before <= LOAD_MAX;
    let verdict = if quiet {
        "quiet"
    } else {
        "NOT QUIET: these figures mean nothing"
    };
    say(&format!("load before: {before:.2} ({verdict})\n"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/p5");
    fs::create_dir_all(&folder)?;

    let mut table = Table::new(["what", "Pipewright", "floor", "ratio"]);
    let recorded = alone(effort, &folder, &mut table)?;
    in_flight(effort, &folder, &recorded, &mut table)?;
    with_children(effort, &folder, &mut table)?;
    say(&table.markdown());
    others::restate(&folder)?;
    say(&format!("load after: {:.2}", load()?));
    Ok(())
}

/// One execution at a time: how long it takes, and what it writes.
fn alone(
    effort: &Effort,
    folder: &Path,
    table: &mut Table,
) -> Result<Vec<recorder::Recorded>, Box<dyn Error>> {
    let house = House::open(folder, Actions::Nothing)?;
    house.alone(effort.warm_up)?;
    house.recorder.begin();
    let ours = house.alone(effort.alone)?;
    let mut recorded = house.recorder.end();
    stored::fit(&mut recorded, &house.database)?;
    say(&recorder::summary(&recorded));
    drop(house);
    let floor = floor::alone(folder, &recorded, effort.alone)?;
    table.latency("alone, p50", &ours, &floor, Latency::p50);
    table.latency("alone, p99", &ours, &floor, Latency::p99);
    Ok(recorded)
}

/// Many executions at a time, each of a pipeline of its own.
fn in_flight(
    effort: &Effort,
    folder: &Path,
    recorded: &[recorder::Recorded],
    table: &mut Table,
) -> Result<(), Box<dyn Error>> {
    for lanes in IN_FLIGHT {
        let house = House::open(folder, Actions::Nothing)?;
        let ours = house.throughput(lanes, effort.throughput)?;
        drop(house);
        let floor = floor::throughput(folder, recorded, lanes, effort.throughput)?;
        table.rate(
            &format!("executions a second, {lanes} in flight"),
            ours.per_second,
            floor,
        );
        table.row([
            format!("CPU an execution, {lanes} in flight"),
            format!("{:.3} ms", ours.cpu_ms),
            String::new(),
            String::new(),
        ]);
        table.row([
            format!("memory, {lanes} in flight"),
            format!("{:.0} MB", ours.memory_mb),
            String::new(),
            String::new(),
        ]);
    }
    Ok(())
}

/// The same with a child process an action; here the floor is GNU make, which keeps nothing.
fn with_children(effort: &Effort, folder: &Path, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let house = House::open(folder, Actions::Children)?;
    house.alone(effort.warm_up.min(20))?;
    let ours = house.alone(effort.alone_with_children)?;
    drop(house);
    let make = others::make(folder, effort.alone_with_children)?;
    table.latency(
        "five `/bin/true`, p50 (floor: make -j2)",
        &ours,
        &make,
        Latency::p50,
    );
    table.latency(
        "five `/bin/true`, p99 (floor: make -j2)",
        &ours,
        &make,
        Latency::p99,
    );
    Ok(())
}
