//! The function as Lambda calls it.
