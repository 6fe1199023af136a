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

use super::once::{self, Once};
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
use crate::store::{self, Tx, attachment, audit, entry, mail, party, record, summary, workspace as workspaces};

pub use again::apply_ledger;
pub use ledger::{Line, note, read as read_ledger};
pub use marks::{Erased, Fate, without_erased};

/// The job that takes an erased person off the disks; its key is the erasure.
pub const PURGE: &str = "purge";

/// How long the answer waits for searches to have forgotten the person.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub id: String,
    pub erased_at: Timestamp,
    /// When no byte was left in the data directory: the SQLite file, its log, and the search index; null until then. On
    /// PostgreSQL the rows were freed by then.
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

const NOTE: &str = "backups made before hold the person; restoring one erases them again. Copies elsewhere are not reached from here: the systems that sent the data; on PostgreSQL its freed pages, its log and its own backups, and the search indexes of other servers, which follow within moments.";

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

/// Erases a contact, and every other contact with one of its addresses. When it returns, no answer holds the person any
/// more; the disks follow.
///
/// # Errors
/// When there is no such contact.
pub async fn contact(service: &Service, workspace: WorkspaceId, actor: &str, contact_id: &str, once: Option<Once>) -> Result<Receipt> {
    let (now, actor, contact_id) = (service.clock.now(), actor.to_owned(), contact_id.to_owned());
    let erased = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let Some(contact): Option<Contact> = record::get(workspace, tx, Kind::Contact, &contact_id).await? else {
                return Ok(Err(PipelineError::NotFound(format!("contact {contact_id:?}"))));
            };
            let mut contacts = vec![contact];
            let addresses = contacts[0].emails.clone();
            for address in addresses.iter().filter_map(|email| Address::parse(email)) {
                for id in party::contacts_with(workspace, tx, &address).await? {
                    if !contacts.iter().any(|known| known.id == id) {
                        contacts.extend(record::get::<Contact>(workspace, tx, Kind::Contact, &id).await?);
                    }
                }
            }
            let id = erasure_id(workspace, tx, &contact_id, now).await?;
            let erased = person_in(workspace, tx, &id, &contacts, Vec::new(), now).await?;
            audit::add(workspace, tx, &actor, "contact.erase", &id, now).await?;
            Ok(Ok(erased))
        })
    });
    let erased: Erasure = erased.await?;
    if service.index.wait_for(erased.sequence, PATIENCE).await < erased.sequence {
        tracing::warn!("the search index is late in following an erasure");
    }
    Receipt::of(&erased)
}

async fn erasure_id(workspace: WorkspaceId, tx: &mut Tx, contact_id: &str, now: Timestamp) -> store::Result<String> {
    let name = workspaces::name(workspace, tx).await?;
    Ok(format!("erasure.{}", marks::mark(&name, "erasure", &format!("{contact_id}\n{now}"))))
}

