//! Each planted defect is found, by the invariant that it breaks.

use std::panic;

use model::planted::{Bug, plant};

use crate::{
    oracle::Invariant::{self, I1, I2, I2b, I3, I4, I7, I8, I9, I10, I11, I13, I14, I15, I16, I22},
    run::run,
};

/// More seeds than any of them needs.
const SEEDS_MAX: u64 = 400;

/// The invariant that is to notice.
fn expected(bug: Bug) -> Invariant {
    match bug {
        Bug::NoVersionCheck => I9,
        Bug::AttemptNotChecked => I8,
        Bug::OutboxMarkedFirst | Bug::SweepSkipsOutbox => I16,
        Bug::NoDeadline => I15,
        Bug::OlderSupersedes => I4,
        Bug::TokenIgnored | Bug::ApprovalAfterExpiry => I13,
        Bug::TerminalMoves => I3,
        Bug::TransitionCrossed => I14,
        Bug::StopStartsAnother => I22,
        Bug::LockReleasedEarly => I1,
        Bug::RequestTokenNotKept => I2b,
        Bug::CommitNotReadBack => I2,
        Bug::QueueOvertaken => I11,
        Bug::DefinitionNotPinned => I10,
        Bug::ChangeNotAnnounced => I7,
    }
}

/// The first seed that finds the defect.
fn find(bug: Bug) -> Result<u64, String> {
    plant(Some(bug));
    for seed in 1..=SEEDS_MAX {
        if let Some(violation) = run(seed, None).violation {
            plant(None);
            return if expected(bug) == violation.invariant {
                Ok(seed)
            } else {
                Err(format!("{bug:?} was taken for {violation} (seed {seed})"))
            };
        }
    }
    plant(None);
    Err(format!("{bug:?} was not found in {SEEDS_MAX} seeds"))
}

#[test]
fn every_planted_defect_is_found_by_its_invariant() {
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    let mut most = 0;
    for bug in Bug::ALL {
        match find(bug) {
            Ok(seed) => most = most.max(seed),
            Err(why) => missed.push(why),
        }
    }
    panic::set_hook(quiet);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
