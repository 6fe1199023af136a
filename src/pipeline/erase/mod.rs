//! Erasing a person: gone from every answer when the call returns, from the disks within minutes, and not brought back by
//! an import or a backup.
//!
//! What they wrote, and what was between them and us alone, is deleted; from everything else they are taken out: names,
//! addresses and quoted words become blocks. Summaries are emptied and written anew.

mod again;
mod ledger;
mod marks;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::triggers;
use super::{PipelineError, Result, Service};
use crate::domain::entry::name_key;
use crate::domain::record::{Contact, Kind};
use crate::domain::summary::{Cause, Trigger};
use crate::domain::{Address, WorkspaceId};
use crate::ingest::redact::{Person, Redactor};
use crate::store::change::{self, Action, NewChange};
use crate::store::erasure::{self, Erasure};
use crate::store::job::{self, Held, When};
use crate::store::{self, Tx, attachment, audit, entry, party, record, summary, workspace as workspaces};

pub use again::apply_ledger;
pub use ledger::{Line, read as read_ledger};
pub use marks::{Erased, Fate};

/// The job that takes an erased person off the disks; its key is the erasure.
pub const PURGE: &str = "purge";

/// How long the answer waits for searches to have forgotten the person.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub id: String,
    pub erased_at: Timestamp,
    /// When no byte was left in the database, its log and the search index of this data directory; null until then.
    pub purged_at: Option<Timestamp>,
    /// Entries that were theirs, or between them and us alone: deleted.
    pub entries_deleted: u64,
    /// Entries of several people from which they were taken out; of mails among these the raw copy went too.
    pub entries_redacted: u64,
    pub records_deleted: u64,
    pub records_redacted: u64,
    /// Versions of summaries that were emptied.
    pub summaries_emptied: u64,
    /// What else the caller should know.
    pub note: String,
}

const NOTE: &str = "backups made before hold the person; restoring one erases them again. Copies elsewhere (the systems that sent the data, PostgreSQL's own log and backups) are not reached from here.";

/// What went, as it is counted while it goes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counts {
    entries_deleted: u64,
    entries_redacted: u64,
    records_deleted: u64,
    records_redacted: u64,
    summaries_emptied: u64,
}

impl Receipt {
    pub fn of(erasure: &Erasure) -> Result<Receipt> {
        let counts: Counts = serde_json::from_str(&erasure.receipt).map_err(|e| PipelineError::Stopped(format!("a receipt cannot be read: {e}")))?;
        Ok(Receipt {
            id: erasure.id.clone(),
            erased_at: erasure.erased_at,
            purged_at: erasure.purged_at,
            entries_deleted: counts.entries_deleted,
            entries_redacted: counts.entries_redacted,
            records_deleted: counts.records_deleted,
            records_redacted: counts.records_redacted,
            summaries_emptied: counts.summaries_emptied,
            note: NOTE.to_owned(),
        })
    }
}

/// Erases a contact. When it returns, no answer holds the person any more; the disks follow.
///
/// # Errors
/// When there is no such contact.
pub async fn contact(service: &Service, workspace: WorkspaceId, actor: &str, contact_id: &str) -> Result<Receipt> {
    let (now, actor, contact_id) = (service.clock.now(), actor.to_owned(), contact_id.to_owned());
    let erased = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            let Some(contact): Option<Contact> = record::get(workspace, tx, Kind::Contact, &contact_id).await? else {
                return Ok(Err(PipelineError::NotFound(format!("contact {contact_id:?}"))));
            };
            let person = Person {
                addresses: contact.emails.iter().filter_map(|email| Address::parse(email)).collect(),
                names: contact.name.iter().cloned().collect(),
            };
            let id = erasure_id(workspace, tx, &contact.id, now).await?;
            let erased = person_in(workspace, tx, &id, Some(&contact), person, now).await?;
            audit::add(workspace, tx, &actor, "contact.erase", &id, now).await?;
            Ok(Ok(erased))
        })
    });
    let erased = erased.await??;
    if service.index.wait_for(erased.sequence, PATIENCE).await < erased.sequence {
        tracing::warn!("the search index is late in following an erasure");
    }
    Receipt::of(&erased)
}

async fn erasure_id(workspace: WorkspaceId, tx: &mut Tx, contact_id: &str, now: Timestamp) -> store::Result<String> {
    let name = workspaces::name(workspace, tx).await?;
    Ok(format!("erasure.{}", marks::mark(&name, "erasure", &format!("{contact_id}\n{now}"))))
}