/// Erases a person in one transaction, with the job that follows: the contacts that they are, and addresses beside.
async fn person_in(
    workspace: WorkspaceId,
    tx: &mut Tx,
    id: &str,
    contacts: &[Contact],
    addresses: Vec<Address>,
    now: Timestamp,
) -> store::Result<Erasure> {
    let name = workspaces::name(workspace, tx).await?;
    let mark = |kind: &str, value: &str| marks::mark(&name, kind, value);
    let mut person = Person { addresses, names: contacts.iter().filter_map(|contact| contact.name.clone()).collect() };
    person.addresses.extend(contacts.iter().flat_map(|contact| &contact.emails).filter_map(|email| Address::parse(email)));
    person.addresses.sort();
    person.addresses.dedup();
    let mut marked: BTreeSet<String> = person.addresses.iter().map(|address| mark("address", address.as_str())).collect();
    let mut accounts: BTreeSet<String> = contacts.iter().map(|contact| contact.account_id.clone()).collect();
    let mut counts = Counts::default();

    // Where they may be: in what they took part in with its conversations, in their accounts, and wherever an address
    // stands. A name counts in their accounts only: elsewhere somebody else may have it.
    let mut keys: Vec<String> = person.addresses.iter().map(|address| address.as_str().to_owned()).collect();
    keys.extend(person.names.iter().filter_map(|name| name_key(name)));
    let home: Vec<String> = accounts.iter().cloned().collect();
    let mut candidates: BTreeSet<i64> = erasure::candidates(workspace, tx, &keys, &home).await?.into_iter().collect();
    for address in &person.addresses {
        candidates.extend(erasure::entries_with(workspace, tx, address.as_str()).await?);
    }
    let candidates: Vec<i64> = candidates.into_iter().collect();
    for some in candidates.chunks(200) {
        for stored in entry::by_numbers(workspace, tx, some).await? {
            person.learn_names(&stored.entry);
        }
    }

    // The records that are about them, with the entries that these caused.
    let mut gone: Vec<(Kind, String)> = contacts.iter().map(|contact| (Kind::Contact, contact.id.clone())).collect();
    for contact in contacts {
        gone.extend(erasure::records_about(workspace, tx, &contact.id).await?);
    }
    let mut wrote = Vec::new();
    for (kind, id_of_record) in &gone {
        for caused in entry::of_origin(workspace, tx, &format!("{kind}:{id_of_record}")).await? {
            wrote.extend(said(&caused));
            accounts.extend(caused.entry.account_id.clone());
            remove(workspace, tx, &caused, id, now).await?;
            counts.entries_deleted += 1;
        }
        erasure::remove_record(workspace, tx, *kind, id_of_record, id).await?;
        marked.insert(mark(kind.as_str(), id_of_record));
        counts.records_deleted += 1;
    }

    // What they wrote, and what was between them and us.
    let mut deleted_events: BTreeSet<String> = BTreeSet::new();
    let mut rest = Vec::new();
    for some in candidates.chunks(200) {
        for stored in entry::by_numbers(workspace, tx, some).await? {
            let addresses: Vec<Address> = stored.entry.participants.iter().filter_map(|p| p.address()).collect();
            let parties = party::known(workspace, tx, &addresses.iter().collect::<Vec<_>>()).await?;
            let turns = stored.entry.transcript.iter().filter(|t| person.is(t.speaker.as_deref(), t.email.as_deref()));
            wrote.extend(turns.map(|turn| turn.text.clone()));
            if !marks::belongs_to(&stored.entry, &person, &|address| parties.is_us(address)) {
                rest.push(stored.number);
                continue;
            }
            wrote.extend(said(&stored));
            accounts.extend(stored.entry.account_id.clone());
            marked.insert(mark("entry", &stored.entry.id));
            deleted_events.extend(stored.origin.as_deref().and_then(|origin| origin.strip_prefix("event:")).map(str::to_owned));
            remove(workspace, tx, &stored, id, now).await?;
            counts.entries_deleted += 1;
        }
    }

    // Everything else that names or quotes them.
    let addresses = person.addresses.clone();
    let names = person.names.clone();
    let at_home = Redactor::new(person, &wrote);
    let elsewhere = Redactor::new(Person { addresses: addresses.clone(), names: Vec::new() }, &wrote);
    for some in rest.chunks(200) {
        let files = attachment::of(workspace, tx, some).await?;
        for stored in entry::by_numbers(workspace, tx, some).await? {
            let took_part = entry::people(&stored.entry).keys().any(|person| keys.contains(person));
            let is_home = took_part || stored.entry.account_id.as_ref().is_some_and(|account| home.contains(account));
            let redactor = if is_home { &at_home } else { &elsewhere };
            let mut redacted = stored.entry.clone();
            let in_entry = redactor.entry(&mut redacted);
            let texts = files.get(&stored.number).into_iter().flatten();
            let texts: Vec<(usize, String)> = texts.filter_map(|(place, text)| Some((*place, redactor.text(text)?))).collect();
            // What readers do not see may name them all the same: hidden words, headers, attachments that nobody read.
            let raw = mail::raw(workspace, tx, stored.number).await?;
            let in_raw = raw.is_some_and(|raw| redactor.text(&String::from_utf8_lossy(&raw)).is_some());
            if !in_entry && !in_raw && texts.is_empty() {
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
    counts.records_redacted = redact_records(workspace, tx, &addresses, &names, &home, (&at_home, &elsewhere), &mut accounts).await?;
    redact_events(workspace, tx, &deleted_events, &at_home).await?;
    erasure::forget_rest(workspace, tx, &keys).await?;

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

/// The words of an entry, as others may have quoted them.
fn said(stored: &entry::Stored) -> Vec<String> {
    let turns = stored.entry.transcript.iter().map(|turn| turn.text.clone());
    turns.chain([stored.entry.body.clone()]).chain(stored.entry.subject.clone()).filter(|text| !text.is_empty()).collect()
}

async fn remove(workspace: WorkspaceId, tx: &mut Tx, stored: &entry::Stored, erasure_id: &str, now: Timestamp) -> store::Result<()> {
    let account_id = stored.entry.account_id.as_deref();
    let gone = NewChange { what: "entry", id: &stored.entry.id, number: Some(stored.number), account_id, action: Action::Deleted };
    change::append(workspace, tx, gone, now).await?;
    // Listeners hear of the entry by its id, unless that tells who it was.
    if stored.entry.id.contains('@') {
        erasure::rename_changes(workspace, tx, stored.number, erasure_id).await?;
    }
    entry::delete(workspace, tx, stored, now).await
}

/// Takes the person out of records and their earlier versions: by address everywhere, by name in their accounts.
async fn redact_records(
    workspace: WorkspaceId,
    tx: &mut Tx,
    addresses: &[Address],
    names: &[String],
    home: &[String],
    (at_home, elsewhere): (&Redactor, &Redactor),
    accounts: &mut BTreeSet<String>,
) -> store::Result<u64> {
    let needles: Vec<String> = addresses.iter().map(|a| a.as_str().to_owned()).chain(names.iter().map(|name| name.to_lowercase())).collect();
    let mut named: BTreeMap<(String, String), erasure::Named> = BTreeMap::new();
    for needle in &needles {
        named.extend(erasure::records_with(workspace, tx, needle).await?.into_iter().map(|row| ((row.kind.clone(), row.id.clone()), row)));
    }
    let mut count = 0;
    for ((kind, id), row) in named {
        let is_home = row.account_id.as_ref().is_some_and(|account| home.contains(account)) || home.contains(&row.id) && kind == "account";
        let redactor = if is_home { at_home } else { elsewhere };
        if let Some(body) = redactor.record(&kind, &row.body) {
            erasure::redact_record(workspace, tx, &kind, &id, &body).await?;
            accounts.extend(row.account_id.clone());
            count += 1;
        }
        for (at, hash, body) in erasure::versions(workspace, tx, &kind, &id).await? {
            if let Some(body) = redactor.record(&kind, &body) {
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
        let unfolded = marks::unfold(&ics);
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
