//! table
pub struct Table;
