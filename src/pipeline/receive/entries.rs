//! Entries that are sent as records or caused by records: their account is given.

use jiff::Timestamp;

use super::version::{Standing, StoredVersion, standing};
use super::{Outcome, Status};
use crate::analyse::language;
use crate::config::Config;
use crate::domain::entry::{Direction, Entry, EntryType, Side};
use crate::domain::record::Kind;
use crate::domain::span::{Span, SpanKind};
use crate::domain::{Address, WorkspaceId};
use crate::ingest::owner::Rule;
use crate::ingest::reply;
use crate::pipeline::erase::{Erased, Fate};
use crate::pipeline::join::Owned;
use crate::pipeline::triggers::{self, Asked};
use crate::pipeline::{people, repeat};
use crate::store::change::{self, Action, NewChange};
use crate::store::{Result, Tx, entry, party, record, repeat as said};

pub(super) async fn take_entry(
    workspace: WorkspaceId,
    tx: &mut Tx,
    sent: &Entry,
    updated_at: Option<Timestamp>,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    let stored = entry::find(workspace, tx, &sent.id).await?;
    let tombstone = record::find(workspace, tx, Kind::Entry, &sent.id).await?;
    let hash = record::content_hash(&serde_json::to_string(sent).expect("an entry is plain data"));
    let before = stored
        .as_ref()
        .map(|s| StoredVersion { deleted: false, updated_at: s.updated_at, hash: s.content_hash.clone() })
        .or_else(|| tombstone.filter(|t| t.is_deleted()).map(|t| StoredVersion { deleted: true, updated_at: t.updated_at(), hash: t.content_hash }));
    match standing(before.as_ref(), updated_at, &hash, false) {
        Standing::Newer => {}
        Standing::Same | Standing::Older => return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &sent.id, None)),
    }
    let mut entry = sent.clone();
    if erased(workspace, tx, &mut entry).await? == Fate::Gone {
        return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &sent.id, None));
    }
    match entry.r#type {
        EntryType::EmailSent => {
            entry.side.get_or_insert(Side::Us);
            entry.direction.get_or_insert(Direction::Outbound);
        }
        EntryType::EmailReceived => {
            entry.side.get_or_insert(Side::Customer);
            entry.direction.get_or_insert(Direction::Inbound);
        }
        _ => {}
    }
    let updated_at = updated_at.or(stored.as_ref().and_then(|s| s.updated_at));
    let source = Source { given: true, origin: None, version: Some((updated_at, &hash)) };
    let sequence = put_entry(workspace, tx, &mut entry, stored.as_ref(), source, asked, config, now).await?;
    let status = if stored.is_some() { Status::Updated } else { Status::Added };
    Ok(Outcome::of(status, Kind::Entry, &entry.id, Some(sequence)))
}

/// Whether an entry was erased before, or is of an erased person; somebody who only took part is taken out of it.
pub(super) async fn erased(workspace: WorkspaceId, tx: &mut Tx, entry: &mut Entry) -> Result<Fate> {
    let people = entry.participants.iter().map(|p| p.email.as_deref()).chain(entry.transcript.iter().map(|t| t.email.as_deref()));
    let addresses: Vec<Address> = people.flatten().filter_map(Address::parse).collect();
    let addresses: Vec<&Address> = addresses.iter().collect();
    let erased = Erased::look_up(workspace, tx, &[("entry", &entry.id)], &addresses).await?;
    if erased.is_empty() {
        return Ok(Fate::Stays);
    }
    let parties = party::known(workspace, tx, &addresses).await?;
    Ok(erased.settle(entry, |address| parties.is_us(address)))
}

/// Where an entry that is no mail comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// Its account was given; otherwise its people decide.
    pub given: bool,
    /// `kind:id` of what caused it.
    pub origin: Option<&'a str>,
    /// When this version was made, and the hash of its content as it came in.
    pub version: Option<(Option<Timestamp>, &'a str)>,
}

impl<'a> Source<'a> {
    /// As a stored entry came in.
    pub fn of(stored: &'a entry::Stored) -> Source<'a> {
        Source {
            given: stored.rule.as_deref() == Some(Rule::Given.as_str()),
            origin: stored.origin.as_deref(),
            version: Some((stored.updated_at, &stored.content_hash)),
        }
    }
}

/// Stores an entry that is no mail, with its change and what it triggers. Its account is given, or follows from the
/// people on it; the sides of its speakers follow from them.
pub async fn put_entry(
    workspace: WorkspaceId,
    tx: &mut Tx,
    entry: &mut Entry,
    before: Option<&entry::Stored>,
    source: Source<'_>,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<i64> {
    let own_hash = record::content_hash(&serde_json::to_string(entry).expect("an entry is plain data"));
    let owned = if source.given && entry.transcript.is_empty() {
        Owned { rule: Some(Rule::Given), unmatched_domain: None }
    } else {
        people::recognise(workspace, tx, entry, source.given).await?
    };
    let action = if before.is_some() { Action::Updated } else { Action::Added };
    let change = NewChange { what: "entry", id: &entry.id, number: before.map(|b| b.number), account_id: entry.account_id.as_deref(), action };
    let sequence = change::append(workspace, tx, change, now).await?;
    let mut spans = spans_of(entry);
    language::mark(&entry.body, &mut spans);
    let (updated_at, content_hash) = source.version.unwrap_or((None, &own_hash));
    let new = entry::New {
        number: before.map_or(sequence, |b| b.number),
        sequence,
        entry,
        spans: &spans,
        flags: &[],
        rule: owned.rule.map(Rule::as_str),
        origin: source.origin,
        unmatched_domain: owned.unmatched_domain.as_deref(),
        updated_at,
        received_at: now,
        content_hash,
    };
    match before {
        Some(before) => entry::update(workspace, tx, before, &new).await?,
        None => {
            entry::insert(workspace, tx, &new).await?;
            let communication = entry.counts_as_said(&spans, &[]);
            triggers::on_entry(workspace, tx, entry, new.number, communication, asked, config, now).await?;
        }
    }
    Ok(sequence)
}

fn spans_of(entry: &Entry) -> Vec<Span> {
    if entry.r#type.is_email() {
        return reply::split(&entry.body);
    }
    let start = entry.body.chars().take_while(|c| c.is_whitespace()).count();
    let end = entry.body.trim_end().chars().count();
    if start < end { vec![Span::new(SpanKind::New, start, end)] } else { Vec::new() }
}

pub(super) async fn remove_entry(workspace: WorkspaceId, tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    match entry::find(workspace, tx, id).await? {
        Some(stored) => delete_entry(workspace, tx, &stored, now).await,
        None => Ok(()),
    }
}

pub(super) async fn delete_entry(workspace: WorkspaceId, tx: &mut Tx, stored: &entry::Stored, now: Timestamp) -> Result<()> {
    let change = NewChange {
        what: "entry",
        id: &stored.entry.id,
        number: Some(stored.number),
        account_id: stored.entry.account_id.as_deref(),
        action: Action::Deleted,
    };
    change::append(workspace, tx, change, now).await?;
    if let Some(gone) = said::find(workspace, tx, stored.number).await? {
        repeat::left(workspace, tx, &gone, now).await?;
    }
    entry::delete(workspace, tx, stored, now).await
}
