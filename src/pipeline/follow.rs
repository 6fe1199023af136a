//! The index follows the change log: what was committed is findable within a second. It is built again from the store
//! when it is missing, damaged, or of another version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{PipelineError, Result};
use crate::domain::WorkspaceId;
use crate::index::document::Document;
use crate::index::write::{self, Change, Writer};
use crate::index::{Index, IndexError};
use crate::store::{Scope, Store, account, attachment, change, entry};

/// Changes taken into one commit at most.
const BATCH: i64 = 2_000;
/// After an error, before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// The index that searches use now. A rebuilt one takes its place without a gap.
#[derive(Debug, Clone)]
pub struct Live {
    current: Arc<RwLock<Arc<Index>>>,
    data: PathBuf,
    memory: usize,
    indexed: watch::Sender<i64>,
    commands: mpsc::Sender<Command>,
    /// Taken by the follower when it starts.
    inbox: Arc<std::sync::Mutex<Option<mpsc::Receiver<Command>>>>,
}

#[derive(Debug)]
enum Command {
    Rebuild(oneshot::Sender<std::result::Result<u64, String>>),
}

impl Live {
    /// Opens the index of a data directory, building it when it cannot be used as it is.
    pub async fn open(data: &Path, store: &Store, memory: usize) -> Result<Live> {
        let path = write::directory(data);
        write::remove_leftovers(data)?;
        let index = match Index::open(&path).and_then(|index| Ok(index.sequence()?.map(|_| index))) {
            Ok(Some(index)) => index,
            unusable => {
                match unusable {
                    Err(error) if path.exists() => tracing::warn!(%error, "the search index cannot be used; building it again"),
                    _ => tracing::debug!("no search index yet; building it"),
                }
                let (data, store) = (data.to_owned(), store.clone());
                let handle = Handle::current();
                super::blocking(move || build(&handle, &data, &store, memory)).await??;
                Index::open(&path)?
            }
        };
        Ok(Live::around(index, data, memory)?)
    }

    /// Opens the index beside a process that writes it.
    pub fn open_to_read(data: &Path) -> Result<Live> {
        let index = Index::open(&write::directory(data))?;
        Ok(Live::around(index, data, 0)?)
    }

    fn around(index: Index, data: &Path, memory: usize) -> std::result::Result<Live, IndexError> {
        let (indexed, _) = watch::channel(index.sequence()?.unwrap_or(0));
        let (commands, inbox) = mpsc::channel(1);
        let inbox = Arc::new(std::sync::Mutex::new(Some(inbox)));
        Ok(Live { current: Arc::new(RwLock::new(Arc::new(index))), data: data.to_owned(), memory, indexed, commands, inbox })
    }

    /// The index to search now.
    pub fn current(&self) -> Arc<Index> {
        self.current.read().expect("nothing panics while holding this lock").clone()
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

    /// Builds the index again from the store while the old one goes on answering; returns the number of entries.
    pub async fn rebuild(&self) -> Result<u64> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(Command::Rebuild(reply)).map_err(|_| PipelineError::Refused("the index is being built already".to_owned()))?;
        let built = answer.await.map_err(|_| PipelineError::Stopped("the index writer".to_owned()))?;
        built.map_err(PipelineError::Stopped)
    }

    /// Follows the change log until stopped, on a thread of its own.
    pub fn follow(&self, store: Store, stop: CancellationToken) -> std::io::Result<std::thread::JoinHandle<()>> {
        let live = self.clone();
        let handle = Handle::current();
        std::thread::Builder::new().name("index".to_owned()).spawn(move || {
            let Some(inbox) = live.inbox.lock().ok().and_then(|mut inbox| inbox.take()) else { return };
            Follower { live, store, handle, inbox, writer: None }.run(&stop);
        })
    }
}

struct Follower {
    live: Live,
    store: Store,
    handle: Handle,
    inbox: mpsc::Receiver<Command>,
    writer: Option<Writer>,
}

impl Follower {
    fn run(mut self, stop: &CancellationToken) {
        let mut committed = self.store.committed();
        while !stop.is_cancelled() {
            if let Err(error) = self.catch_up(stop) {
                tracing::error!(%error, "following the change log");
                metrics::counter!("rapport_index_errors_total").increment(1);
                // The writer's uncommitted changes are of unknown extent: begin again from the last commit.
                self.writer = None;
                if let Ok(Some(sequence)) = self.live.current().sequence() {
                    self.live.indexed.send_replace(sequence);
                }
                std::thread::sleep(PAUSE);
                continue;
            }
            let command = self.handle.block_on(async {
                tokio::select! {
                    command = self.inbox.recv() => command,
                    changed = committed.changed() => { if changed.is_err() { stop.cancelled().await; } None }
                    () = stop.cancelled() => None,
                }
            });
            if let Some(Command::Rebuild(reply)) = command {
                let built = self.rebuild().map_err(|e| e.to_string());
                let _ = reply.send(built);
            }
        }
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finish()
        {
            tracing::error!(%error, "closing the search index");
        }
    }

    fn rebuild(&mut self) -> Result<u64> {
        // The writer is let go first: it would write into files about to be replaced.
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        build(&self.handle, &self.live.data, &self.store, self.live.memory)?;
        let index = Index::open(&write::directory(&self.live.data))?;
        let (sequence, entries) = (index.sequence()?.unwrap_or(0), index.len());
        *self.live.current.write().expect("nothing panics while holding this lock") = Arc::new(index);
        self.live.indexed.send_replace(sequence);
        Ok(entries)
    }

