//! The ports on AWS: the same traits that `embedded` keeps on one machine, kept by services.
//!
//! * [`Clients`]: the SDK clients of a function, made from what Lambda's environment says;
//!   [`Meter`] counts what they are asked for.
//! * [`keys`]: every key of the one table; [`table`]: what is asked of it, and what its errors mean.
//! * `store`, `projects`, `build_records`, `access_keys`, `cursors`: rows of that table.
//! * `objects`: S3. `queues`: SQS. `bus`: EventBridge. `builds`: ECS. `logs`, `audit`: CloudWatch Logs.
//! * `secrets`, `master_key`: Secrets Manager and Parameter Store.
//!
//! Nothing here decides anything: an adapter turns a port's call into requests, and answers into
//! what the port says.

pub mod batch;
mod bus;
#[cfg(test)]
mod answers;
mod audit;
mod clients;
mod clock;
mod failed;
pub mod gateway;
pub mod keys;
mod master_key;
mod meter;
mod punctual;
mod objects;
mod queues;
mod random;
mod repositories;
mod secrets;
mod settings;
pub mod table;
pub mod telemetry;
mod topics;

pub use batch::{Batch, BatchError, Message};
pub use bus::Bus;
pub use audit::AuditLog;
pub use clients::Clients;
pub use clock::SystemClock;
pub use failed::Asked;
pub use master_key::{MasterKey, MasterKeyError};
pub use meter::{Meter, Metered};
pub use punctual::{Punctual, Until};
pub use objects::{Limits, Objects, PRESIGNED_WITHIN_MAX, Presigned};
pub use queues::{HOPS_MAX, Queues};
pub use random::SystemRandom;
pub use repositories::NoRepositories;
pub use secrets::{Secrets, SecretsUnavailable};
pub use settings::{Settings, SettingsError};
pub use table::Table;
pub use telemetry::Telemetry;
pub use topics::{Notice, TopicError, Topics};
