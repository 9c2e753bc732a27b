//! The ports on AWS: the same traits that `embedded` keeps on one machine, kept by services.
//!
//! * [`Clients`]: the SDK clients of a function, made from what Lambda's environment says;
//!   [`Meter`] counts what they are asked for.
//! * [`keys`]: every key of the one table; [`table`]: what is asked of it, and what its errors mean.
//! * `store`, `projects`, `build_records`, `access_keys`, `cursors`: rows of that table.
//! * `objects`: S3. `queues`: SQS. `bus`: EventBridge. `builds`: ECS. `logs`, `audit`: CloudWatch Logs.
//! * `secrets`, `master_key`: Secrets Manager and Parameter Store. `topics`: SNS.
//! * [`Stack`]: all of them as parts of a function. [`batch`], [`gateway`]: what Lambda calls it with.
//!   [`telemetry`]: what it says of itself.
//!
//! Nothing here decides anything: an adapter turns a port's call into requests, and answers into
//! what the port says.

mod absent;
mod access_keys;
#[cfg(test)]
mod answers;
mod audit;
pub mod batch;
mod build_records;
mod builds;
mod bus;
mod clients;
mod clock;
mod cursors;
mod failed;
pub mod gateway;
pub mod keys;
mod leases;
mod logs;
mod master_key;
mod meter;
mod objects;
mod pauses;
mod projects;
mod punctual;
mod queues;
mod random;
mod repositories;
mod secrets;
mod settings;
mod stack;
pub mod store;
pub mod table;
pub mod telemetry;
mod topics;

pub use absent::Absent;
pub use access_keys::AccessKeyStore;
pub use audit::AuditLog;
pub use batch::{Batch, BatchError, Message};
pub use build_records::BuildHistory;
pub use builds::{Agents, Builds};
pub use bus::Bus;
pub use clients::Clients;
pub use clock::SystemClock;
pub use cursors::Cursors;
pub use failed::Asked;
pub use leases::Leases;
pub use logs::Logs;
pub use master_key::{MasterKey, MasterKeyError};
pub use meter::{Meter, Metered};
pub use objects::{Limits, Objects, PRESIGNED_WITHIN_MAX, Presigned};
pub use projects::Projects;
pub use punctual::{Punctual, Until};
pub use queues::{HOPS_MAX, Queues};
pub use random::SystemRandom;
pub use repositories::NoRepositories;
pub use secrets::{Secrets, SecretsUnavailable};
pub use settings::{Settings, SettingsError};
pub use stack::{APPROVAL_LINKS, Called, Handled, NEXT_PAGES, Stack, StackError};
pub use store::Store;
pub use table::Table;
pub use telemetry::Telemetry;
pub use topics::{Notice, TopicError, Topics};