/// Erases a person in one transaction, with the job that follows.
async fn person_in(
    workspace: WorkspaceId,
    tx: &mut Tx,
    id: &str,
    contact: Option<&Contact>,
    person: Person,
    now: Timestamp,
) -> store::Result<Erasure> {
    let name = workspaces::name(workspace, tx).await?;
    let mark = |kind: &str, value: &str| marks::mark(&name, kind, value);
    let mut marked: BTreeSet<String> = person.addresses.iter().map(|address| mark("address", address.as_str())).collect();
    marked.extend(contact.map(|contact| mark("contact", &contact.id)));
    let mut counts = Counts::default();
    let mut accounts: BTreeSet<String> = contact.iter().map(|contact| contact.account_id.clone()).collect();

    // The records that are about them, with the entries that these caused.
    let mut gone: Vec<(Kind, String)> = contact.iter().map(|contact| (Kind::Contact, contact.id.clone())).collect();
    if let Some(contact) = contact {
        gone.extend(about(workspace, tx, &contact.id, &contact.account_id).await?);
    }
    let mut deleted_events: BTreeSet<String> = BTreeSet::new();
    for (kind, id_of_record) in &gone {
        for caused in entry::of_origin(workspace, tx, &format!("{kind}:{id_of_record}")).await? {
            remove(workspace, tx, &caused, now).await?;
            counts.entries_deleted += 1;
        }
        erasure::remove_record(workspace, tx, *kind, id_of_record, id).await?;
        marked.insert(mark(kind.as_str(), id_of_record));
        counts.records_deleted += 1;
    }

    // What they wrote, and what was between them and us.
    let mut keys: Vec<String> = person.addresses.iter().map(|address| address.as_str().to_owned()).collect();
    keys.extend(person.names.iter().filter_map(|name| name_key(name)));
    let candidates = erasure::candidates(workspace, tx, &keys, &accounts.iter().cloned().collect::<Vec<_>>()).await?;
    let mut rest = Vec::new();
    let mut wrote = Vec::new();
    for some in candidates.chunks(200) {
        for stored in entry::by_numbers(workspace, tx, some).await? {
            let addresses: Vec<Address> = stored.entry.participants.iter().filter_map(|p| p.address()).collect();
            let parties = party::known(workspace, tx, &addresses.iter().collect::<Vec<_>>()).await?;
            if !marks::belongs_to(&stored.entry, &person, &|address| parties.is_us(address)) {
                rest.push(stored.number);
                continue;
            }
            wrote.push(stored.entry.body.clone());
            accounts.extend(stored.entry.account_id.clone());
            marked.insert(mark("entry", &stored.entry.id));
            deleted_events.extend(stored.origin.as_deref().and_then(|origin| origin.strip_prefix("event:")).map(str::to_owned));
            remove(workspace, tx, &stored, now).await?;
            counts.entries_deleted += 1;
        }
    }

    // Everything else that names or quotes them.
    let needles = person.needles();
    let redactor = Redactor::new(person, &wrote);
    for some in rest.chunks(200) {
        let files = attachment::of(workspace, tx, some).await?;
        for stored in entry::by_numbers(workspace, tx, some).await? {
            let mut redacted = stored.entry.clone();
            let in_entry = redactor.entry(&mut redacted);
            let texts = files.get(&stored.number).into_iter().flatten();
            let texts: Vec<(usize, String)> = texts.filter_map(|(place, text)| Some((*place, redactor.text(text)?))).collect();
            if !in_entry && texts.is_empty() {
                continue;
            }
            for (place, text) in &texts {
                attachment::put(workspace, tx, stored.number, i64::try_from(*place).unwrap_or(i64::MAX), text).await?;
            }
            let account_id = stored.entry.account_id.as_deref();
            let changed = NewChange { what: "entry", id: &stored.entry.id, number: Some(stored.number), account_id, action: Action::Updated };
            let sequence = change::append(workspace, tx, changed, now).await?;
            erasure::redact_entry(workspace, tx, &stored, &redacted, sequence).await?;
            accounts.extend(stored.entry.account_id.clone());
            counts.entries_redacted += 1;
        }
    }
    counts.records_redacted = redact_records(workspace, tx, &needles, &redactor).await?;
    redact_events(workspace, tx, &deleted_events, &redactor).await?;
    for needle in needles.iter().filter(|needle| needle.contains('@')) {
        erasure::forget_rest(workspace, tx, needle).await?;
    }

    for account_id in &accounts {
        let emptied = erasure::empty_summaries(workspace, tx, account_id).await?;
        counts.summaries_emptied += emptied;
        if emptied > 0 && summary::exists(workspace, tx, account_id).await? {
            let cause = Cause { trigger: Trigger::Manual, entry_id: None, detail: Some("a person was erased".to_owned()) };
            triggers::ask(workspace, tx, account_id, cause, true, When::NOW, now).await?;
        }
    }
    let done = NewChange { what: "erasure", id, number: None, account_id: None, action: Action::Added };
    let sequence = change::append(workspace, tx, done, now).await?;
    let receipt = serde_json::to_string(&counts).expect("counts are numbers");
    let erased = Erasure { id: id.to_owned(), erased_at: now, receipt, sequence, purged_at: None };
    erasure::put(workspace, tx, &erased, &marked.into_iter().collect::<Vec<_>>()).await?;
    job::enqueue(workspace, tx, PURGE, id, "{}", When::NOW, now).await?;
    Ok(erased)
}

