//! Opening the database, and transactions on either driver.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Postgres, Sqlite, Transaction};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::entry::Tally;
use super::writer::Writer;
use super::{Result, StoreError};
use crate::domain::{Clock, WorkspaceId};

/// Readers of one process; SQLite reads take microseconds, more would only contend for the page cache.
const READERS: u32 = 6;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(4);
/// Pages kept per connection, in KiB; the memory bound of the store is (readers + writer) times this.
const CACHE_KIB: &str = "-8192";
/// How soon the commits of other processes on one PostgreSQL are noticed.
const LOOK: Duration = Duration::from_millis(150);
/// Held by whoever writes: one writer at a time over all processes, as in SQLite, so that sequence numbers are in commit
/// order and no two writers wait for each other.
const WRITER_LOCK: i64 = 7360;

/// Where the truth is.
#[derive(Clone)]
pub enum Location {
    Sqlite(PathBuf),
    /// A PostgreSQL server that several processes may share, by its URL.
    Postgres(String),
}

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// This process writes; what is missing is created, what is old is migrated.
    Write,
    /// Another process writes.
    Read,
}

/// Whose rows a transaction may touch. PostgreSQL enforces it row by row, whatever a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Workspace(WorkspaceId),
    /// The work of the service itself: keys, jobs, the index.
    All,
}

impl From<WorkspaceId> for Scope {
    fn from(workspace: WorkspaceId) -> Scope {
        Scope::Workspace(workspace)
    }
}

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Pool,
    writer: Option<Writer>,
    committed: watch::Receiver<i64>,
    shared: Option<Arc<Shared>>,
}

/// What a process knows of a database that it shares with others.
#[derive(Debug)]
struct Shared {
    /// Microseconds that the clock of the database is ahead of the machine's.
    ahead: Arc<AtomicI64>,
    /// Whether a backup took the place of what was opened: then nothing that this process knows holds any more.
    replaced: Arc<AtomicBool>,
    /// Ends with the last handle.
    _look: AbortOnDropHandle<()>,
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

impl std::fmt::Debug for Location {
    // The URL holds a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Location::Postgres(_) => f.write_str("Postgres"),
        }
    }
}

impl Store {
    /// Opens the database, creating and migrating it when this process writes.
    ///
    /// # Errors
    /// When the file is missing (reading), unreadable, from a newer version, or the disk or server refuses.
    pub async fn open(location: &Location, how: Open) -> Result<Store> {
        match location {
            Location::Sqlite(path) => Store::open_sqlite(path, how).await,
            Location::Postgres(url) => Store::open_postgres(url, how).await,
        }
    }

