//! What is in a text, whoever wrote it: knows text, not customers.

pub mod due;
pub mod language;
pub mod sentences;
