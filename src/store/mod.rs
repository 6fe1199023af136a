//! The truth: SQLite by default, PostgreSQL by the same SQL. One file per table; the only home of sqlx.
//!
//! Every function takes the workspace first and a transaction second, so that the caller decides what belongs
//! together. Reads run on a snapshot; writes queue for one writer that commits many callers' work at once.

mod database;
mod writer;

pub mod account;
pub mod attachment;
pub mod calendar;
pub mod change;
pub mod entry;
pub mod job;
pub mod mail;
pub mod party;
pub mod record;
pub mod repeat;
pub mod summary;
pub mod thread;
pub mod unmatched;
pub mod workspace;

pub use database::{Open, Store, Tx};

use thiserror::Error;

/// What can go wrong underneath. Callers decide what a reader is told.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migrating the database: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("{0}")]
    Refused(String),
    #[error("stored {what} cannot be read: {reason}")]
    Corrupt { what: &'static str, reason: String },
    #[error("the store is shutting down")]
    Closed,
    #[error("too many writes are waiting")]
    Busy,
    #[error("the work of a transaction failed unexpectedly")]
    Panicked,
    #[error("the disk of the data directory is full")]
    DiskFull,
}

pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// Reads JSON that this program wrote itself.
    pub(crate) fn corrupt(what: &'static str, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { what, reason: reason.to_string() }
    }
}

/// Microseconds since 1970, the form in which times are stored.
pub(crate) fn micros(time: jiff::Timestamp) -> i64 {
    time.as_microsecond()
}

pub(crate) fn time(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
