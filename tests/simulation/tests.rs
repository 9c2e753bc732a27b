//! The simulation as tests: some hundred seeds, the same trace twice, everything lost, and a planted
//! defect for each thing that the oracle is there to find.

mod adapters;
mod chance;
mod declarations;
mod messages;
mod oracle;
mod planted;
mod provider;
mod run;
mod scheduler;
mod users;

use std::collections::BTreeSet;

use chance::Spared;
use run::run;

const SEEDS: u64 = 200;

/// What must happen in some of the runs, or they try too little.
const SOMETIMES: [&str; 12] = [
    "a commit met a conflict",
    "a handler died",
    "a message was late",
    "a message was lost",
    "a message was repeated",
    "a source event started a pipeline",
    "a worker lied",
    "an ambiguous commit was not written",
    "an ambiguous commit was written",
    "an execution was superseded",
    "the process died",
    "an approval was answered",
];

#[test]
fn whatever_goes_wrong_nothing_is_lost_and_everything_ends() {
    let mut happened = BTreeSet::new();
    let mut succeeded = 0;
    for seed in 1..=SEEDS {
        let outcome = run(seed, None);
        if let Some(violation) = outcome.violation {
            panic!("seed {seed} violates {violation}");
        }
        happened.extend(outcome.happened);
        succeeded += outcome.succeeded;
    }
    let missing: Vec<_> = SOMETIMES
        .iter()
        .filter(|what| !happened.contains(*what))
        .collect();
    assert!(missing.is_empty(), "these never happened: {missing:?}");
    assert!(succeeded > SEEDS, "{succeeded} executions succeeded");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..=20 {
        assert_eq!(run(seed, None), run(seed, None));
    }
    assert_ne!(run(1, None).trace, run(2, None).trace);
}

#[test]
fn with_every_message_lost_the_deadlines_end_everything() {
    for seed in 1..=30 {
        let outcome = run(seed, Some(Spared::Nothing));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn with_every_message_lost_but_the_sweeps_own_everything_is_done() {
    let mut succeeded = 0;
    for seed in 1..=30 {
        let outcome = run(seed, Some(Spared::Sweep));
        assert_eq!(outcome.violation, None, "seed {seed}");
        succeeded += outcome.succeeded;
    }
    assert!(
        succeeded > 30,
        "the sweep alone finished {succeeded} executions"
    );
}
