//! What is in a text, whoever wrote it: knows text, not customers.

pub mod competitors;
pub mod due;
pub mod language;
pub mod passage;
pub mod reader;
pub mod rules;
pub mod sentences;
pub mod stretches;
