//! From the store to documents: those of changed entries, or all of a workspace.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::super::{PipelineError, Result};
use crate::domain::WorkspaceId;
use crate::index::document::Document;
use crate::index::write::{self, Change, Writer};
use crate::index::{Index, IndexError};
use crate::store::change::Change as Logged;
use crate::store::{Scope, Store, Tx, account, attachment, change, entry, reading};

/// Entries read at once.
const PAGE: i64 = 500;

/// What has to happen to an index so that it holds the present state of the entries in a piece of the log.
pub(super) async fn changes(store: &Store, workspace: WorkspaceId, log: &[Logged]) -> Result<Vec<Change>> {
    // Several changes of one entry are one: its present state. What was added here is not in the index yet.
    let mut numbers: BTreeMap<i64, bool> = BTreeMap::new();
    for change in log.iter().filter(|change| change.what != "erasure") {
        *numbers.entry(change.number.unwrap_or(change.sequence)).or_default() |= change.number.is_none();
    }
    let wanted: Vec<i64> = numbers.keys().copied().collect();
    let mut changes = Vec::with_capacity(numbers.len());
    let mut tx = store.read(workspace).await?;
    for some in wanted.chunks(500) {
        let stored = entry::by_numbers(workspace, &mut tx, some).await?;
        let mut found: HashMap<i64, Document> =
            documents(workspace, &mut tx, &stored).await?.into_iter().map(|d| (d.number.cast_signed(), d)).collect();
        for number in some {
            let is_new = numbers[number];
            match found.remove(number) {
                Some(document) if is_new => changes.push(Change::Add(Box::new(document))),
                Some(document) => changes.push(Change::Replace(Box::new(document))),
                None if is_new => {}
                None => changes.push(Change::Delete(*number)),
            }
        }
    }
    Ok(changes)
}

/// The documents of entries, with the words of their attachments.
///
/// # Errors
/// When the store cannot be read.
pub async fn documents(workspace: WorkspaceId, tx: &mut Tx, stored: &[entry::Stored]) -> Result<Vec<Document>> {
    let with_files: Vec<i64> = stored.iter().filter(|s| !s.entry.attachments.is_empty()).map(|s| s.number).collect();
    let files = attachment::of(workspace, tx, &with_files).await?;
    let numbers: Vec<i64> = stored.iter().map(|s| s.number).collect();
    let readings = reading::of(workspace, tx, &numbers).await?;
    let mut accounts: HashMap<Option<&str>, i64> = HashMap::new();
    let mut documents = Vec::with_capacity(stored.len());
    for stored in stored {
        let account_id = stored.entry.account_id.as_deref();
        let account = match accounts.get(&account_id) {
            Some(account) => *account,
            None => {
                let account = account::number_of(workspace, tx, account_id.unwrap_or_default()).await?;
                *accounts.entry(account_id).or_insert(account)
            }
        };
        let files = files.get(&stored.number).map_or(&[] as &[_], Vec::as_slice);
        documents.push(Document::of(stored.number, account, &stored.entry, &stored.spans, files, readings.get(&stored.number)));
    }
    Ok(documents)
}

/// Builds a workspace's index from one snapshot of the store, beside the old one; returns the sequence number it covers.
pub(super) fn build(
    handle: &Handle,
    data: &Path,
    store: &Store,
    id: &str,
    workspace: WorkspaceId,
    memory: usize,
    stop: &CancellationToken,
) -> Result<i64> {
    let index = Index::create(&write::building(data, workspace))?;
    let mut writer = Writer::new(&index, id, memory)?;
    let sequence = handle.block_on(async {
        let mut tx = store.read(workspace).await?;
        let sequence = change::last_of(workspace, &mut tx).await?;
        let mut after = 0;
        loop {
            let page = entry::after_number(workspace, &mut tx, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            let documents = documents(workspace, &mut tx, &page).await?;
            writer.apply(documents.into_iter().map(|document| Change::Add(Box::new(document))).collect())?;
            if stop.is_cancelled() {
                return Err(PipelineError::Stopped("the index builder".to_owned()));
            }
        }
        writer.commit(sequence)?;
        Ok::<_, PipelineError>(sequence)
    })?;
    writer.finish()?;
    Ok(sequence)
}

/// The next changes of a workspace's entries.
pub(super) async fn log_of(store: &Store, workspace: WorkspaceId, after: i64, limit: usize) -> Result<Vec<Logged>> {
    let mut tx = store.read(workspace).await?;
    Ok(change::of_entries(workspace, &mut tx, after, limit as i64).await?)
}

/// The next changes of entries in all workspaces, and the sequence number that they reach; the last one of all when
/// those are all.
pub(super) async fn log(store: &Store, after: i64, limit: usize) -> Result<(Vec<Logged>, i64)> {
    let mut tx = store.read(Scope::All).await?;
    let log = change::entries_after(&mut tx, after, limit as i64).await?;
    let sequence = match log.last() {
        Some(last) if log.len() == limit => last.sequence,
        _ => change::last(&mut tx).await?.max(after),
    };
    Ok((log, sequence))
}

/// What a builder thread says when it is done.
pub(super) fn outcome(built: Result<i64>) -> std::result::Result<i64, String> {
    built.map_err(|error| match error {
        PipelineError::Index(IndexError::Engine(error)) => error.to_string(),
        error => error.to_string(),
    })
}
