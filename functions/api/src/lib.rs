//! The protocol of the API, JSON 1.1: a request is decoded, an operation carries it out, and the
//! answer is encoded. No rule is kept here but those of the wire.
//!
//! * [`Api::handle`] takes a request as it came in and gives the answer: whose request it is, which
//!   operation it wants, whether its shape is right (spec 10 §2, "check order").
//! * [`codepipeline`] has one file for each operation of the service; [`pipewright`] has our own.
//! * [`codebuild`] has projects and their builds; [`logs`] what builds printed.
//! * [`agents`] is what the agents of builds in containers ask for.
//! * [`shape`] says what a member must look like, and in which words it does not.
//! * [`error`] is what the wire calls errors; `page` seals the tokens of next pages.

pub mod agents;
pub mod codebuild;
pub mod codepipeline;
mod encode;
pub mod error;
mod handle;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod logs;
mod page;
mod parameters;
pub mod pipewright;
mod ready;
mod service;
pub mod shape;
pub mod trail;

pub use agents::Agents;
pub use error::ApiError;
pub use handle::{Api, BODY_BYTES_MAX, Options};
pub use service::{Call, Reply, Service};