    async fn open_sqlite(path: &Path, how: Open) -> Result<Store> {
        let pool = || SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE_TIMEOUT);
        if how == Open::Read {
            let readers = pool().connect_with(sqlite(path).read_only(true)).await?;
            let (_, committed) = watch::channel(0);
            return Ok(Store { readers: Pool::Sqlite(readers), writer: None, committed, shared: None });
        }
        let options = sqlite(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was acknowledged survives a power cut; many callers share each sync (see `writer`).
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "2000")
            .pragma("journal_size_limit", "67108864");
        let one = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&one).await.map_err(newer_version)?;
        let readers = Pool::Sqlite(pool().connect_with(options.read_only(true)).await?);
        let (announce, committed) = watch::channel(readers.last_sequence().await?);
        let writer = Writer::start(Pool::Sqlite(one), announce);
        Ok(Store { readers, writer: Some(writer), committed, shared: None })
    }

    async fn open_postgres(url: &str, how: Open) -> Result<Store> {
        let wrong = |error: sqlx::Error| StoreError::Refused(format!("DATABASE_URL is not understood: {error}"));
        let options = PgConnectOptions::from_str(url).map_err(wrong)?.application_name("rapport").statement_cache_capacity(300).options([
            // A machine that vanished with the writer's lock gives it up within half a minute.
            ("idle_in_transaction_session_timeout", "30s"),
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
        ]);
        let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let one = pool(1).connect_with(options.clone()).await?;
        if how == Open::Write {
            sqlx::migrate!("migrations/postgres").run(&one).await.map_err(newer_version)?;
            let (free,): (bool,) =
                sqlx::query_as("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetch_one(&one).await?;
            if free {
                tracing::warn!(
                    "the role of DATABASE_URL may bypass row security, so that PostgreSQL does not keep workspaces apart by itself; use a role without that right"
                );
            }
        }
        let readers = Pool::Pg(pool(READERS).connect_with(options).await?);
        let (announce, committed) = watch::channel(readers.last_sequence().await?);
        let ahead = Arc::new(AtomicI64::new(0));
        let replaced = Arc::new(AtomicBool::new(false));
        let identity = readers.look(&announce, &ahead).await?;
        let look = tokio::spawn(readers.clone().keep_looking(announce.clone(), ahead.clone(), identity, replaced.clone()));
        let writer = (how == Open::Write).then(|| Writer::start(Pool::Pg(one), announce));
        Ok(Store { readers, writer, committed, shared: Some(Arc::new(Shared { ahead, replaced, _look: AbortOnDropHandle::new(look) })) })
    }

    /// A snapshot to read from.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn read(&self, scope: impl Into<Scope>) -> Result<Tx> {
        self.check_place()?;
        self.readers.begin_read(scope.into()).await
    }

    /// Runs `work` in a transaction and returns once it is durable. An error of `work` undoes it alone.
    ///
    /// # Errors
    /// That of `work`, or of the commit. After a failed commit the work may still have reached the disk:
    /// doing it again must be safe.
    pub async fn write<T, F>(&self, scope: impl Into<Scope>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let writer = self.writer.as_ref().ok_or_else(|| StoreError::Refused("this process only reads the store".to_owned()))?;
        self.check_place()?;
        writer.run(scope.into(), work).await
    }

    /// Takes what was deleted off the disk: SQLite's log is emptied into the file, whose deleted rows are overwritten
    /// already. PostgreSQL frees the rows; its own log and backups follow its settings.
    ///
    /// # Errors
    /// When a reader holds on to an old state for too long.
    pub async fn purge(&self) -> Result<()> {
        match (&self.writer, &self.readers) {
            (Some(writer), Pool::Sqlite(_)) => writer.purge().await,
            // Beside the writer, which goes on.
            (Some(_), readers @ Pool::Pg(_)) => readers.purge().await,
            (None, _) => Err(StoreError::Refused("this process only reads the store".to_owned())),
        }
    }

    /// How the SQLite file is opened to read; none on PostgreSQL.
    pub(super) fn sqlite_options(&self) -> Option<SqliteConnectOptions> {
        match &self.readers {
            Pool::Sqlite(pool) => Some((*pool.connect_options()).clone()),
            Pool::Pg(_) => None,
        }
    }

    /// A transaction of its own that writes and sees everything, beside the writer's queue: to put a backup in place.
    pub(super) async fn begin_alone(&self) -> Result<Tx> {
        let mut tx = self.readers.begin_write().await?;
        tx.begin_work(Scope::All).await?;
        Ok(tx)
    }

    fn check_place(&self) -> Result<()> {
        match &self.shared {
            Some(shared) if shared.replaced.load(Ordering::Relaxed) => {
                Err(StoreError::Unreachable("a backup took its place; start this server again".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The sequence number of the last change known to be durable; wakes whoever waits for the next.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    /// Whether other processes may write to the same database.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The clock that all processes on this database agree on.
    pub fn clock(&self, own: Clock) -> Clock {
        match (&self.shared, own) {
            (Some(shared), Clock::System(_)) => Clock::shared(shared.ahead.clone()),
            (_, own) => own,
        }
    }

    /// Waits for what is under way and closes every connection: the writer's last, since only it can take SQLite's log
    /// into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

impl Pool {
    pub(super) async fn begin_read(&self, scope: Scope) -> Result<Tx> {
        let inner = match self {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin().await?),
            Pool::Pg(pool) => {
                let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", scope.setting());
                Inner::Pg(pool.begin_with(AssertSqlSafe(begin)).await?)
            }
        };
        Ok(Tx { inner, sequence: 0, tally: Tally::default() })
    }

    pub(super) async fn begin_write(&self) -> Result<Tx> {
        let inner = match self {
            // Taken at once: a transaction that first reads and then writes could otherwise fail half-way.
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Pg(pool) => {
                let begin = format!("BEGIN; SET LOCAL lock_timeout = '20s'; SELECT pg_advisory_xact_lock({WRITER_LOCK})");
                Inner::Pg(pool.begin_with(AssertSqlSafe(begin)).await?)
            }
        };
        Ok(Tx { inner, sequence: 0, tally: Tally::default() })
    }

    async fn last_sequence(&self) -> Result<i64> {
        let mut tx = self.begin_read(Scope::All).await?;
        super::change::last(&mut tx).await
    }

    /// Notes how far others have committed, and what time it is there; returns which database it is.
    async fn look(&self, announce: &watch::Sender<i64>, ahead: &AtomicI64) -> Result<String> {
        let Pool::Pg(pool) = self else { return Ok(String::new()) };
        let mut tx = pool.begin_with(AssertSqlSafe(format!("BEGIN READ ONLY; {}", Scope::All.setting()))).await?;
        let (last, now, identity): (Option<i64>, i64, String) = sqlx::query_as(
            "SELECT (SELECT max(sequence) FROM change), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, (SELECT id FROM identity)",
        )
        .fetch_one(&mut *tx)
        .await?;
        ahead.store(now - Clock::system().now().as_microsecond(), Ordering::Relaxed);
        super::writer::announce(announce, last.unwrap_or(0));
        Ok(identity)
    }

    async fn keep_looking(self, announce: watch::Sender<i64>, ahead: Arc<AtomicI64>, identity: String, replaced: Arc<AtomicBool>) {
        let mut failing = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let looked = self.look(&announce, &ahead).await;
            if let Err(error) = &looked
                && !failing
            {
                tracing::error!(%error, "the database does not answer; trying on");
            }
            failing = looked.is_err();
            if looked.is_ok_and(|now| now != identity) {
                tracing::error!("a backup took the place of the database; start this server again");
                replaced.store(true, Ordering::Relaxed);
                return;
            }
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Pg(pool) => pool.close().await,
        }
    }

    /// See [`Store::purge`]; outside of any transaction.
    pub(super) async fn purge(&self) -> Result<()> {
        match self {
            Pool::Sqlite(pool) => {
                let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await?;
                if busy == 0 { Ok(()) } else { Err(StoreError::Busy) }
            }
            Pool::Pg(pool) => {
                let all = "VACUUM entry, participant, mail, mail_reference, thread_link, raw_mail, attachment_text, reading, record, record_version,
                    person_address, calendar_event, summary, change, job, idempotency";
                sqlx::raw_sql(all).execute(pool).await?;
                Ok(())
            }
        }
    }

    /// A fresh pool in place of one whose connection may be in an unknown state.
    pub(super) async fn renewed(self) -> Pool {
        match self {
            Pool::Sqlite(pool) => {
                let options = (*pool.connect_options()).clone();
                pool.close().await;
                Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy_with(options))
            }
            // A broken connection is found and replaced when it is next asked for.
            pg @ Pool::Pg(_) => pg,
        }
    }
}

impl Scope {
    /// What tells PostgreSQL whose rows may be touched until the transaction ends.
    fn setting(self) -> String {
        match self {
            Scope::Workspace(workspace) => format!("SET LOCAL rapport.workspace = '{}'", workspace.0),
            Scope::All => "SET LOCAL rapport.workspace = '*'".to_owned(),
        }
    }
}

impl Tx {
    pub(super) async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Pg(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Marks where one caller's work begins, and whose rows it may touch.
    pub(super) async fn begin_work(&mut self, scope: Scope) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                sqlx::raw_sql("SAVEPOINT work").execute(&mut **tx).await?;
            }
            Inner::Pg(tx) => {
                let begin = format!("SAVEPOINT work; {}", scope.setting());
                sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn keep_work(&mut self) -> Result<()> {
        on!(self, c => sqlx::raw_sql("RELEASE SAVEPOINT work").execute(c).await?.rows_affected());
        Ok(())
    }

    pub(super) async fn undo_work(&mut self) -> Result<()> {
        on!(self, c => sqlx::raw_sql("ROLLBACK TO SAVEPOINT work; RELEASE SAVEPOINT work").execute(c).await?.rows_affected());
        Ok(())
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

/// One connection to an SQLite file of this version, made or migrated when needed.
pub(super) async fn migrated_sqlite(path: &Path) -> Result<SqliteConnection> {
    let mut connection = sqlite(path).create_if_missing(true).connect().await?;
    sqlx::migrate!("migrations/sqlite").run(&mut connection).await.map_err(newer_version)?;
    Ok(connection)
}

fn newer_version(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => StoreError::Refused(format!(
            "the data was written by a newer rapport (database version {version}); use that version, or another --data directory or DATABASE_URL"
        )),
        other => other.into(),
    }
}
