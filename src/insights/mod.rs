//! Readings and records become meaning for a customer. Values in, values out: no clock, no database.

pub mod sentiment;
pub mod summary;
