//! S3 passes the contract of every object store; and what only S3 can do.

#[path = "objects/copies.rs"]
mod copies;
#[path = "objects/emulated.rs"]
mod emulated;
#[path = "objects/parts.rs"]
mod parts;
#[path = "objects/presigned.rs"]
mod presigned;
#[path = "objects/refusals.rs"]
mod refusals;

use emulated::Emulated;

ports::object_store_contract!(Emulated::new());
