//! The real template, deployed to an emulator of AWS that checks signatures and roles, and released
//! through with the plain AWS CLI.
//!
//! The first run installs pinned versions of the emulator, of `sam` and of the AWS CLI into
//! `target/`. A longer run with more faults:
//!
//!     cargo test -p pipewright-tests --test deployed -- --ignored

#![expect(clippy::print_stderr, reason = "a test says what it did")]

#[path = "deployed/account.rs"]
mod account;
#[path = "deployed/chaos.rs"]
mod chaos;
#[path = "deployed/cli.rs"]
mod cli;
#[path = "deployed/release.rs"]
mod release;
#[path = "deployed/roles.rs"]
mod roles;
#[path = "deployed/sink.rs"]
mod sink;
#[path = "deployed/stack.rs"]
mod stack;
#[path = "deployed/story.rs"]
mod story;

use stack::Stack;

/// Under fault in the short form: enough for every kind of fault, short enough for each change.
const EXECUTIONS: usize = 3;
const SEED: u64 = 1;

/// The long form, with a stack for each seed; `PIPEWRIGHT_SEED=4` runs one.
const EXECUTIONS_LONG: usize = 25;
const SEEDS_LONG: [u64; 3] = [2, 3, 4];

#[test]
fn a_release_goes_from_the_source_event_to_the_deployed_object() {
    let stack = Stack::deploy();
    release::make_buckets(&stack.aws);
    release::make_project(&stack.pipewright);
    story::release(&stack);
    chaos::releases(&stack, EXECUTIONS, SEED);
    roles::compare(&stack);
}

#[test]
#[ignore = "takes about eight minutes a seed"]
fn nothing_is_lost_and_nothing_succeeds_twice_however_often_things_go_wrong() {
    let one = std::env::var("PIPEWRIGHT_SEED").ok();
    let one = one.and_then(|seed| seed.parse().ok());
    for seed in one.map_or(SEEDS_LONG.to_vec(), |seed| vec![seed]) {
        let stack = Stack::deploy();
        release::make_buckets(&stack.aws);
        release::make_project(&stack.pipewright);
        chaos::releases(&stack, EXECUTIONS_LONG, seed);
    }
}

#[test]
fn a_real_account_releases_too() {
    account::release();
}
