//! The buckets, spoken to as S3.
//!
//! `s3s` reads requests, checks their signatures and writes answers; this crate does everything that
//! it leaves to others, and none of its types are seen outside.
//!
//! * `front`: what is refused before a signature is looked at, and stricter rules for what must be
//!   signed.
//! * `identity`: who holds a key, and what they may do.
//! * `backend`: the operations over `ports::ObjectStore`, a file for each family.
//! * `receive`: bodies on their way in, compared with every digest that came with them.
//! * `uploads`: the parts of multipart uploads, which survive a restart.
//!
//! Versioning is always enabled. What has no effect here is refused by name.

mod answer;
mod backend;
mod checksum;
mod failure;
mod front;
mod give;
mod identity;
mod metadata;
mod receive;
mod service;
mod uploads;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use access::keys::Keys;
use ports::{Account, Clock, ObjectStore};

pub use answer::{Body, Seen};
pub use front::is_for_s3;
pub use service::{OpenError, Service, service};

/// The largest object that is taken, in bytes; S3 takes no more in one put either.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// Told of every new version: bucket, key, version id.
pub type OnPut = Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

/// What the endpoint is made of.
#[derive(Clone)]
pub struct Options {
    pub objects: Arc<dyn ObjectStore>,
    pub keys: Arc<dyn Keys>,
    pub clock: Arc<dyn Clock>,
    /// Whose buckets these are, and the one region that requests are signed for.
    pub account: Account,
    /// A folder of its own: bodies that are being received and the parts of multipart uploads.
    pub uploads: PathBuf,
    /// Called when a version was stored and before its sender is answered.
    pub on_put: OnPut,
}

/// Condition keys that only the listener knows, in lower case (`aws:sourceip`): an extension of the
/// request, if it has any.
#[derive(Clone, Debug, Default)]
pub struct Context(pub BTreeMap<String, Vec<String>>);