/// Records that are about a contact by its id.
async fn about(workspace: WorkspaceId, tx: &mut Tx, contact_id: &str, account_id: &str) -> store::Result<Vec<(Kind, String)>> {
    let mut found = Vec::new();
    let tickets: Vec<crate::domain::record::Ticket> = record::of_account(workspace, tx, Kind::Ticket, account_id).await?;
    found.extend(tickets.into_iter().filter(|t| t.contact_id.as_deref() == Some(contact_id)).map(|t| (Kind::Ticket, t.id)));
    let enrichments: Vec<crate::domain::record::Enrichment> = record::of_account(workspace, tx, Kind::Enrichment, account_id).await?;
    found.extend(enrichments.into_iter().filter(|e| e.contact_id.as_deref() == Some(contact_id)).map(|e| (Kind::Enrichment, e.id)));
    Ok(found)
}

async fn remove(workspace: WorkspaceId, tx: &mut Tx, stored: &entry::Stored, now: Timestamp) -> store::Result<()> {
    let account_id = stored.entry.account_id.as_deref();
    let gone = NewChange { what: "entry", id: &stored.entry.id, number: Some(stored.number), account_id, action: Action::Deleted };
    change::append(workspace, tx, gone, now).await?;
    entry::delete(workspace, tx, stored, now).await
}

async fn redact_records(workspace: WorkspaceId, tx: &mut Tx, needles: &[String], redactor: &Redactor) -> store::Result<u64> {
    let mut named: BTreeMap<(String, String), String> = BTreeMap::new();
    for needle in needles {
        named.extend(erasure::records_with(workspace, tx, needle).await?.into_iter().map(|(kind, id, body)| ((kind, id), body)));
    }
    let mut count = 0;
    let redacted = |body: &str| {
        let mut value: serde_json::Value = serde_json::from_str(body).ok()?;
        redactor.json(&mut value);
        Some(value.to_string()).filter(|new| new != body)
    };
    for ((kind, id), body) in named {
        if let Some(body) = redacted(&body) {
            erasure::redact_record(workspace, tx, &kind, &id, &body).await?;
            count += 1;
        }
        for (at, hash, body) in erasure::versions(workspace, tx, &kind, &id).await? {
            if let Some(body) = redacted(&body) {
                erasure::redact_version(workspace, tx, &kind, &id, at, &hash, &body).await?;
            }
        }
    }
    Ok(count)
}

async fn redact_events(workspace: WorkspaceId, tx: &mut Tx, deleted: &BTreeSet<String>, redactor: &Redactor) -> store::Result<()> {
    for uid in deleted {
        erasure::remove_event(workspace, tx, uid).await?;
    }
    for (uid, recurrence, ics) in erasure::events(workspace, tx).await? {
        // Long lines are folded anywhere, also in the middle of an address.
        let unfolded = ics.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "").replace("\n\t", "");
        if let Some(redacted) = redactor.text(&unfolded) {
            erasure::redact_event(workspace, tx, &uid, &recurrence, &redacted).await?;
        }
    }
    Ok(())
}

/// Takes an erased person off the disks: out of the index files, the database's log, and into the ledger.
///
/// # Errors
/// When files cannot be rewritten now; the job comes again.
pub async fn purge(service: &Service, workspace: WorkspaceId, id: &str, held: Held) -> Result<()> {
    let mut tx = service.store.read(workspace).await?;
    let erased = erasure::find(workspace, &mut tx, id).await?;
    let marks = erasure::marks(workspace, &mut tx, id).await?;
    let name = workspaces::name(workspace, &mut tx).await?;
    drop(tx);
    let Some(erased) = erased else {
        return Ok(service.store.write(workspace, move |tx| Box::pin(async move { job::finish(tx, held).await })).await?);
    };
    let line = Line { workspace: name, id: erased.id.clone(), erased_at: erased.erased_at, marks };
    let data = service.index.data().to_owned();
    super::blocking(move || ledger::add(&data, &line)).await??;
    if service.index.wait_for(erased.sequence, PATIENCE).await < erased.sequence {
        return Err(PipelineError::Stopped("the search index has not followed yet".to_owned()));
    }
    service.index.purge(workspace).await?;
    service.store.purge().await?;
    let (id, now) = (id.to_owned(), service.clock.now());
    let done = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            erasure::set_purged(workspace, tx, &id, now).await?;
            job::finish(tx, held).await
        })
    });
    Ok(done.await?)
}
