//! What comes in: mails and records, taken in one transaction with everything they cause.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::triggers::Asked;
use super::{PipelineError, Service, blocking, join, triggers};
use crate::config::Config;
use crate::domain::address::is_free_mail;
use crate::domain::entry::{Direction, Entry, EntryType, Flag, Side};
use crate::domain::record::{Account, Change as RecordChange, Kind, Record, Version, Workspace};
use crate::domain::span::{Span, SpanKind};
use crate::domain::{Address, Parties, WorkspaceId};
use crate::ingest::email::{self, Mail};
use crate::ingest::owner::{self, Rule};
use crate::ingest::record::Rejection;
use crate::ingest::{derive, reply, thread};
use crate::store::change::{self, Action, NewChange};
use crate::store::{Result, Tx, account, entry, mail, party, record, thread as threads, workspace as workspaces};

words! { Status { Added = "added", Updated = "updated", Unchanged = "unchanged", Rejected = "rejected" } }

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    pub status: Status,
    pub kind: Option<String>,
    pub id: Option<String>,
    /// Of the change it made; searches with `min_sequence` of at least this see it.
    pub sequence: Option<i64>,
    /// Why it was rejected.
    pub error: Option<String>,
    /// True for a new mail that is nobody's yet.
    #[serde(skip)]
    pub unmatched: bool,
}

impl Outcome {
    fn of(status: Status, kind: Kind, id: &str, sequence: Option<i64>) -> Outcome {
        Outcome { status, kind: Some(kind.to_string()), id: Some(id.to_owned()), sequence, error: None, unmatched: false }
    }

    /// An item that was not taken.
    pub fn rejected(rejection: Rejection) -> Outcome {
        Outcome { status: Status::Rejected, kind: rejection.kind, id: rejection.id, sequence: None, error: Some(rejection.reason), unmatched: false }
    }
}

/// Where mails come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Name of the mailbox or file: the provenance of what is found there.
    pub source: String,
    /// Make an account for each business domain met.
    pub discover_accounts: bool,
}

// ---- records -----------------------------------------------------------------------------------------------------

/// Takes records in order, all in one transaction; each rejected one changes nothing.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn records(service: &Service, workspace: WorkspaceId, items: Vec<std::result::Result<Version, Rejection>>) -> super::Result<Vec<Outcome>> {
    let (now, config) = (service.clock.now(), service.config.clone());
    let outcomes = service.store.write(move |tx| {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(items.len());
            let mut asked = Asked::default();
            for item in items {
                outcomes.push(match item {
                    Ok(version) => take(workspace, tx, &version, &mut asked, &config, now).await?,
                    Err(rejection) => Outcome::rejected(rejection),
                });
            }
            Ok(outcomes)
        })
    });
    Ok(outcomes.await?)
}

/// Adds domains to the workspace's own.
pub async fn add_us_domains(service: &Service, workspace: WorkspaceId, domains: Vec<String>) -> super::Result<Outcome> {
    let mut tx = service.store.read().await?;
    let stored: Option<Workspace> = record::get(workspace, &mut tx, Kind::Workspace, "").await?;
    drop(tx);
    let mut wanted = stored.unwrap_or(Workspace { us_domains: Vec::new(), timezone: None });
    wanted.us_domains.extend(domains);
    wanted.us_domains.sort();
    wanted.us_domains.dedup();
    let version = Version { change: RecordChange::Put(Record::Workspace(wanted)), updated_at: None };
    let mut outcomes = records(service, workspace, vec![Ok(version)]).await?;
    outcomes.pop().ok_or_else(|| PipelineError::Stopped("the workspace record got no answer".to_owned()))
}

/// How a version relates to the stored one.
#[derive(Debug, PartialEq)]
enum Standing {
    Newer,
    /// The same content, or nothing to do.
    Same,
    Older,
}

