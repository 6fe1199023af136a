//! Making a summary: everything of an account is read from one snapshot, written by the engine, and kept as a version.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::once::{self, Once};
use super::triggers::{self, Refresh};
use super::{PipelineError, Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::domain::record::{Account, Kind};
use crate::domain::summary::{Cause, Summary, Trigger};
use crate::insights::summary::{self as insight, Communication, Input, MODEL};
use crate::store::change::{self, Action, NewChange};
use crate::store::job::{self, Held, When};
use crate::store::{StoreError, Tx, account, entry, record, summary};

/// What became of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// A new version.
    Version(i64),
    /// The input is the one of this version.
    Unchanged(i64),
}

/// What came of asking for a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// The job that makes it.
    Job(i64),
    /// The version that it would not change.
    Unchanged(i64),
}

/// Asks for a refresh by hand.
///
/// # Errors
/// When the account is unknown.
pub async fn ask(service: &Service, workspace: WorkspaceId, account_id: &str, force: bool, once: Option<Once>) -> Result<Asked> {
    if let Some(done) = once::done(service, workspace, once.as_ref()).await? {
        return Ok(done);
    }
    let mut tx = service.store.read(workspace).await?;
    known(workspace, &mut tx, account_id).await?;
    let hash = input_hash(workspace, &mut tx, account_id).await?;
    let latest = summary::latest(workspace, &mut tx, account_id, None).await?;
    drop(tx);
    if let Some(latest) = latest.filter(|latest| !force && latest.input_hash == hash) {
        return Ok(Asked::Unchanged(latest.version));
    }
    let (account_id, now) = (account_id.to_owned(), service.clock.now());
    let job = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let cause = Cause { trigger: Trigger::Manual, entry_id: None, detail: None };
            Ok(Ok(Asked::Job(triggers::ask(workspace, tx, &account_id, cause, force, When::NOW, now).await?)))
        })
    });
    job.await
}

async fn known(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<account::Row> {
    account::find(workspace, tx, account_id).await?.ok_or_else(|| PipelineError::NotFound(format!("account {account_id:?}")))
}

/// Refreshes now. An account that is not known (yet) has nothing to refresh.
///
/// # Errors
/// When the store fails or stored data cannot be read.
pub async fn run(service: &Service, workspace: WorkspaceId, account_id: &str, wanted: Refresh, held: Option<Held>) -> Result<Option<Refreshed>> {
    let mut tx = service.store.read(workspace).await?;
    let sequence = change::last(&mut tx).await?;
    let hash = input_hash(workspace, &mut tx, account_id).await?;
    let latest = summary::latest(workspace, &mut tx, account_id, None).await?;
    let account: Option<Account> = record::get(workspace, &mut tx, Kind::Account, account_id).await?;
    let unchanged = latest.filter(|latest| !wanted.force && latest.input_hash == hash).map(|latest| latest.version);
    let (Some(account), None) = (account, unchanged) else {
        drop(tx);
        if let Some(held) = held {
            service.store.write(workspace, move |tx| Box::pin(async move { job::finish(tx, held).await })).await?;
        }
        return Ok(unchanged.map(Refreshed::Unchanged));
    };
    let input = read(workspace, &mut tx, account, service.clock.now()).await?;
    drop(tx);
    let started = std::time::Instant::now();
    let draft = blocking(move || insight::write(&input)).await?;
    metrics::histogram!("rapport_summary_seconds").record(started.elapsed().as_secs_f64());
    let (account_id, now) = (account_id.to_owned(), service.clock.now());
    let version = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            if change::erased_after(workspace, tx, sequence).await? {
                return Err(StoreError::Overtaken);
            }
            let version = summary::insert(workspace, tx, &account_id, &wanted.cause, &draft, &hash, sequence, now).await?;
            let id = version.to_string();
            let change = NewChange { what: "summary", id: &id, number: None, account_id: Some(&account_id), action: Action::Added };
            change::append(workspace, tx, change, now).await?;
            if let Some(held) = held {
                job::finish(tx, held).await?;
            }
            Ok(version)
        })
    });
    Ok(Some(Refreshed::Version(version.await?)))
}

/// A hash over everything a summary is made from, and the method.
async fn input_hash(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(MODEL);
    for (id, content) in record::hashes(workspace, tx, account_id).await? {
        hash.update(format!("{id}\0{content}\0"));
    }
    // The sequence number tells when an entry changed its side or type without new words.
    for (id, content, sequence) in entry::hashes(workspace, tx, account_id).await? {
        hash.update(format!("{id}\0{content}\0{sequence}\0"));
    }
    Ok(hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn read(workspace: WorkspaceId, tx: &mut Tx, account: Account, now: jiff::Timestamp) -> Result<Input> {
    let id = account.id.clone();
    let mut communications = entry::communications(workspace, tx, &id).await?;
    // A meeting to come is not a contact yet.
    communications.retain(|s| s.entry.occurred_at <= now);
    let changes = entry::Filter { types: vec![EntryType::DealStageChange], ..entry::Filter::default() };
    let mut stage_changes: Vec<_> = entry::timeline(workspace, tx, &id, &changes, None, 1_000).await?.into_iter().map(|s| s.entry).collect();
    stage_changes.reverse();
    let team = record::list(workspace, tx, Kind::TeamMember, None, None, None, 1_000).await?.0;
    Ok(Input {
        contacts: record::of_account(workspace, tx, Kind::Contact, &id).await?,
        team: team.iter().map(record::Stored::read).collect::<std::result::Result<_, _>>()?,
        deals: record::of_account(workspace, tx, Kind::Deal, &id).await?,
        tickets: record::of_account(workspace, tx, Kind::Ticket, &id).await?,
        tasks: record::of_account(workspace, tx, Kind::Task, &id).await?,
        communications: communications.into_iter().map(|s| Communication { entry: s.entry, spans: s.spans }).collect(),
        stage_changes,
        account,
    })
}

/// The newest summary as it is served, or the one that was newest at a time.
///
/// # Errors
/// When the account is unknown, or has no summary yet.
pub async fn shown(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, as_of: Option<jiff::Timestamp>) -> Result<Summary> {
    known(workspace, tx, account_id).await?;
    let Some(stored) = summary::latest(workspace, tx, account_id, as_of).await? else {
        return Err(PipelineError::NotFound(format!("a summary of account {account_id:?}")));
    };
    let newer_entries = entry::changed_after(workspace, tx, account_id, stored.sequence).await?.unsigned_abs();
    let stale = newer_entries > 0 || change::any_after(workspace, tx, account_id, stored.sequence).await?;
    Ok(assemble(account_id, stored, newer_entries, stale))
}

/// A stored version in the contract's form.
pub fn assemble(account_id: &str, stored: summary::Stored, newer_entries: u64, stale: bool) -> Summary {
    let draft = stored.draft;
    Summary {
        account_id: account_id.to_owned(),
        version: stored.version,
        generated_at: stored.generated_at,
        language: draft.language,
        stale,
        newer_entries,
        refreshed_because: stored.cause,
        engine: draft.engine,
        coverage: draft.coverage,
        dropped_sentences: draft.dropped_sentences,
        text: draft.paragraphs.iter().map(crate::domain::summary::Paragraph::text).collect::<Vec<_>>().join("\n\n"),
        paragraphs: draft.paragraphs,
    }
}
