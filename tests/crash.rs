//! What happens to the real binary when the world is unkind: it is killed, its disk is full, its
//! database is garbage, its builds never end or never stop talking.
//!
//! Broken files, unknown fields, artifact cycles and missing sources are the command line's own
//! tests; hostile archives, timeouts and masking are those of builds.

mod builds;
mod disk;
mod killed;
mod serve;
mod workshop;

pub(crate) use disk::{MOUNT, can_mount, within};
pub(crate) use serve::{check_orphans, say};