/// The version rule: `updated_at` orders versions; without one, the order of arrival does. Of two versions of the same
/// moment the one with the larger hash stays, so that the order of arrival does not matter. A tombstone stays unless
/// something says that it is newer.
fn standing(stored: Option<&StoredVersion>, updated_at: Option<Timestamp>, hash: &str, deletes: bool) -> Standing {
    let Some(stored) = stored else { return Standing::Newer };
    if stored.deleted {
        let revives = updated_at.is_some_and(|new| stored.updated_at.is_none_or(|old| new > old));
        return if deletes || !revives { Standing::Same } else { Standing::Newer };
    }
    match (stored.updated_at, updated_at) {
        (Some(old), Some(new)) if new < old => Standing::Older,
        _ if deletes => Standing::Newer,
        _ if hash == stored.hash => Standing::Same,
        (Some(old), Some(new)) if new == old && hash < stored.hash.as_str() => Standing::Older,
        _ => Standing::Newer,
    }
}

struct StoredVersion {
    deleted: bool,
    updated_at: Option<Timestamp>,
    hash: String,
}

async fn take(workspace: WorkspaceId, tx: &mut Tx, version: &Version, asked: &mut Asked, config: &Config, now: Timestamp) -> Result<Outcome> {
    if let RecordChange::Put(Record::Entry(entry)) = &version.change {
        return take_entry(workspace, tx, entry, version.updated_at, asked, config, now).await;
    }
    let (kind, id) = (version.kind(), version.id());
    let stored = record::find(workspace, tx, kind, id).await?;
    let body = match &version.change {
        RecordChange::Put(record) => record.to_json(),
        RecordChange::Delete { .. } => String::new(),
    };
    let hash = record::content_hash(&body);
    let deletes = matches!(version.change, RecordChange::Delete { .. });
    let mut before = stored.as_ref().map(|s| StoredVersion { deleted: s.is_deleted(), updated_at: s.updated_at(), hash: s.content_hash.clone() });
    if kind == Kind::Entry
        && let Some(entry) = entry::find(workspace, tx, id).await?
    {
        // Entries keep their version themselves; only their tombstones are records.
        before = Some(StoredVersion { deleted: false, updated_at: entry.updated_at, hash: entry.content_hash });
    }
    let standing = standing(before.as_ref(), version.updated_at, &hash, deletes);
    let at = version.updated_at.unwrap_or(now);
    if standing == Standing::Older && !deletes {
        // Too late to be the record, but part of its history: a stage it once had.
        record::keep_version(workspace, tx, kind, id, at, &body).await?;
        derive_entries(workspace, tx, kind, id, asked, config, now).await?;
        return Ok(Outcome::of(Status::Unchanged, kind, id, None));
    }
    if standing != Standing::Newer {
        if let (Some(stored), Some(new)) = (&stored, version.updated_at)
            && stored.updated_at().is_none_or(|old| new > old)
        {
            // The same content confirmed later: what lies between is older than this.
            let again = record::New { kind, id, account_id: stored.account_id.as_deref(), body: &stored.body, deleted: stored.is_deleted(), updated_at: Some(new), received_at: now, sequence: stored.sequence };
            record::put(workspace, tx, &again).await?;
        }
        return Ok(Outcome::of(Status::Unchanged, kind, id, None));
    }
    let living = stored.as_ref().is_some_and(|s| !s.is_deleted());
    let account_id = match &version.change {
        RecordChange::Put(record) => record.account_id().map(str::to_owned),
        RecordChange::Delete { .. } => stored.as_ref().and_then(|s| s.account_id.clone()),
    };
    let action = if deletes { Action::Deleted } else if living { Action::Updated } else { Action::Added };
    let sequence = change::append(workspace, tx, NewChange { what: kind.as_str(), id, number: None, account_id: account_id.as_deref(), action }, now).await?;
    let updated_at = if deletes { Some(at) } else { version.updated_at.or(stored.as_ref().and_then(record::Stored::updated_at)) };
    record::put(workspace, tx, &record::New { kind, id, account_id: account_id.as_deref(), body: &body, deleted: deletes, updated_at, received_at: now, sequence }).await?;
    match &version.change {
        RecordChange::Put(record) => {
            if causes_entries(kind) {
                record::keep_version(workspace, tx, kind, id, at, &body).await?;
            }
            know(workspace, tx, record, now).await?;
        }
        RecordChange::Delete { .. } if kind == Kind::Entry => remove_entry(workspace, tx, id, now).await?,
        RecordChange::Delete { .. } => {
            record::drop_versions(workspace, tx, kind, id).await?;
            forget(workspace, tx, kind, id, now).await?;
        }
    }
    if causes_entries(kind) {
        derive_entries(workspace, tx, kind, id, asked, config, now).await?;
    }
    let status = match (deletes, living) {
        (true, _) | (false, true) => Status::Updated,
        (false, false) => Status::Added,
    };
    Ok(Outcome::of(status, kind, id, Some(sequence)))
}

