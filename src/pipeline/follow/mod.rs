//! The indexes follow the change log: what was committed is findable within a second. An index is built again from the
//! store when it is missing, damaged, of another version or of another database; the old one answers meanwhile where it
//! can.

mod build;
mod follower;
mod scrub;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{PipelineError, Result};
use crate::domain::WorkspaceId;
use crate::index::check::check;
use crate::index::{Index, IndexError, write};
use crate::store::{Scope, Store, change, entry, identity};

pub use build::documents;
pub use scrub::scrub;

/// The indexes that searches use now, one for each workspace. A rebuilt one takes its place without a gap.
#[derive(Debug, Clone)]
pub struct Live {
    shelves: Arc<RwLock<HashMap<WorkspaceId, Shelf>>>,
    data: PathBuf,
    memory: usize,
    /// The database that the indexes are made from.
    store: String,
    indexed: watch::Sender<i64>,
    commands: mpsc::Sender<Command>,
    /// Taken by the follower when it starts.
    inbox: Arc<std::sync::Mutex<Option<mpsc::Receiver<Command>>>>,
}

/// What there is of one workspace's index.
#[derive(Debug, Clone, Default)]
struct Shelf {
    index: Option<Arc<Index>>,
    /// Why it is built again, while it is.
    building: Option<String>,
}

impl Shelf {
    /// The index is to be built again; meanwhile it answers, unless it holds nothing, as after a first commit that failed.
    fn give_up(&mut self, reason: String) {
        self.index.take_if(|index| index.is_empty());
        self.building = Some(reason);
    }
}

type Reply<T> = oneshot::Sender<std::result::Result<T, String>>;

#[derive(Debug)]
enum Command {
    /// Build again: because somebody asked, or because it is damaged.
    Rebuild(WorkspaceId, Reply<u64>),
    Damaged(WorkspaceId, String),
    /// From the builder: the sequence number that the new index covers.
    Built(WorkspaceId, std::result::Result<i64, String>),
    /// Rewrite what still holds words of deleted entries.
    Purge(WorkspaceId, Reply<()>),
}

/// Commands that may wait; beyond it whoever asks is told to come back.
const COMMANDS: usize = 16;

impl Live {
    /// Opens the indexes of a data directory. What cannot be used as it is, is built once the follower runs.
    pub async fn open(data: &Path, store: &Store, memory: usize) -> Result<Live> {
        let mut tx = store.read(Scope::All).await?;
        let id = identity::of(&mut tx).await?;
        let with_entries = entry::workspaces(&mut tx).await?;
        drop(tx);
        let (home, own) = (data.to_owned(), id.clone());
        let shelves = super::blocking(move || {
            write::tidy(&home)?;
            let mut shelves: HashMap<WorkspaceId, Shelf> = HashMap::new();
            for workspace in write::workspaces(&home)? {
                shelves.insert(workspace, shelf(&write::directory(&home, workspace), &own));
            }
            for workspace in with_entries {
                shelves.entry(workspace).or_insert_with(|| Shelf { index: None, building: Some(MISSING.to_owned()) });
            }
            Ok::<_, IndexError>(shelves)
        })
        .await??;
        for shelf in shelves.values() {
            if let Some(reason) = shelf.building.as_ref().filter(|reason| *reason != MISSING) {
                tracing::warn!(%reason, "a search index is built again");
            }
        }
        let live = Live::around(shelves, data, memory, id);
        live.indexed.send_replace(live.position(store).await?);
        Ok(live)
    }

    /// Opens the indexes beside a process that writes them.
    pub fn open_to_read(data: &Path) -> Result<Live> {
        let mut shelves = HashMap::new();
        for workspace in write::workspaces(data).map_err(|_| IndexError::Building(MISSING.to_owned()))? {
            let shelf = match Index::open(&write::directory(data, workspace)) {
                Ok(index) => Shelf { index: Some(Arc::new(index)), building: None },
                Err(error) => Shelf { index: None, building: Some(error.to_string()) },
            };
            shelves.insert(workspace, shelf);
        }
        Ok(Live::around(shelves, data, 0, String::new()))
    }

    fn around(shelves: HashMap<WorkspaceId, Shelf>, data: &Path, memory: usize, store: String) -> Live {
        let (indexed, _) = watch::channel(0);
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let inbox = Arc::new(std::sync::Mutex::new(Some(inbox)));
        Live { shelves: Arc::new(RwLock::new(shelves)), data: data.to_owned(), memory, store, indexed, commands, inbox }
    }

    /// The index of a workspace; none before its first entry.
    ///
    /// # Errors
    /// When it is being built and there is no old one to answer.
    pub fn of(&self, workspace: WorkspaceId) -> Result<Option<Arc<Index>>> {
        match self.shelf(workspace) {
            Shelf { index: None, building: Some(reason) } => Err(IndexError::Building(reason).into()),
            Shelf { index, .. } => Ok(index),
        }
    }

    /// Why indexes are built again at the moment.
    pub fn building(&self) -> Vec<String> {
        self.shelves.read().expect(UNPOISONED).values().filter_map(|shelf| shelf.building.clone()).collect()
    }

