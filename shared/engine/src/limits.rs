//! The bounds that the engine keeps.

use std::time::Duration;

/// Executions in progress in one QUEUED or PARALLEL pipeline (spec 30 §4).
pub const CONCURRENT_EXECUTIONS_MAX: usize = 50;

/// Actions in progress in one PARALLEL execution (spec 30 §4).
pub const PARALLEL_ACTIONS_MAX: usize = 5;

/// Attempts that one step begins or abandons. A commit writes an item for each, and DynamoDB takes
/// 100 items and 4 MB in a transaction; what is left over follows with the next tick, at once.
pub const ACTIONS_PER_COMMIT: usize = 30;

/// All output variables of one action (spec 30 §11).
pub(crate) const OUTPUT_VARIABLES_BYTES_MAX: usize = 122_880;

/// What a start may bring, variables and source revisions together, and what the revisions that
/// its source actions find may take. An execution is one item of at most 400 KB, of which the states
/// of 1,000 actions take up to 220 KB.
pub(crate) const START_BYTES_MAX: usize = 96 * 1024;
pub(crate) const REVISIONS_BYTES_MAX: usize = 64 * 1024;

/// The value of one pipeline variable (spec 30 §11), and of one source revision (spec 10 §9).
pub(crate) const VARIABLE_CHARACTERS_MAX: usize = 1_000;
pub(crate) const REVISION_CHARACTERS_MAX: usize = 1_500;

/// The resolved configuration of one action (spec 30 §11), with its commands and environment.
pub(crate) const RESOLVED_CONFIGURATION_BYTES_MAX: usize = 100 * 1024;

/// How long an execution may wait at a disabled transition and still enter (spec 30 §17).
pub(crate) const HELD_BY_TRANSITION_MAX: Duration = Duration::from_hours(30 * 24);
