//! A client is the other side of the public API: the commands here ask a server, ours or AWS itself.
//!
//! * [`settings`]: which server and with whose key, found as the AWS CLI finds it; [`ini`], its files.
//! * [`api`]: one call, signed, sent and if need be sent again; [`error`], what came of it.
//! * [`find`]: the pipeline and execution that a person means.
//! * [`history`]: an execution as the API tells of it, folded into [`crate::progress`].
//! * [`log`]: the lines that actions wrote; [`approval`]: what waits for a person.
//! * [`difference`]: what differs between two declarations, in their own words.
//! * [`answer`], [`table`], [`when`], [`yaml`]: how answers are shown.
//!
//! Answers stay `serde_json::Value`: what a newer server adds is passed on, and what it leaves out is
//! shown as absent.

pub mod answer;
pub mod api;
pub mod approval;
pub mod difference;
pub mod error;
pub mod find;
pub mod history;
pub mod ini;
pub mod log;
pub mod settings;
pub mod table;
pub mod when;
pub mod yaml;

pub use api::{Client, Service};
pub use error::ApiError;