fn causes_entries(kind: Kind) -> bool {
    matches!(kind, Kind::Deal | Kind::Contact | Kind::Enrichment | Kind::Ticket | Kind::Task | Kind::Quote | Kind::Order)
}

/// What a record tells about who is who.
async fn know(workspace: WorkspaceId, tx: &mut Tx, record: &Record, now: Timestamp) -> Result<()> {
    match record {
        Record::Workspace(settings) => {
            workspaces::set_timezone(workspace, tx, settings.timezone.as_deref()).await?;
            let changed = workspaces::set_us_domains(workspace, tx, "workspace", &settings.us_domains).await?;
            join::ask(workspace, tx, &[], &changed, now).await
        }
        Record::Account(account) => {
            account::set_known(workspace, tx, &account.id, Some(account.display_name())).await?;
            let domains: Vec<String> = account.domains.iter().filter(|d| !is_free_mail(d)).cloned().collect();
            let changed = party::set_account_domains(workspace, tx, &account.id, &domains).await?;
            join::ask(workspace, tx, &[], &changed, now).await
        }
        Record::TeamMember(member) => {
            let addresses: Vec<Address> = member.email.iter().filter_map(|e| Address::parse(e)).collect();
            let domains: Vec<String> = addresses.iter().map(|a| a.domain().to_owned()).filter(|d| !is_free_mail(d)).collect();
            let source = format!("team_member:{}", member.id);
            let changed = party::set_addresses(workspace, tx, Kind::TeamMember, &member.id, None, &addresses).await?;
            let changed_domains = workspaces::set_us_domains(workspace, tx, &source, &domains).await?;
            join::ask(workspace, tx, &changed, &changed_domains, now).await
        }
        Record::Contact(contact) => {
            let addresses: Vec<Address> = contact.emails.iter().filter_map(|e| Address::parse(e)).collect();
            let changed = party::set_addresses(workspace, tx, Kind::Contact, &contact.id, Some(&contact.account_id), &addresses).await?;
            join::ask(workspace, tx, &changed, &[], now).await
        }
        _ => Ok(()),
    }
}

/// Takes back what a deleted record had told.
async fn forget(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str, now: Timestamp) -> Result<()> {
    match kind {
        Kind::Account => {
            account::set_known(workspace, tx, id, None).await?;
            let changed = party::set_account_domains(workspace, tx, id, &[]).await?;
            join::ask(workspace, tx, &[], &changed, now).await
        }
        Kind::Contact | Kind::TeamMember => {
            let changed = party::set_addresses(workspace, tx, kind, id, None, &[]).await?;
            let source = format!("team_member:{id}");
            let domains = if kind == Kind::TeamMember { workspaces::set_us_domains(workspace, tx, &source, &[]).await? } else { Vec::new() };
            join::ask(workspace, tx, &changed, &domains, now).await
        }
        _ => Ok(()),
    }
}

