//! The contract suite: what every adapter of a port does, and what holds after a crash.

pub mod access_keys;
pub mod audit;
pub mod build_records;
pub mod objects;
pub mod pipelines;
pub mod projects;
