//! One chapter a subject: what a script of inputs does, as a transcript.

mod approval;
mod artifacts;
mod definition;
mod deletion;
mod failure;
mod late_results;
mod limits;
mod parallel;
mod queued;
mod retry;
mod source_and_stages;
mod start;
mod stop;
mod supersede;
mod timeouts;
mod transitions;
mod variables;
