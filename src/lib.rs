//! Rapport: the insight service behind a Customer 360 page.
//!
//! This table of contents is the dependency rule: a module may name only modules declared above it
//! (`tests/tidy.rs` checks). Mail comes in, is kept, is made findable, is read, becomes meaning for a
//! customer, and is served.

/// Every setting: its meaning, default and variable.
pub mod config;

/// The nouns: account, contact, deal, entry, span, summary. No I/O.
#[macro_use]
pub mod domain;

/// Bytes to domain values: mail, replies, records, and whose customer it is. Pure.
pub mod ingest;

/// The truth: SQL, one file per table, and the jobs.
pub mod store;

/// What makes it findable. Derived from the store; may be deleted at any time.
pub mod index;

/// What is in a text, whoever wrote it.
pub mod analyse;

/// Readings and records become meaning for a customer. Values in, values out.
pub mod insights;

/// The only place that knows the order of the stages.
pub mod pipeline;

/// HTTP.
pub mod serve;
