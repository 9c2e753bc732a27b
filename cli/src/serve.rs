//! `pipewright serve`: engine, workers, API, buckets, repositories and sweep in one process.
//!
//! * [`server`]: a listener, its connections and their limits.
//! * [`router`]: which part of the house a request is for; [`body`]: what came with it; [`answer`]:
//!   what goes back.
//! * [`house`]: everything behind the listener, put together; [`follow`]: taking note of it.
//! * [`secured`]: the keys and the trail; [`credentials`]: the files that the AWS CLI reads.
//! * [`basic`]: who asks, where a client cannot sign (git).
//! * [`git`]: repositories that are pushed here.
//! * [`sources`]: the look-out for changes. [`builds`]: builds that no pipeline ordered.
//! * [`feed`]: what happened, as it happens; [`notifications`]: telling others.
//! * [`metrics`], [`log`]: what others are told of this server; [`visit`]: what the trail is told.

pub mod answer;
pub mod basic;
pub mod body;
pub mod builds;
pub mod credentials;
pub mod feed;
pub mod follow;
pub mod git;
pub mod house;
pub mod log;
pub mod metrics;
pub mod notifications;
pub mod router;
pub mod secured;
pub mod server;
pub mod sources;
pub mod visit;
