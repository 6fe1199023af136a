//! The one thread that writes indexes: it applies the change log, starts builders and puts what they built in place.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::Result;
use super::build::{self, build};
use super::{Command, Live, Reply};
use crate::domain::WorkspaceId;
use crate::index::check::check;
use crate::index::write::{self, Writer};
use crate::index::{Index, IndexError};
use crate::store::Store;
use crate::store::change::Change;

/// Changes taken into one commit at most.
const BATCH: usize = 2_000;
/// Applying changes takes at most a tenth of the time, unless there are too many for one commit: those that follow each other closely are
/// committed together, a while later, and searches have the machine meanwhile. What comes after some quiet is applied at once.
const REST: u32 = 9;
const LONGEST_REST: Duration = Duration::from_millis(500);
/// After an error, before the next try.
const PAUSE: Duration = Duration::from_secs(1);
/// Writers open at the same time; each has its share of the memory.
const MAX_WRITERS: usize = 4;
/// The least that a writer can do with.
const MIN_MEMORY: usize = 15 * 1024 * 1024;

pub(super) struct Follower {
    live: Live,
    store: Store,
    handle: Handle,
    inbox: mpsc::Receiver<Command>,
    stop: CancellationToken,
    /// Least recently used first.
    writers: Vec<(WorkspaceId, Writer)>,
    /// The last change that each index holds.
    at: HashMap<WorkspaceId, i64>,
    /// To be built, with whoever waits for it.
    queue: VecDeque<(WorkspaceId, Option<Reply<u64>>)>,
    building: Option<(WorkspaceId, Option<Reply<u64>>, JoinHandle<()>)>,
    /// No builder starts before.
    not_before: Instant,
}

impl Follower {
    pub(super) fn new(live: Live, store: Store, handle: Handle, inbox: mpsc::Receiver<Command>, stop: CancellationToken) -> Follower {
        let queue = live.workspaces().into_iter().filter(|w| live.shelf(*w).building.is_some()).map(|w| (w, None)).collect();
        let mut follower =
            Follower { live, store, handle, inbox, stop, writers: Vec::new(), at: HashMap::new(), queue, building: None, not_before: Instant::now() };
        follower.take_positions();
        follower
    }

