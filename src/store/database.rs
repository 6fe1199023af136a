//! Opening the database, and transactions on either driver.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Postgres, Sqlite, Transaction};
use tokio::sync::watch;

use super::entry::Tally;
use super::writer::Writer;
use super::{Result, StoreError};

/// Readers of one process; SQLite reads take microseconds, more would only contend for the page cache.
const READERS: u32 = 6;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages kept per connection, in KiB; the memory bound of the store is (readers + writer) times this.
const CACHE_KIB: &str = "-8192";

/// How a database is opened.
#[derive(Debug, Clone)]
pub enum Open {
    /// This process writes; the file is created and migrated when needed.
    Write(PathBuf),
    /// Another process writes.
    Read(PathBuf),
    /// A PostgreSQL server, shared with other processes.
    Postgres(String),
}

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Pool,
    writer: Option<Writer>,
    committed: watch::Receiver<i64>,
}

#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Pg(PgPool),
}

/// A transaction on either driver. Dropped without [`Tx::commit`], it changes nothing.
pub struct Tx {
    pub(super) inner: Inner,
    /// The last sequence number handed out inside, 0 when none was.
    pub(super) sequence: i64,
    /// Entries that came and went, counted once at the end of each caller's work.
    pub(super) tally: Tally,
}

pub(super) enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

/// Runs one expression on the transaction's connection, typed once for each driver: `$1` works in both.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match &mut $tx.inner {
            $crate::store::database::Inner::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::store::database::Inner::Pg(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}
pub(super) use on;

impl Store {
    /// Opens the database, creating and migrating it when this process writes.
    ///
    /// # Errors
    /// When the file is missing (reading), unreadable, from a newer version, or the disk refuses.
    pub async fn open(how: Open) -> Result<Store> {
        match how {
            Open::Write(path) => Store::open_sqlite(&path).await,
            Open::Read(path) => {
                let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(sqlite(&path).read_only(true)).await?;
                let (_, committed) = watch::channel(0);
                Ok(Store { readers: Pool::Sqlite(readers), writer: None, committed })
            }
            Open::Postgres(url) => {
                let pool = PgPoolOptions::new().max_connections(READERS * 2).connect(&url).await?;
                sqlx::migrate!("migrations/postgres").run(&pool).await?;
                Store::with_writer(Pool::Pg(pool.clone()), Pool::Pg(pool)).await
            }
        }
    }

    async fn open_sqlite(path: &Path) -> Result<Store> {
        let options = sqlite(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was acknowledged survives a power cut; many callers share each sync (see `writer`).
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "2000")
            .pragma("journal_size_limit", "67108864");
        let one = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&one).await.map_err(newer_version)?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Store::with_writer(Pool::Sqlite(readers), Pool::Sqlite(one)).await
    }

    async fn with_writer(readers: Pool, writers: Pool) -> Result<Store> {
        let mut tx = writers.begin_read().await?;
        let last: (Option<i64>,) = on!(tx, c => sqlx::query_as("SELECT max(sequence) FROM change").fetch_one(c).await?);
        drop(tx);
        let (announce, committed) = watch::channel(last.0.unwrap_or(0));
        let writer = Writer::start(writers, announce);
        Ok(Store { readers, writer: Some(writer), committed })
    }

    /// A snapshot to read from.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn read(&self) -> Result<Tx> {
        self.readers.begin_read().await
    }

    /// Runs `work` in a transaction and returns once it is durable. An error of `work` undoes it alone.
    ///
    /// # Errors
    /// That of `work`, or of the commit. After a failed commit the work may still have reached the disk:
    /// doing it again must be safe.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let writer = self.writer.as_ref().ok_or_else(|| StoreError::Refused("this process only reads the store".to_owned()))?;
        writer.run(work).await
    }

    /// The sequence number of the last change known to be durable; wakes whoever waits for the next.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    /// Waits for writes under way and closes every connection.
    pub async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        match &self.readers {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Pg(pool) => pool.close().await,
        }
    }
}

impl Pool {
    pub(super) async fn begin_read(&self) -> Result<Tx> {
        let inner = match self {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin().await?),
            Pool::Pg(pool) => Inner::Pg(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?),
        };
        Ok(Tx { inner, sequence: 0, tally: Tally::default() })
    }

    pub(super) async fn begin_write(&self) -> Result<Tx> {
        let inner = match self {
            // Taken at once: a transaction that first reads and then writes could otherwise fail half-way.
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Pg(pool) => Inner::Pg(pool.begin().await?),
        };
        Ok(Tx { inner, sequence: 0, tally: Tally::default() })
    }

    pub(super) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Pg(pool) => pool.close().await,
        }
    }

    /// A fresh pool in place of one whose connection may be in an unknown state.
    pub(super) async fn renewed(self) -> Pool {
        match self {
            Pool::Sqlite(pool) => {
                let options = (*pool.connect_options()).clone();
                pool.close().await;
                Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options))
            }
            pg @ Pool::Pg(_) => pg,
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self, Pool::Sqlite(_))
    }
}

impl Tx {
    pub(super) async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await.map_err(disk),
            Inner::Pg(tx) => tx.commit().await.map_err(StoreError::from),
        }
    }
}

fn sqlite(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", CACHE_KIB)
        // Deleted text is overwritten, not only unlinked.
        .pragma("secure_delete", "ON")
        .pragma("mmap_size", "268435456")
        .statement_cache_capacity(300)
}

/// SQLite's "disk full" has a status and a sentence of its own.
pub(super) fn disk(error: sqlx::Error) -> StoreError {
    let full = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "13");
    if full { StoreError::DiskFull } else { StoreError::Database(error) }
}

fn newer_version(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => StoreError::Refused(format!(
            "the data directory was written by a newer rapport (database version {version}); use that version or another --data directory"
        )),
        other => other.into(),
    }
}
