//! A buildspec is a YAML file that says how to build a source tree; this crate parses one, plans
//! the build and runs it on this machine.
//!
//! It is the library of the agent: it knows no pipeline, no queue and no database, and it does
//! not know how it is kept apart from the rest of the machine. It reads files that the caller put
//! in place and writes files that the caller carries away.
//!
//! * [`parse`] reads the text into a [`document::Buildspec`], or says everything that is wrong
//!   with it at once, with line and column.
//! * [`build`] runs an [`build::Order`] and answers with a [`build::Report`]. It is synchronous:
//!   one thread, one poll loop, bounded buffers.
//! * [`archive`] packs files into a ZIP and takes apart one that somebody else made, which it
//!   trusts in nothing. It is also what sources and deployments use.
//! * [`glob`] is what the file patterns of a buildspec mean.
//!
//! What is absent: batch builds and Windows shells are refused by name; runtime versions are
//! warned about, because whoever provides the machine provides its tools; nothing here speaks to
//! a network.

pub mod archive;
pub mod build;
pub mod document;
pub mod glob;

pub mod parse;
