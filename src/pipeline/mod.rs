//! The order of the stages, and nothing else: what comes in is received, joined to its account, indexed and, when
//! due, summarized.

pub mod answer;
mod apart;
pub mod attachments;
pub mod conversation;
pub mod correct;
pub mod demo;
pub mod erase;
pub mod follow;
pub mod join;
pub mod keys;
pub mod meaning;
pub mod once;
pub mod people;
pub mod profile;
pub mod read;
pub mod receive;
pub mod refresh;
pub mod repeat;
pub mod search;
pub mod sentiment;
mod speakers;
pub mod suggest;
pub mod triggers;
pub mod unmatched;
pub mod verify;
pub mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::Clock;
use crate::index::IndexError;
use crate::store::{Location, Open, Scope, Store, StoreError};

pub use follow::Live;

#[derive(Debug, Error)]
pub enum PipelineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("{0} was not found")]
    NotFound(String),
    /// What was asked for cannot be done now.
    #[error("{0}")]
    Refused(String),
    #[error("the same request is still under way; its answer is there in a moment")]
    StillRunning,
    #[error("this Idempotency-Key was used for another request; a new request needs a new key")]
    OtherRequest,
    /// What is to be edited is not what the editor saw.
    #[error("{0}")]
    Changed(String),
    /// What was sent cannot be taken.
    #[error("{0}")]
    Invalid(String),
    #[error("a task stopped unexpectedly: {0}")]
    Stopped(String),
}

pub type Result<T> = std::result::Result<T, PipelineError>;

/// Everything that the stages need, opened once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub store: Store,
    pub index: Live,
    pub clock: Clock,
    pub config: Arc<Config>,
    pub under_way: once::UnderWay,
    pub reader: read::Local,
    pub meanings: meaning::Meanings,
}

/// The database inside a data directory.
pub fn database(data: &Path) -> PathBuf {
    data.join("rapport.db")
}

/// Where the truth of a data directory is: in it, or on a PostgreSQL server.
pub fn location(data: &Path, config: &Config) -> Location {
    match &config.database {
        Some(url) => Location::Postgres(url.as_str().to_owned()),
        None => Location::Sqlite(database(data)),
    }
}

/// Whether there is anything to read.
pub fn holds_data(data: &Path, config: &Config) -> bool {
    config.database.is_some() || database(data).exists()
}

/// What to say when there is not.
pub fn nothing_yet(workspace: &str, data: &Path) -> String {
    format!("{} holds no data yet of workspace {workspace:?}; `rapport import PATH` or `rapport demo` puts some in", data.display())
}

impl Service {
    fn of(store: Store, index: Live, clock: Clock, config: Config) -> Service {
        Service {
            store,
            index,
            clock,
            config: Arc::new(config),
            under_way: once::UnderWay::default(),
            reader: read::Local::default(),
            meanings: meaning::Meanings::default(),
        }
    }

    /// Opens a data directory to write: creates what is missing, and builds the index again where it must be.
    ///
    /// # Errors
    /// When the directory or what is in it cannot be used; the message says what to do.
    pub async fn open(data: &Path, config: Config, clock: Clock) -> Result<Service> {
        std::fs::create_dir_all(data).map_err(|e| PipelineError::Refused(format!("{}: {e}", data.display())))?;
        let store = Store::open(&location(data, &config), Open::Write).await?;
        let clock = store.clock(clock);
        if !store.is_shared() {
            let now = clock.now();
            store.write(Scope::All, move |tx| Box::pin(async move { crate::store::job::put_back(tx, now).await })).await?;
        }
        let index = Live::open(data, &store, config.index_memory).await?;
        let service = Service::of(store, index, clock, config);
        // Whom a backup brought back: the restore that put it here may have been interrupted.
        erase::apply_ledger(&service, &erase::read_ledger(data)?).await?;
        Ok(service)
    }

    /// Brings the index up to date without going on to follow: for a process that only reads, after one that was killed.
    ///
    /// # Errors
    /// When the index thread cannot be started, or stops before it is done.
    pub async fn catch_up(&self) -> Result<()> {
        let mut tx = self.store.read(Scope::All).await?;
        let last = crate::store::change::last(&mut tx).await?;
        drop(tx);
        if self.index.is_current(last) {
            return Ok(());
        }
        let stop = CancellationToken::new();
        let follower = self.index.follow(self.store.clone(), stop.clone()).map_err(IndexError::from)?;
        while !self.index.is_current(last) && !follower.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
        blocking(move || follower.join()).await?.map_err(|_| PipelineError::Stopped("the index writer".to_owned()))
    }

    /// Opens a data directory that another process may be writing to.
    ///
    /// # Errors
    /// When nothing is there yet.
    pub async fn open_to_read(data: &Path, config: Config, clock: Clock) -> Result<Service> {
        if !holds_data(data, &config) {
            return Err(PipelineError::Refused(format!(
                "{} holds no data yet; `rapport import PATH` or `rapport demo` puts some in",
                data.display()
            )));
        }
        let store = Store::open(&location(data, &config), Open::Read).await?;
        let clock = store.clock(clock);
        let index = Live::open_to_read(data)?;
        Ok(Service::of(store, index, clock, config))
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| PipelineError::Stopped(e.to_string()))
}
