//! What Pipewright needs of the world, as traits, and the one way to write a pipeline.
//!
//! * [`store`]: pipelines, their executions and history; versioned commits.
//! * [`update`](fn@update): load, decide, commit; the only way to write a pipeline.
//! * [`deliver`](fn@deliver): hand out what a commit ordered.
//! * [`objects`]: artifacts and other objects in buckets.
//! * [`queues`]: jobs to workers, inputs to the engine; hints that may be lost or repeated.
//! * [`builds`], [`projects`], [`logs`]: what runs builds, and how; what they printed.
//! * [`agents`]: what those who run builds elsewhere ask for.
//! * [`build_records`]: which builds there were, and how they ended.
//! * [`repositories`]: git repositories by name.
//! * [`bus`]: announced changes and questions to people; [`event`]: what a change is to a listener.
//! * [`access_keys`]: whose requests are taken; [`audit`]: what was asked for.
//! * [`cursors`]: how far somebody has read the journal.
//! * [`clock`], [`random`]: time and chance, which nothing else may touch.
//!
//! `contract` is the suite that every adapter passes: it says what holds after a crash.

use std::sync::Arc;

pub mod access_keys;
pub mod agents;
pub mod audit;
pub mod build_records;
pub mod builds;
pub mod bus;
pub mod clock;
#[cfg(feature = "contract")]
pub mod contract;
pub mod cursors;
pub mod deliver;
pub mod event;
pub mod logs;
#[cfg(feature = "contract")]
pub mod nobody;
pub mod objects;
pub mod projects;
pub mod queues;
pub mod random;
pub mod repositories;
pub mod store;
pub mod update;

pub use access_keys::AccessKeys;
pub use agents::Agents;
pub use audit::AuditTrail;
pub use build_records::BuildRecords;
pub use builds::BuildRunner;
pub use bus::EventBus;
pub use clock::Clock;
pub use cursors::Cursors;
pub use deliver::deliver;
pub use event::Event;
pub use logs::{BuildLogs, LogPiece};
pub use objects::ObjectStore;
pub use projects::{ProjectRecords, ProjectStore};
pub use queues::Queues;
pub use random::Random;
pub use repositories::Repositories;
pub use store::{Commit, Loaded, PipelineStore, StoreError};
pub use update::{Decision, NoDecision, Request, UpdateError, Updated, update};

/// Everything outside, in one place; every handler gets it.
#[derive(Clone)]
pub struct World {
    pub account: Arc<Account>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub pipelines: Arc<dyn PipelineStore>,
    pub objects: Arc<dyn ObjectStore>,
    pub queues: Arc<dyn Queues>,
    pub bus: Arc<dyn EventBus>,
    pub builds: Arc<dyn BuildRunner>,
    pub projects: Arc<dyn ProjectStore>,
    pub repositories: Arc<dyn Repositories>,
}

/// The names that ARNs are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub region: String,
}