/// Brings the entries that a record causes in line with its versions.
async fn derive_entries(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str, asked: &mut Asked, config: &Config, now: Timestamp) -> Result<()> {
    let origin = format!("{kind}:{id}");
    let mut versions = Vec::new();
    for past in record::versions(workspace, tx, kind, id).await? {
        versions.push(derive::Dated { at: past.at, record: read_record(kind, &past.body)? });
    }
    let wanted = derive::entries(&versions);
    let mut before: HashMap<String, entry::Stored> =
        entry::of_origin(workspace, tx, &origin).await?.into_iter().map(|stored| (stored.entry.id.clone(), stored)).collect();
    for mut new in wanted {
        if let Some(stored) = before.remove(&new.id) {
            // The thread and account of a caused entry are its record's.
            new.thread_id = stored.entry.thread_id.clone();
            if new == stored.entry {
                continue;
            }
            put_entry(workspace, tx, &new, Some(&stored), Some(&origin), None, asked, config, now).await?;
        } else {
            put_entry(workspace, tx, &new, None, Some(&origin), None, asked, config, now).await?;
        }
    }
    for gone in before.into_values() {
        delete_entry(workspace, tx, &gone, now).await?;
    }
    Ok(())
}

fn read_record(kind: Kind, body: &str) -> Result<Record> {
    fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T> {
        serde_json::from_str(body).map_err(|e| crate::store::StoreError::Corrupt { what: "record", reason: e.to_string() })
    }
    Ok(match kind {
        Kind::Deal => Record::Deal(read(body)?),
        Kind::Contact => Record::Contact(read(body)?),
        Kind::Enrichment => Record::Enrichment(read(body)?),
        Kind::Ticket => Record::Ticket(read(body)?),
        Kind::Task => Record::Task(read(body)?),
        Kind::Quote => Record::Quote(read(body)?),
        Kind::Order => Record::Order(read(body)?),
        other => unreachable!("{other} causes no entries"),
    })
}

// ---- entries -----------------------------------------------------------------------------------------------------

async fn take_entry(
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
        .or_else(|| tombstone.filter(|t| t.is_deleted()).map(|t| StoredVersion { deleted: true, updated_at: t.updated_at(), hash: t.content_hash.clone() }));
    match standing(before.as_ref(), updated_at, &hash, false) {
        Standing::Newer => {}
        Standing::Same | Standing::Older => return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &sent.id, None)),
    }
    let mut entry = sent.clone();
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
    let sequence = put_entry(workspace, tx, &entry, stored.as_ref(), None, Some((updated_at, &hash)), asked, config, now).await?;
    let status = if stored.is_some() { Status::Updated } else { Status::Added };
    Ok(Outcome::of(status, Kind::Entry, &entry.id, Some(sequence)))
}