    pub(super) fn run(mut self) {
        let mut committed = self.store.committed();
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let followed = self.catch_up();
            let rested = Instant::now() + (started.elapsed() * REST).min(LONGEST_REST);
            let has_failed = followed.is_err();
            if let Err((workspace, error)) = followed {
                tracing::error!(%error, "following the change log");
                metrics::counter!("rapport_index_errors_total").increment(1);
                self.recover(workspace);
            }
            // Also, and above all, where an index cannot be followed with.
            self.start_builder();
            let command = self.handle.block_on(async {
                tokio::select! {
                    command = self.inbox.recv() => command,
                    changed = async { tokio::time::sleep_until(rested.into()).await; committed.changed().await } => { if changed.is_err() { self.stop.cancelled().await; } None }
                    // What failed is tried again after a while.
                    () = tokio::time::sleep(PAUSE), if has_failed || !self.queue.is_empty() => None,
                    () = self.stop.cancelled() => None,
                }
            });
            match command {
                Some(Command::Rebuild(workspace, reply)) => self.queue_build(workspace, Some(reply)),
                Some(Command::Damaged(workspace, reason)) => self.damaged(workspace, reason),
                Some(Command::Built(workspace, sequence)) => self.built(workspace, sequence),
                Some(Command::Purge(workspace, reply)) => drop(reply.send(self.purge(workspace).map_err(|e| e.to_string()))),
                None => {}
            }
        }
        for (_, writer) in self.writers.drain(..) {
            if let Err(error) = writer.finish() {
                tracing::error!(%error, "closing a search index");
            }
        }
        // The builder has the same sign to stop.
        if let Some((_, _, builder)) = self.building.take() {
            self.inbox.close();
            let _ = builder.join();
        }
    }

    /// Applies the log up to its end, as it is now.
    fn catch_up(&mut self) -> std::result::Result<(), (Option<WorkspaceId>, super::PipelineError)> {
        while !self.stop.is_cancelled() {
            let after = *self.live.indexed.borrow();
            let (log, sequence) = self.handle.block_on(build::log(&self.store, after, BATCH)).map_err(|e| (None, e))?;
            if sequence == after {
                return Ok(());
            }
            let is_rest = log.len() < BATCH;
            let mut by_workspace: BTreeMap<WorkspaceId, Vec<Change>> = BTreeMap::new();
            for change in log {
                by_workspace.entry(WorkspaceId(change.workspace_id)).or_default().push(change);
            }
            for (workspace, log) in by_workspace {
                // One that is not there is built from the store, with these.
                let shelf = self.live.shelf(workspace);
                if shelf.index.is_some() || shelf.building.is_none() {
                    self.apply(workspace, log).map_err(|e| (Some(workspace), e))?;
                }
            }
            self.live.indexed.send_replace(sequence);
            if is_rest {
                return Ok(());
            }
        }
        Ok(())
    }

    fn apply(&mut self, workspace: WorkspaceId, mut log: Vec<Change>) -> Result<()> {
        let at = self.at.get(&workspace).copied().unwrap_or(0);
        log.retain(|change| change.sequence > at);
        let Some(sequence) = log.last().map(|change| change.sequence) else { return Ok(()) };
        let changes = self.handle.block_on(build::changes(&self.store, workspace, &log))?;
        let index = self.index(workspace)?;
        let started = Instant::now();
        let count = changes.len() as u64;
        let writer = self.writer(workspace, &index)?;
        writer.apply(changes)?;
        writer.commit(sequence)?;
        index.reload()?;
        if log.iter().any(|change| change.what == "erasure") {
            writer.purge(&index)?;
        }
        self.at.insert(workspace, sequence);
        metrics::histogram!("rapport_index_commit_seconds").record(started.elapsed().as_secs_f64());
        metrics::counter!("rapport_index_changes_total").increment(count);
        Ok(())
    }

    /// The index of a workspace, made with its first entry.
    fn index(&self, workspace: WorkspaceId) -> Result<Arc<Index>> {
        if let Some(index) = self.live.shelf(workspace).index {
            return Ok(index);
        }
        let index = Arc::new(Index::create(&write::directory(&self.live.data, workspace))?);
        let shown = index.clone();
        self.live.change(workspace, |shelf| shelf.index = Some(shown));
        Ok(index)
    }

    fn writer(&mut self, workspace: WorkspaceId, index: &Index) -> Result<&mut Writer> {
        if let Some(place) = self.writers.iter().position(|(of, _)| *of == workspace) {
            let writer = self.writers.remove(place);
            self.writers.push(writer);
        } else {
            if self.writers.len() >= MAX_WRITERS {
                let (_, idle) = self.writers.remove(0);
                idle.finish()?;
            }
            let memory = (self.live.memory / MAX_WRITERS).max(MIN_MEMORY);
            self.writers.push((workspace, Writer::new(index, &self.live.store, memory)?));
        }
        Ok(&mut self.writers.last_mut().expect("one was just put there").1)
    }

    fn let_go(&mut self, workspace: WorkspaceId) -> Option<Writer> {
        let place = self.writers.iter().position(|(of, _)| *of == workspace)?;
        Some(self.writers.remove(place).1)
    }

    /// Begins again from what was last committed: of what extent an uncommitted change is, nobody knows.
    fn recover(&mut self, failed: Option<WorkspaceId>) {
        self.writers.clear();
        if let Some(workspace) = failed
            && let Err(reason) = check(&write::directory(&self.live.data, workspace), |_| {})
        {
            self.damaged(workspace, reason);
        }
        self.take_positions();
        match self.handle.block_on(self.live.position(&self.store)) {
            Ok(position) => drop(self.live.indexed.send_replace(position)),
            Err(error) => tracing::error!(%error, "reading how far the indexes are"),
        }
    }

    fn take_positions(&mut self) {
        for workspace in self.live.workspaces() {
            let committed = self.live.shelf(workspace).index.map(|index| index.committed());
            match committed {
                Some(Ok(Some((sequence, _)))) => drop(self.at.insert(workspace, sequence)),
                Some(Err(error)) => self.damaged(workspace, error.to_string()),
                _ => drop(self.at.remove(&workspace)),
            }
        }
    }

    fn damaged(&mut self, workspace: WorkspaceId, reason: String) {
        if self.live.shelf(workspace).building.is_none() {
            tracing::warn!(%reason, "a search index is damaged; building it again");
            metrics::counter!("rapport_index_damaged_total").increment(1);
            self.live.change(workspace, |shelf| shelf.give_up(reason));
            self.queue_build(workspace, None);
        }
    }

    fn queue_build(&mut self, workspace: WorkspaceId, reply: Option<Reply<u64>>) {
        let under_way = self.building.iter().any(|(of, ..)| *of == workspace) || self.queue.iter().any(|(of, _)| *of == workspace);
        match reply {
            Some(reply) if under_way => drop(reply.send(Err("the index is being built already".to_owned()))),
            reply if !under_way => self.queue.push_back((workspace, reply)),
            _ => {}
        }
    }

    /// One builder at a time, so that answering goes on.
    fn start_builder(&mut self) {
        if self.building.is_some() || Instant::now() < self.not_before {
            return;
        }
        let Some((workspace, reply)) = self.queue.pop_front() else { return };
        let (live, store, handle, stop) = (self.live.clone(), self.store.clone(), self.handle.clone(), self.stop.clone());
        let builder = std::thread::Builder::new().name("index builder".to_owned()).spawn(move || {
            let built = build(&handle, &live.data, &store, &live.store, workspace, live.memory.max(MIN_MEMORY), &stop);
            let _ = live.commands.blocking_send(Command::Built(workspace, build::outcome(built)));
        });
        match builder {
            Ok(builder) => self.building = Some((workspace, reply, builder)),
            Err(error) => {
                tracing::error!(%error, "starting an index builder");
                self.not_before = Instant::now() + PAUSE;
                self.queue.push_back((workspace, reply));
            }
        }
    }

    fn built(&mut self, workspace: WorkspaceId, sequence: std::result::Result<i64, String>) {
        let Some((_, reply, builder)) = self.building.take() else { return };
        let _ = builder.join();
        match sequence.and_then(|sequence| self.adopt(workspace, sequence).map_err(|e| e.to_string())) {
            Ok(entries) => {
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(entries));
                }
            }
            Err(error) => {
                tracing::error!(%error, "building a search index");
                metrics::counter!("rapport_index_errors_total").increment(1);
                self.not_before = Instant::now() + PAUSE;
                match reply {
                    // Whoever asked decides whether to ask again; what is damaged is built until it is whole.
                    Some(reply) if self.live.shelf(workspace).building.is_none() => drop(reply.send(Err(error))),
                    reply => self.queue.push_back((workspace, reply)),
                }
            }
        }
    }

    /// Brings a new index up to date and puts it in the place of the old one.
    fn adopt(&mut self, workspace: WorkspaceId, mut sequence: i64) -> Result<u64> {
        let path: PathBuf = write::building(&self.live.data, workspace);
        let seen = *self.live.indexed.borrow();
        let index = Index::open(&path)?;
        let mut writer = Writer::new(&index, &self.live.store, self.live.memory.max(MIN_MEMORY))?;
        loop {
            let mut log = self.handle.block_on(build::log_of(&self.store, workspace, sequence, BATCH))?;
            // What comes after is applied with everybody's.
            log.retain(|change| change.sequence <= seen);
            let Some(last) = log.last().map(|change| change.sequence) else { break };
            let changes = self.handle.block_on(build::changes(&self.store, workspace, &log))?;
            writer.apply(changes)?;
            writer.commit(last)?;
            sequence = last;
        }
        // Whoever was erased while it was built is in none of its files either.
        writer.purge(&index)?;
        writer.finish()?;
        drop(index);
        // The old writer is let go first: it would write into files about to be replaced.
        if let Some(old) = self.let_go(workspace) {
            let _ = old.finish();
        }
        write::put_in_place(&self.live.data, workspace).map_err(super::PipelineError::from)?;
        let index = Arc::new(Index::open(&write::directory(&self.live.data, workspace))?);
        let entries = index.len();
        self.at.insert(workspace, sequence);
        self.live.change(workspace, |shelf| *shelf = super::Shelf { index: Some(index), building: None });
        Ok(entries)
    }

    fn purge(&mut self, workspace: WorkspaceId) -> std::result::Result<(), super::PipelineError> {
        let shelf = self.live.shelf(workspace);
        let under_way = self.building.iter().any(|(of, ..)| *of == workspace) || self.queue.iter().any(|(of, _)| *of == workspace);
        if let Some(reason) = shelf.building.or(under_way.then(|| "it was asked for".to_owned())) {
            // The new one will not hold them.
            return Err(IndexError::Building(reason).into());
        }
        let Some(index) = shelf.index else { return Ok(()) };
        let purged = self.writer(workspace, &index).and_then(|writer| Ok(writer.purge(&index)?));
        if purged.is_err() {
            drop(self.let_go(workspace));
        }
        purged
    }
}
