//! The template that deploys Pipewright, looked at before anything is deployed: by the programs that
//! know AWS and its hazards, and by rules of our own.
//!
//! The first run installs pinned versions of those programs into `target/`, each with an environment
//! of its own: they do not agree on their dependencies.

#[path = "template/gates.rs"]
mod gates;
#[path = "template/rules.rs"]
mod rules;
#[path = "template/stack.rs"]
mod stack;
