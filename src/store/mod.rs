//! The truth: SQLite by default, PostgreSQL by the same SQL. One file per table; the only home of sqlx.
//!
//! Every function takes the workspace first and a transaction second, so that the caller decides what belongs
//! together. Reads run on a snapshot; writes queue for one writer that commits many callers' work at once.

mod among;
mod database;
mod writer;

pub mod account;
pub mod attachment;
pub mod audit;
pub mod backup;
pub mod calendar;
pub mod change;
pub mod entry;
pub mod erasure;
pub mod idempotency;
pub mod identity;
pub mod integrity;
pub mod job;
pub mod key;
pub mod mail;
pub mod party;
pub mod reading;
pub mod record;
pub mod repeat;
pub mod summary;
pub mod thread;
pub mod unmatched;
pub mod workspace;

pub use database::{Location, Open, Scope, Store, Tx};

use thiserror::Error;

/// What can go wrong underneath. Callers decide what a reader is told.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(sqlx::Error),
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
    #[error("the disk of the data directory is full; nothing was stored, and writing works again once there is space")]
    DiskFull,
    #[error("the disk of the data directory reports faults ({0}); what was being stored may be missing, and it is safe to send it again")]
    DiskFault(String),
    #[error("the data directory cannot be written to ({0}); reading goes on, and writing works again once it can")]
    ReadOnly(String),
    #[error("the database file is damaged ({0}); `rapport restore` puts a backup in its place")]
    Damaged(String),
    #[error("the database does not answer ({0}); it is safe to send this again")]
    Unreachable(String),
    #[error("the commit failed; it is safe to send this again")]
    Uncommitted,
    #[error("what this rests on has changed meanwhile; it is read again")]
    Overtaken,
    #[error("another worker has taken this job over")]
    TakenOver,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, WorkerCrashed};
        if let Some(database) = error.as_database_error() {
            let (code, message) = (database.code().unwrap_or_default(), database.message().to_owned());
            if database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                return match &*code {
                    "53100" => StoreError::DiskFull,
                    // Somebody held the writer's lock for long, or two transactions could not go together.
                    "55P03" | "40001" | "40P01" => StoreError::Busy,
                    "25006" => StoreError::ReadOnly(message),
                    "58030" => StoreError::DiskFault(message),
                    code if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => StoreError::Unreachable(message),
                    _ => StoreError::Database(error),
                };
            }
            // The low byte of SQLite's code is the kind of fault, the rest says where.
            return match code.parse::<i32>().map(|code| code & 0xff) {
                Ok(13) => StoreError::DiskFull,
                Ok(5 | 6) => StoreError::Busy,
                Ok(8) => StoreError::ReadOnly(message),
                Ok(10) => StoreError::DiskFault(message),
                Ok(11 | 26) => StoreError::Damaged(message),
                _ => StoreError::Database(error),
            };
        }
        match error {
            Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed => StoreError::Unreachable(error.to_string()),
            error => StoreError::Database(error),
        }
    }
}

pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// What each caller is told whose work was in a commit that failed.
    fn again(&self) -> StoreError {
        match self {
            StoreError::DiskFull => StoreError::DiskFull,
            StoreError::DiskFault(what) => StoreError::DiskFault(what.clone()),
            StoreError::ReadOnly(what) => StoreError::ReadOnly(what.clone()),
            StoreError::Damaged(what) => StoreError::Damaged(what.clone()),
            StoreError::Unreachable(what) => StoreError::Unreachable(what.clone()),
            _ => StoreError::Uncommitted,
        }
    }

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
