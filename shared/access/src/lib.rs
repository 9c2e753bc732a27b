//! Who may: whose request it is, and what they are allowed.
//!
//! * [`sigv4`] proves that a request was signed with a secret that Pipewright gave out, and is as it
//!   was when it was signed.
//! * [`policy`] decides what the holder of a key may do.

pub mod policy;
pub mod sigv4;
