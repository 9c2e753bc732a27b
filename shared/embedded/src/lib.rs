//! The ports on this one machine: a database, files, processes.
//!
//! One module a port, under the port's own name; nothing here knows the engine or a provider.

pub mod access_keys;
pub mod audit;
pub mod builds;
pub mod clock;
pub mod cursors;
pub mod data_dir;
pub mod logs;
pub mod master_key;
pub mod objects;
pub mod random;
pub mod repositories;
pub mod sandbox;
pub mod secrets;
pub mod store;

pub use access_keys::AccessKeyStore;
pub use audit::AuditLog;
pub use builds::{Builds, BuildsOptions};
pub use clock::{ManualClock, SystemClock};
pub use cursors::Cursors;
pub use data_dir::{DataDir, DataDirError};
pub use logs::Logs;
pub use master_key::{MasterKey, MasterKeyError};
pub use objects::Objects;
pub use random::{OsRandom, SeededRandom};
pub use repositories::GitRepositories;
pub use sandbox::Isolation;
pub use secrets::Secrets;
pub use store::Store;
