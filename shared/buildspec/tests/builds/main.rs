//! Builds from their order to their report, on this machine's own shell.

mod artifacts;
mod cache;
mod ends;
mod environment;
mod log;
mod phases;
mod reports;
mod shell;
mod sources;
mod support;
mod whole;
