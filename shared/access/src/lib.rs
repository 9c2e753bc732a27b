//! Who may: whose request it is, and what they are allowed.
//!
//! * [`sigv4`] proves that a request was signed with a secret that Pipewright gave out, and is as it
//!   was when it was signed.
//! * [`keys`] says whose secret that is; an [`Authenticator`] asks both.
//! * [`link`] lets whoever was sent an approval link answer it.
//! * [`policy`] decides what the holder of a key may do.
//! * [`Caller`] is what the operations are handed: an identity with its rights.

mod authenticate;
mod caller;
pub mod keys;
pub mod link;
pub mod policy;
pub mod sigv4;

pub use authenticate::{AuthenticationError, Authenticator};
pub use caller::Caller;
