//! The rules of spec 20 §9: what a declaration must be to be accepted.
//!
//! All problems are found, not the first one; [`api_error`](super::problem::api_error) picks what
//! the API would say. Rules that need the world (names in use, roles, quotas: 2, 3, 34) belong to
//! the operations; 7 and 46 accept.

mod actions;
mod artifacts;
mod conditions;
mod configuration;
mod constraint;
mod cron;
mod pattern;
mod places;
mod rules;
mod shape;
mod stages;
mod structure;
mod triggers;
mod variables;

use super::{
    PipelineDeclaration,
    path::Path,
    problem::{Exception, Problem},
};

/// Rules that compare one part of a declaration with others: while anything could not be read (a
/// category, a type, an artifact), what they say may be wrong.
pub(super) const REACHING_RULES: &[u8] =
    &[10, 11, 12, 18, 25, 26, 27, 30, 31, 32, 35, 37, 39, 48, 49];

/// The bounds of a timeout (spec 20 §4).
pub(super) const TIMEOUT_MINUTES: (u32, u32) = (5, 86_400);
/// The highest run order (spec 20 §4).
pub(super) const RUN_ORDER_MAX: u32 = 999;

/// What the rules depend on beside the declaration.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The Region of the pipeline.
    pub region: &'a str,
    /// What is stored under the name, when it is an update: its secrets may be kept.
    pub stored: Option<&'a PipelineDeclaration>,
    pub limits: Limits,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self {
            region: "us-east-1",
            stored: None,
            limits: Limits::default(),
        }
    }
}

/// The limits that an operator may move (spec 20 §10, spec 10 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub actions_per_stage: usize,
    pub configuration_value_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            actions_per_stage: 100,
            configuration_value_chars: 1000,
        }
    }
}

/// Everything that is wrong with the declaration, in the order of the rules and without places.
pub fn validate(declaration: &PipelineDeclaration, context: &Context<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    shape::check(declaration, context, &mut problems);
    structure::check(declaration, context, &mut problems);
    stages::check(declaration, context, &mut problems);
    actions::check(declaration, context, &mut problems);
    configuration::check(declaration, context, &mut problems);
    artifacts::check(declaration, &mut problems);
    variables::check(declaration, &mut problems);
    triggers::check(declaration, &mut problems);
    conditions::check(declaration, &mut problems);
    rules::check(declaration, &mut problems);
    problems.sort_by_key(|problem| problem.rule);
    problems
}

fn structure(rule: u8, path: Path, message: impl Into<String>) -> Problem {
    Problem::new(rule, Exception::InvalidStructure, path, message)
}

fn stage(rule: u8, path: Path, message: impl Into<String>) -> Problem {
    Problem::new(rule, Exception::InvalidStageDeclaration, path, message)
}

fn action(rule: u8, path: Path, message: impl Into<String>) -> Problem {
    Problem::new(rule, Exception::InvalidActionDeclaration, path, message)
}
