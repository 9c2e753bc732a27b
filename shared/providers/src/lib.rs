//! The action providers, one file each.
//!
//! A provider turns a [`model::Job`] into work and its outcome into a [`model::job::ActionResult`].
//! It decides nothing about the pipeline and keeps no state of its own: a job that is offered again
//! after a crash is found running, or done again to the same end.
//!
//! * [`s3_source`], [`codecommit`]: where a revision comes from.
//! * [`codebuild`], [`commands`]: what is built; the build itself is [`ports::BuildRunner`]'s.
//! * [`manual`]: what a person is told; nobody works on an approval.
//! * [`s3_deploy`]: where the result goes.
//! * [`Catalogue`]: which of them runs which action type; anything else is refused by name.
//!
//! Beside them: [`fit`] keeps what they say within the API's limits; `settings` reads a
//! configuration, `artifacts` moves artifacts, `failure` names what went wrong.

mod artifacts;
mod build;
mod catalogue;
pub mod codebuild;
pub mod codecommit;
pub mod commands;
mod content_type;
mod failure;
mod limits;
pub mod manual;
mod provider;
pub mod s3_deploy;
pub mod s3_source;
mod settings;
mod zip_reader;

pub use catalogue::Catalogue;
pub use limits::{fit, fit_output};
pub use provider::{Progress, Provider};

#[cfg(test)]
mod testing;
