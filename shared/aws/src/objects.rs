//! Objects in S3.
//!
//! The bytes, their versions and their markers are S3's own. What the port keeps besides and S3 has
//! no place for lies in one entry of an object's user metadata: see [`record::Record`].
//!
//! * **SHA-256.** An object that is put in one request carries its digest in
//!   `x-amz-checksum-sha256`, and S3 refuses bytes that do not have it. An upload of parts has only
//!   the digest of its parts' digests there, so that of the whole is in the record; S3 compares each
//!   part. Who reads an object has its bytes compared with the digest before the file appears. An
//!   object that somebody else put has none: `sha256` is empty then until the bytes were read.
//! * **Terms.** A key that may be created only is put with `If-None-Match: *`, one that must be as it
//!   was with `If-Match`: S3 looks and writes in one step. A put that was done, and whose answer was
//!   lost, is refused when it is sent again; the record says which put wrote an object, so such a
//!   refusal is a success.
//! * **Versions.** In a bucket that keeps no versions, the only one of a key is named `null`, as S3
//!   names it: a put replaces it, and a deletion leaves no marker.
//! * **Listings** give what the port asks for, the metadata of each object among it, and S3 lists
//!   none of that: each entry costs a request of its own, [`LOOKS_AT_ONCE`] at a time.
//!
//! What is told of a missing object is what S3 tells to whoever may list the bucket; to others it
//! says that access is denied, and so do we.

mod buckets;
mod conditions;
mod deletion;
mod failed;
mod info;
mod listing;
mod multipart;
mod names;
mod order;
mod port;
mod presigned;
mod put;
mod read;
mod record;
mod tags;
mod versions;

use std::time::Duration;

use aws_sdk_s3::{Client, config::timeout::TimeoutConfig};

use crate::Clients;
pub use presigned::{PRESIGNED_WITHIN_MAX, Presigned};

/// How many entries one answer lists at most, which is S3's own limit.
const LIST_MAX: usize = 1_000;

/// How many objects of a listing are looked at at once.
const LOOKS_AT_ONCE: usize = 16;

/// How long one attempt may take, an upload of one part included, and all attempts of a request.
/// To put many parts together takes S3 minutes.
const ATTEMPT_WITHIN: Duration = Duration::from_mins(1);
const OPERATION_WITHIN: Duration = Duration::from_mins(4);

/// The sizes that the adapter keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files of more bytes are uploaded in parts of that many (or more, were they too many parts).
    /// S3 takes parts of 5 MiB and more.
    pub part_bytes: u64,
    /// The largest object that is read into a file: Lambda's `/tmp` is 512 MB unless told otherwise.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part_bytes: 16 * 1024 * 1024,
            // The largest source object (spec 60 §1.1).
            file_bytes: 7 * 1024 * 1024 * 1024,
        }
    }
}

/// Versioned objects in S3.
#[derive(Clone, Debug)]
pub struct Objects {
    client: Client,
    limits: Limits,
    counts_tags: bool,
}

/// One object, or one version of it.
#[derive(Clone, Copy)]
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
}

impl Objects {
    /// A store with the limits that fit a machine with a disk; a function says its own with
    /// [`Objects::within`].
    pub fn new(clients: &Clients) -> Self {
        Self::of(&clients.s3(), !clients.has_own_endpoint())
    }

    /// A store over a client. `counts_tags` says whether the service tells how many tags an object
    /// has not only to `GET` but to `HEAD`, as Amazon's does.
    pub fn of(client: &Client, counts_tags: bool) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_WITHIN)
            .operation_timeout(OPERATION_WITHIN);
        let config = client.config().to_builder();
        let config = config.timeout_config(timeouts.build()).build();
        Self {
            client: Client::from_conf(config),
            limits: Limits::default(),
            counts_tags,
        }
    }

    /// The same store with other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}