    fn catch_up(&mut self, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            let index = self.live.current();
            let after = *self.live.indexed.borrow();
            let (changes, sequence) = self.handle.block_on(next_changes(&self.store, after))?;
            if sequence == after {
                return Ok(());
            }
            if changes.is_empty() {
                // What changed was no entry: there is nothing to commit, and searches see all there is.
                self.live.indexed.send_replace(sequence);
                continue;
            }
            let writer = match &mut self.writer {
                Some(writer) => writer,
                none => none.insert(Writer::new(&index, self.live.memory)?),
            };
            let started = std::time::Instant::now();
            let count = changes.len();
            writer.apply(changes)?;
            writer.commit(sequence)?;
            index.reload()?;
            self.live.indexed.send_replace(sequence);
            metrics::histogram!("rapport_index_commit_seconds").record(started.elapsed().as_secs_f64());
            metrics::counter!("rapport_index_changes_total").increment(count as u64);
        }
        Ok(())
    }
}

/// The next changes to the index and the sequence number they reach; no changes when it is up to date.
async fn next_changes(store: &Store, after: i64) -> Result<(Vec<Change>, i64)> {
    let mut tx = store.read(Scope::All).await?;
    let log = change::entries_after(&mut tx, after, BATCH).await?;
    let Some(last) = log.last() else { return Ok((Vec::new(), change::last(&mut tx).await?)) };
    let sequence = last.sequence;
    // Several changes of one entry are one: its present state. What was added here is not in the index yet.
    let mut numbers: BTreeMap<(WorkspaceId, i64), bool> = BTreeMap::new();
    for change in &log {
        let number = change.number.unwrap_or(change.sequence);
        *numbers.entry((WorkspaceId(change.workspace_id), number)).or_default() |= change.number.is_none();
    }
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<i64>> = BTreeMap::new();
    for (workspace, number) in numbers.keys() {
        by_workspace.entry(*workspace).or_default().push(*number);
    }
    let mut changes = Vec::with_capacity(numbers.len());
    for (workspace, wanted) in by_workspace {
        let mut found = HashMap::new();
        for some in wanted.chunks(500) {
            found.extend(entry::by_numbers(workspace, &mut tx, some).await?.into_iter().map(|e| (e.number, e)));
        }
        let with_files: Vec<i64> = found.values().filter(|s| !s.entry.attachments.is_empty()).map(|s| s.number).collect();
        let files = attachment::of(workspace, &mut tx, &with_files).await?;
        let mut accounts: HashMap<Option<String>, i64> = HashMap::new();
        for number in wanted {
            let is_new = numbers[&(workspace, number)];
            match found.remove(&number) {
                Some(stored) => {
                    let account_id = stored.entry.account_id.clone();
                    let account = match accounts.get(&account_id) {
                        Some(account) => *account,
                        None => {
                            let account = account::number_of(workspace, &mut tx, account_id.as_deref().unwrap_or_default()).await?;
                            *accounts.entry(account_id).or_insert(account)
                        }
                    };
                    let document = Box::new(Document::of(
                        workspace,
                        number,
                        account,
                        &stored.entry,
                        &stored.spans,
                        files.get(&number).map_or(&[], Vec::as_slice),
                    ));
                    changes.push(if is_new { Change::Add(document) } else { Change::Replace(document) });
                }
                None if is_new => {}
                None => changes.push(Change::Delete(number)),
            }
        }
    }
    Ok((changes, sequence))
}

/// Builds the index from one snapshot of the store, beside the old one, and puts it in its place.
fn build(handle: &Handle, data: &Path, store: &Store, memory: usize) -> Result<()> {
    let index = Index::create(&write::building(data))?;
    let mut writer = Writer::new(&index, memory)?;
    handle.block_on(async {
        let mut tx = store.read(Scope::All).await?;
        let sequence = change::last(&mut tx).await?;
        let accounts: HashMap<(i64, String), i64> =
            account::all_numbers(&mut tx).await?.into_iter().map(|(workspace, id, number)| ((workspace, id), number)).collect();
        let mut after = 0;
        loop {
            let page = entry::after_number(&mut tx, after, 500).await?;
            let Some((_, last)) = page.last() else { break };
            after = last.number;
            let mut files = HashMap::new();
            for workspace in page.iter().map(|(workspace, _)| *workspace).collect::<BTreeSet<_>>() {
                let with_files = page.iter().filter(|(w, s)| *w == workspace && !s.entry.attachments.is_empty());
                files.extend(attachment::of(workspace, &mut tx, &with_files.map(|(_, s)| s.number).collect::<Vec<_>>()).await?);
            }
            let documents = page.iter().map(|(workspace, stored)| {
                let account_id = stored.entry.account_id.clone().unwrap_or_default();
                let account = accounts.get(&(workspace.0, account_id)).copied().unwrap_or(0);
                Change::Add(Box::new(Document::of(
                    *workspace,
                    stored.number,
                    account,
                    &stored.entry,
                    &stored.spans,
                    files.get(&stored.number).map_or(&[], Vec::as_slice),
                )))
            });
            writer.apply(documents.collect())?;
        }
        writer.commit(sequence)?;
        Ok::<_, PipelineError>(())
    })?;
    writer.finish()?;
    drop(index);
    write::put_in_place(data)?;
    Ok(())
}
