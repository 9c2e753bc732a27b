//! The real binary, as people and scripts call it: what it says, and the exit codes that it
//! promises. Each test has a folder of its own and nothing of the environment's habits.

#[path = "command_line/bench.rs"]
mod bench;
#[path = "command_line/checks.rs"]
mod checks;
#[path = "command_line/interruptions.rs"]
mod interruptions;
#[path = "command_line/refusals.rs"]
mod refusals;
#[path = "command_line/runs.rs"]
mod runs;
