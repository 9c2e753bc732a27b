//! A build is one run of a buildspec over a source tree: an [`Order`] in, log lines out while it
//! runs, a [`Report`] at the end.
//!
//! [`run`] holds the order of the phases (spec 70 §3). All commands share one shell
//! ([`shell`]); what they print passes [`log`], which masks secrets, cuts lines and keeps to the
//! cap before anybody else sees it. Memory stays constant whatever a build prints: a sink that is
//! slow makes the build wait, because nothing reads ahead of it.

mod cache;
mod environment;
mod expand;
mod log;
mod mask;
mod order;
mod phases;
mod plan;
mod process;
mod products;
mod report;
mod run;
mod secrets;
mod shell;
mod source;
mod stop;
mod test_reports;
mod upload;
mod user;

pub use log::{LINE_MAX_BYTES, OWN_LINES_MAX_BYTES, Sink};
pub use order::{Commands, Input, LOG_MAX_BYTES, Order, Output, Variable, VariableType, Webhook};
pub use report::{
    Artifact, Context, ExportedVariable, LogSummary, PhaseReport, PhaseType, Report, RetryWanted,
    Status, TestFailure, TestReport, TestReportStatus,
};
pub use run::run;
pub use secrets::{NoSecrets, ReferenceError, SecretError, SecretReference, Secrets};
pub use stop::StopFlag;
