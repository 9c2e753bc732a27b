//! A state change was announced: who is told, and how.
//!
//! * [`Event`] is what a change is in AWS; [`feed()`] gives all of them in order.
//! * [`pattern`] says which events somebody wants; [`rules`] is the file with who wants what.
//! * [`Notifier`] goes through the journal for each target: webhooks, mail, commands. Approvals are
//!   questions, and whoever is asked gets a link on which to answer.
//!
//! The journal of the store is the queue: nothing is lost when this process is.

mod approval;
mod channel;
pub mod feed;
#[cfg(feature = "lambda")]
pub mod lambda;
mod letter;
mod notifier;
pub mod pattern;
pub mod rules;
mod time;

pub use approval::Links;
pub use feed::{Position, feed};
pub use notifier::{
    AGE_MAX, ATTEMPTS_MAX, Moved, Next, Notifier, PAUSE_FIRST, PAUSE_MAX, Ran, Trouble,
};
pub use pattern::Pattern;
pub use ports::Event;
pub use rules::Config;