/// Stores an entry whose account is given, with its change and what it triggers.
#[expect(clippy::too_many_arguments, reason = "the one place where an entry meets everything that depends on it")]
async fn put_entry(
    workspace: WorkspaceId,
    tx: &mut Tx,
    entry: &Entry,
    before: Option<&entry::Stored>,
    origin: Option<&str>,
    version: Option<(Option<Timestamp>, &str)>,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<i64> {
    let action = if before.is_some() { Action::Updated } else { Action::Added };
    let change = NewChange { what: "entry", id: &entry.id, number: before.map(|b| b.number), account_id: entry.account_id.as_deref(), action };
    let sequence = change::append(workspace, tx, change, now).await?;
    let spans = spans_of(entry);
    let own_hash = record::content_hash(&serde_json::to_string(entry).expect("an entry is plain data"));
    let (updated_at, content_hash) = version.unwrap_or((None, &own_hash));
    let new = entry::New {
        number: before.map_or(sequence, |b| b.number),
        sequence,
        entry,
        spans: &spans,
        flags: &[],
        rule: Some(Rule::Given.as_str()),
        origin,
        unmatched_domain: None,
        updated_at,
        received_at: now,
        content_hash,
    };
    match before {
        Some(before) => entry::update(workspace, tx, before, &new).await?,
        None => {
            entry::insert(workspace, tx, &new).await?;
            let communication = entry.r#type.is_communication() && !entry.is_internal();
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
    if start < end { vec![Span { kind: SpanKind::New, start, end }] } else { Vec::new() }
}

async fn remove_entry(workspace: WorkspaceId, tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    match entry::find(workspace, tx, id).await? {
        Some(stored) => delete_entry(workspace, tx, &stored, now).await,
        None => Ok(()),
    }
}

async fn delete_entry(workspace: WorkspaceId, tx: &mut Tx, stored: &entry::Stored, now: Timestamp) -> Result<()> {
    let change = NewChange { what: "entry", id: &stored.entry.id, number: Some(stored.number), account_id: stored.entry.account_id.as_deref(), action: Action::Deleted };
    change::append(workspace, tx, change, now).await?;
    entry::delete(workspace, tx, stored, now).await
}

// ---- mails -------------------------------------------------------------------------------------------------------

/// A raw mail on its way in.
enum Item {
    /// Bytes that were found before, here or elsewhere.
    Seen { number: i64, hash: String, here: bool },
    New(Parsed),
    Refused(String),
}

struct Parsed {
    hash: String,
    raw: Vec<u8>,
    mail: Box<Mail>,
}

/// Takes raw mails, all in one transaction. Bytes that were seen before are not even parsed.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn mails(service: &Service, workspace: WorkspaceId, raws: Vec<Vec<u8>>, origin: &Origin) -> super::Result<Vec<Outcome>> {
    let now = service.clock.now();
    let (hashes, raws) = blocking(move || (raws.iter().map(|raw| raw_hash(raw)).collect::<Vec<_>>(), raws)).await?;
    let mut tx = service.store.read().await?;
    let mut known = mail::numbers_by_hash(workspace, &mut tx, &hashes).await?;
    drop(tx);
    let source = origin.source.clone();
    let items = blocking(move || {
        let read = |(raw, hash): (Vec<u8>, String)| match known.remove(&hash) {
            Some((number, sources)) => Item::Seen { number, hash, here: sources.contains(&source) },
            None => match email::parse(&raw, now) {
                Ok(mail) => Item::New(Parsed { hash, mail: Box::new(mail), raw }),
                Err(reason) => Item::Refused(reason),
            },
        };
        raws.into_iter().zip(hashes).map(read).collect::<Vec<_>>()
    })
    .await?;
    // Nothing to write, no transaction to wait for.
    if items.iter().all(|item| matches!(item, Item::Seen { here: true, .. } | Item::Refused(_))) {
        return Ok(items.into_iter().map(|item| if let Item::Refused(reason) = item { mail_rejected(reason) } else { mail_unchanged() }).collect());
    }
    let (config, origin) = (service.config.clone(), origin.clone());
    let outcomes = service.store.write(move |tx| {
        Box::pin(async move {
            let mut batch = Batch::open(workspace, tx, &items, &origin, &config, now).await?;
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                outcomes.push(match item {
                    Item::New(parsed) => batch.take(tx, parsed).await?,
                    Item::Seen { number, hash, .. } => {
                        mail::add_provenance(workspace, tx, number, &origin.source, &hash, now).await?;
                        mail_unchanged()
                    }
                    Item::Refused(reason) => mail_rejected(reason),
                });
            }
            Ok(outcomes)
        })
    });
    Ok(outcomes.await?)
}

fn mail_unchanged() -> Outcome {
    Outcome { status: Status::Unchanged, kind: Some(Kind::Entry.to_string()), id: None, sequence: None, error: None, unmatched: false }
}

fn mail_rejected(reason: String) -> Outcome {
    Outcome::rejected(Rejection { kind: Some("entry".to_owned()), id: None, reason })
}

fn raw_hash(raw: &[u8]) -> String {
    Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Mails that are taken together: what is known about their people is asked once.
struct Batch<'a> {
    workspace: WorkspaceId,
    parties: Parties,
    /// Numbers of mails that are in the timeline.
    present: HashMap<String, i64>,
    /// Mails that were deleted: they do not come back.
    deleted: HashSet<String>,
    origin: &'a Origin,
    config: &'a Config,
    asked: Asked,
    now: Timestamp,
}

impl<'a> Batch<'a> {
    async fn open(
        workspace: WorkspaceId,
        tx: &mut Tx,
        items: &[Item],
        origin: &'a Origin,
        config: &'a Config,
        now: Timestamp,
    ) -> Result<Batch<'a>> {
        let mails: Vec<&Mail> = items.iter().filter_map(|item| if let Item::New(parsed) = item { Some(&*parsed.mail) } else { None }).collect();
        let ids: Vec<&str> = mails.iter().map(|mail| mail.entry.id.as_str()).collect();
        let present = entry::numbers_of(workspace, tx, &ids).await?;
        let deleted = record::deleted(workspace, tx, Kind::Entry, &ids).await?;
        let addresses: HashSet<&Address> = mails.iter().flat_map(|mail| mail.author.iter().chain(&mail.recipients)).collect();
        let mut parties = Parties::default();
        // Databases limit the values of one statement.
        for some in addresses.into_iter().collect::<Vec<_>>().chunks(2_000) {
            let known = party::known(workspace, tx, some).await?;
            parties.contacts.extend(known.contacts);
            parties.domains.extend(known.domains);
            parties.team.extend(known.team);
            parties.us_domains = known.us_domains;
        }
        if parties.us_domains.is_empty() {
            parties.us_domains = workspaces::us_domains(workspace, tx).await?;
        }
        Ok(Batch { workspace, parties, present, deleted, origin, config, asked: Asked::default(), now })
    }

    async fn take(&mut self, tx: &mut Tx, parsed: Parsed) -> Result<Outcome> {
        let (workspace, now) = (self.workspace, self.now);
        let mail = *parsed.mail;
        let id = mail.entry.id.clone();
        if let Some(&number) = self.present.get(&id) {
            mail::add_provenance(workspace, tx, number, &self.origin.source, &parsed.hash, now).await?;
            return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
        }
        if self.deleted.contains(&id) {
            return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
        }
        if self.origin.discover_accounts {
            self.discover(tx, &mail).await?;
        }

        let mut entry = mail.entry;
        let owned = join::place(workspace, tx, &mut entry, &mail.references, &self.parties, mail.author.as_ref(), &mail.recipients).await?;
        let change = NewChange { what: "entry", id: &id, number: None, account_id: entry.account_id.as_deref(), action: Action::Added };
        let number = change::append(workspace, tx, change, now).await?;
        let subject = entry.subject.as_deref().unwrap_or_default();
        let subject_key = thread::subject_key(subject);
        let is_reply = mail.references.is_empty() && thread::is_reply(subject);
        let new = mail::New {
            number,
            message_id: mail.message_id.as_deref(),
            subject_key: subject_key.as_deref(),
            occurred_at: entry.occurred_at,
            is_reply,
            author: mail.author.as_ref().map(Address::as_str),
            automatic: mail.automatic.map(|a| a.as_str()),
            references: &mail.references,
            raw: &parsed.raw,
        };
        mail::insert(workspace, tx, &new).await?;
        mail::add_provenance(workspace, tx, number, &self.origin.source, &parsed.hash, now).await?;

        let own_id = mail.message_id.as_deref().unwrap_or(&id);
        let named: Vec<(&str, String)> = std::iter::once(own_id).chain(mail.references.iter().map(String::as_str)).map(|m| (m, thread::id_of(m))).collect();
        entry.thread_id = Some(threads::join(workspace, tx, &named).await?.0);
        let mut flags = mail.flags;
        if let Some(message_id) = &mail.message_id
            && !mail::with_message_id(workspace, tx, message_id, number).await?.is_empty()
        {
            flags.push(Flag::MessageIdReused);
        }
        let content_hash = record::content_hash(&id);
        entry::insert(workspace, tx, &entry::New {
            number,
            sequence: number,
            entry: &entry,
            spans: &mail.spans,
            flags: &flags,
            rule: owned.rule.map(Rule::as_str),
            origin: None,
            unmatched_domain: owned.unmatched_domain.as_deref(),
            updated_at: None,
            received_at: now,
            content_hash: &content_hash,
        })
        .await?;

        if let Some(subject_key) = &subject_key {
            self.join_by_subject(tx, &entry, number, subject_key, is_reply).await?;
        }
        let communication = mail.automatic.is_none() && !entry.is_internal();
        triggers::on_entry(workspace, tx, &entry, number, communication, &mut self.asked, self.config, now).await?;
        if entry.account_id.is_some() {
            for answer in mail::answers_without_own_account(workspace, tx, number).await? {
                join::settle(workspace, tx, answer, &mut self.asked, self.config, now).await?;
            }
        }
        self.present.insert(id.clone(), number);
        Ok(Outcome { unmatched: entry.account_id.is_none(), ..Outcome::of(Status::Added, Kind::Entry, &id, Some(number)) })
    }

    async fn join_by_subject(&self, tx: &mut Tx, entry: &Entry, number: i64, subject_key: &str, is_reply: bool) -> Result<()> {
        let window = std::time::Duration::from_secs(thread::SUBJECT_WINDOW_DAYS.unsigned_abs() * 86_400);
        let by = threads::BySubject { number, subject_key, occurred_at: entry.occurred_at, is_reply, window };
        let mut thread_id = entry.thread_id.clone().unwrap_or_default();
        for other in threads::by_subject(self.workspace, tx, &by).await? {
            thread_id = threads::unite(self.workspace, tx, &thread_id, &other).await?.0;
        }
        Ok(())
    }

    /// Makes accounts of the business domains of strangers: of who wrote to us, and of those we wrote to.
    async fn discover(&mut self, tx: &mut Tx, mail: &Mail) -> Result<()> {
        let outside: Vec<&Address> = match mail.author.as_ref().filter(|a| !self.parties.is_us(a)) {
            Some(author) => vec![author],
            None => mail.recipients.iter().filter(|r| !self.parties.is_us(r)).collect(),
        };
        for address in outside {
            let taken = self.parties.contact_account(address).or_else(|| self.parties.domain_account(address)).is_some();
            let Some(domain) = owner::business_domain(address).filter(|_| !taken) else { continue };
            let version = Version { change: RecordChange::Put(Record::Account(Account::of_domain(domain))), updated_at: None };
            // Boxed: taking a record can take entries, and the compiler wants an end to that.
            Box::pin(take(self.workspace, tx, &version, &mut self.asked, self.config, self.now)).await?;
            self.parties.domains.insert(domain.to_owned(), domain.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_newest_version_stays_whatever_the_order() {
        let early = at("2026-01-01T00:00:00Z");
        let late = at("2026-02-01T00:00:00Z");
        let stored = |updated_at, hash: &str, deleted| StoredVersion { deleted, updated_at, hash: hash.to_owned() };
        let check = |stored: Option<StoredVersion>, updated_at, hash: &str, deletes| standing(stored.as_ref(), updated_at, hash, deletes);
        assert_eq!(check(None, None, "a", false), Standing::Newer);
        assert_eq!(check(Some(stored(None, "a", false)), None, "b", false), Standing::Newer, "arrival decides without dates");
        assert_eq!(check(Some(stored(None, "a", false)), None, "a", false), Standing::Same);
        assert_eq!(check(Some(stored(late, "a", false)), early, "b", false), Standing::Older);
        assert_eq!(check(Some(stored(early, "a", false)), late, "b", false), Standing::Newer);
        assert_eq!(check(Some(stored(late, "a", false)), early, "", true), Standing::Older, "a late delete deletes nothing newer");
        assert_eq!(check(Some(stored(early, "a", false)), None, "", true), Standing::Newer);
        assert_eq!(check(Some(stored(late, "", true)), early, "a", false), Standing::Same, "a tombstone is not revived by older versions");
        assert_eq!(check(Some(stored(late, "", true)), None, "a", false), Standing::Same);
        assert_eq!(check(Some(stored(early, "", true)), late, "a", false), Standing::Newer);
        let (ab, ba) = (check(Some(stored(early, "a", false)), early, "b", false), check(Some(stored(early, "b", false)), early, "a", false));
        assert_eq!((ab, ba), (Standing::Newer, Standing::Older), "the same moment: one of the two stays, in either order");
    }
}