    /// Whether searches see everything up to `sequence`.
    pub fn is_current(&self, sequence: i64) -> bool {
        *self.indexed.borrow() >= sequence && self.building().is_empty()
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the index of a workspace lies.
    pub fn directory(&self, workspace: WorkspaceId) -> PathBuf {
        write::directory(&self.data, workspace)
    }

    /// Entries that searches see, of all workspaces.
    pub fn len(&self) -> u64 {
        self.shelves.read().expect(UNPOISONED).values().filter_map(|shelf| shelf.index.as_ref()).map(|index| index.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequence number that searches see; wakes whoever waits for a later one.
    pub fn indexed(&self) -> watch::Receiver<i64> {
        self.indexed.subscribe()
    }

    /// Waits until searches see `sequence`, for at most so long; returns what they see.
    pub async fn wait_for(&self, sequence: i64, at_most: Duration) -> i64 {
        let mut indexed = self.indexed.subscribe();
        let _ = tokio::time::timeout(at_most, indexed.wait_for(|seen| *seen >= sequence)).await;
        *self.indexed.borrow()
    }

    /// Builds an index again from the store while the old one goes on answering; returns the number of entries.
    ///
    /// # Errors
    /// When it is being built already, or cannot be.
    pub async fn rebuild(&self, workspace: WorkspaceId) -> Result<u64> {
        self.ask(|reply| Command::Rebuild(workspace, reply)).await
    }

    /// Returns when no file of a workspace's index holds a word of a deleted entry.
    ///
    /// # Errors
    /// When files cannot be rewritten.
    pub async fn purge(&self, workspace: WorkspaceId) -> Result<()> {
        self.ask(|reply| Command::Purge(workspace, reply)).await.map_err(|error| PipelineError::Stopped(error.to_string()))
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let busy = |_| PipelineError::Refused("the index has other work; try again in a moment".to_owned());
        self.commands.try_send(command(reply)).map_err(busy)?;
        let done = answer.await.map_err(|_| PipelineError::Stopped("the index writer".to_owned()))?;
        done.map_err(PipelineError::Refused)
    }

    /// Follows the change log until stopped, on a thread of its own.
    pub fn follow(&self, store: Store, stop: CancellationToken) -> std::io::Result<std::thread::JoinHandle<()>> {
        let live = self.clone();
        let handle = Handle::current();
        std::thread::Builder::new().name("index".to_owned()).spawn(move || {
            let Some(inbox) = live.inbox.lock().ok().and_then(|mut inbox| inbox.take()) else { return };
            follower::Follower::new(live, store, handle, inbox, stop).run();
        })
    }

    fn shelf(&self, workspace: WorkspaceId) -> Shelf {
        self.shelves.read().expect(UNPOISONED).get(&workspace).cloned().unwrap_or_default()
    }

    fn change(&self, workspace: WorkspaceId, change: impl FnOnce(&mut Shelf)) {
        change(self.shelves.write().expect(UNPOISONED).entry(workspace).or_default());
    }

    fn workspaces(&self) -> Vec<WorkspaceId> {
        self.shelves.read().expect(UNPOISONED).keys().copied().collect()
    }

    /// Up to where every index has followed: before the first change that one of them lacks.
    async fn position(&self, store: &Store) -> Result<i64> {
        let mut tx = store.read(Scope::All).await?;
        let mut position = change::last(&mut tx).await?;
        for workspace in self.workspaces() {
            let Some(index) = self.shelf(workspace).index else { continue };
            let Some((sequence, _)) = index.committed()? else { continue };
            if let Some(first) = change::first_of_entries(workspace, &mut tx, sequence).await? {
                position = position.min(first - 1);
            }
        }
        Ok(position)
    }
}

/// Why an index is built for the first time, or after its folder was removed.
const MISSING: &str = "it is not there yet";

const UNPOISONED: &str = "nothing panics while holding this lock";

/// Looks at the index in a folder: every byte is read once before the first answer is given from it.
fn shelf(path: &Path, store: &str) -> Shelf {
    let damage = check(path, |_| {}).err();
    let index = Index::open(path).map_err(|e| e.to_string());
    match (index, damage) {
        (Ok(index), None) => match index.committed() {
            Ok(Some((_, made_from))) if made_from == store => Shelf { index: Some(Arc::new(index)), building: None },
            // Another database's words: not one of them may show.
            _ => Shelf { index: None, building: Some("it was made from another database".to_owned()) },
        },
        // Its hits are loaded from the store, so that what it still finds is right.
        (Ok(index), Some(damage)) if index.committed().is_ok_and(|c| c.is_some_and(|(_, made_from)| made_from == store)) => {
            Shelf { index: Some(Arc::new(index)), building: Some(damage) }
        }
        (Err(reason), None) | (_, Some(reason)) => Shelf { index: None, building: Some(reason) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_without_a_commit_does_not_answer_while_it_is_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::create(&folder.path().join("index")).unwrap();
        let shelf = Shelf { index: Some(Arc::new(index)), building: None };
        let live = Live::around(HashMap::from([(WorkspaceId(1), shelf)]), folder.path(), 0, String::new());
        assert!(live.of(WorkspaceId(1)).unwrap().is_some());
        live.change(WorkspaceId(1), |shelf| shelf.give_up("the disk is full".to_owned()));
        assert_eq!(live.of(WorkspaceId(1)).unwrap_err().to_string(), IndexError::Building("the disk is full".to_owned()).to_string());
    }
}
