//! The nouns of Pipewright, under CodePipeline's own names.
//!
//! * [`declaration`]: what the user wrote: pipeline, stages, actions, triggers, conditions.
//! * [`state`]: what is going on in one pipeline: the head, its stages, the executions.
//! * [`input`]: what happened or was asked; what `engine::step` takes.
//! * [`effect`]: what is to be done about it; what `engine::step` gives.
//! * [`job`]: the work that an action offers to a worker, and what comes back.
//! * [`change`]: the announcement of a status change.
//! * [`watch`]: what a source action watches, and how it wants to learn of changes.
//! * [`rejection`]: a well-formed request that is refused, one variant an API exception.
//! * [`project`]: what CodeBuild calls a project: how a build runs.
//! * [`planted`]: defects that tests plant; absent from every program that people use.
//!
//! Nothing here does I/O, reads a clock or draws a random number: [`derive`] computes ids.

pub mod build;
pub mod change;
pub mod declaration;
pub mod derive;
pub mod effect;
pub mod input;
pub mod job;
pub mod planted;
pub mod project;
pub mod rejection;
pub mod state;
mod timestamp;
pub mod watch;

pub use change::{Change, Subject};
pub use declaration::{
    ActionCategory, ActionDeclaration, ExecutionMode, PipelineDeclaration, PipelineType,
    StageDeclaration,
};
pub use effect::Effect;
pub use input::Input;
pub use job::{ActionOutput, ActionUpdate, AttemptKey, Job};
pub use rejection::Rejection;
pub use state::{
    ActionStatus, Execution, ExecutionId, ExecutionStatus, PipelineState, StageStatus,
};
pub use timestamp::Timestamp;
