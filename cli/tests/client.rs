//! The commands that ask a server, against a real one: each test has a server of its own, in a
//! folder of its own, and calls the binary as people and scripts do.

#[path = "client/bench.rs"]
mod bench;
#[path = "client/executions.rs"]
mod executions;
#[path = "client/keys.rs"]
mod keys;
#[path = "client/projects.rs"]
mod projects;
#[path = "client/releases.rs"]
mod releases;
