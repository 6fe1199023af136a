//! Records: each version is kept, and what it tells about people, domains and events is acted on.

use std::collections::HashMap;

use jiff::Timestamp;

use super::entries::{Source, delete_entry, put_entry, remove_entry, take_entry};
use super::version::{Standing, StoredVersion, standing};
use super::{Outcome, Status};
use crate::config::Config;
use crate::domain::address::is_free_mail;
use crate::domain::record::{Change as RecordChange, Kind, Record, Version, Workspace};
use crate::domain::{Address, WorkspaceId};
use crate::ingest::derive;
use crate::ingest::record::Rejection;
use crate::pipeline::erase::Erased;
use crate::pipeline::once::{self, Once};
use crate::pipeline::triggers::{self, Asked};
use crate::pipeline::{Result as PipelineResult, Service, join};
use crate::store::change::{self, Action, NewChange};
use crate::store::{Result, Tx, account, entry, party, record, workspace as workspaces};

/// Takes records in order, all in one transaction; each rejected one changes nothing.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn records(
    service: &Service,
    workspace: WorkspaceId,
    items: Vec<std::result::Result<Version, Rejection>>,
    once: Option<Once>,
) -> PipelineResult<Vec<Outcome>> {
    let (now, config) = (service.clock.now(), service.config.clone());
    let taken = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(items.len());
            let mut asked = Asked::default();
            for item in items {
                outcomes.push(match item {
                    Ok(version) => take(workspace, tx, &version, &mut asked, &config, now).await?,
                    Err(rejection) => Outcome::rejected(rejection),
                });
            }
            Ok(Ok(outcomes))
        })
    });
    taken.await
}

/// Adds domains to the workspace's own.
pub async fn add_us_domains(service: &Service, workspace: WorkspaceId, domains: Vec<String>) -> PipelineResult<Outcome> {
    let (now, config) = (service.clock.now(), service.config.clone());
    let outcome = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            let stored: Option<Workspace> = record::get(workspace, tx, Kind::Workspace, "").await?;
            let mut wanted = stored.unwrap_or(Workspace { us_domains: Vec::new(), timezone: None });
            wanted.us_domains.extend(domains);
            wanted.us_domains.sort();
            wanted.us_domains.dedup();
            let version = Version { change: RecordChange::Put(Record::Workspace(wanted)), updated_at: None };
            take(workspace, tx, &version, &mut Asked::default(), &config, now).await
        })
    });
    Ok(outcome.await?)
}

pub(in crate::pipeline) async fn take(
    workspace: WorkspaceId,
    tx: &mut Tx,
    version: &Version,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    if let RecordChange::Put(Record::Entry(entry)) = &version.change {
        return take_entry(workspace, tx, entry, version.updated_at, asked, config, now).await;
    }
    let (kind, id) = (version.kind(), version.id());
    if let RecordChange::Put(record) = &version.change
        && let Some(outcome) = erased(workspace, tx, record).await?
    {
        return Ok(outcome);
    }
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
    let at = match version.updated_at {
        Some(at) => at,
        // Without a date the order of arrival counts, also among versions of one moment.
        None => record::newest_version(workspace, tx, kind, id).await?.map_or(now, |newest| now.max(newest + jiff::SignedDuration::from_micros(1))),
    };
    if standing == Standing::Older && !deletes {
        // Too late to be the record, but part of its history: a stage it once had.
        if causes_entries(kind) {
            record::keep_version(workspace, tx, kind, id, at, &body).await?;
            derive_entries(workspace, tx, kind, id, asked, config, now).await?;
        }
        return Ok(Outcome::of(Status::Unchanged, kind, id, None));
    }
    if standing != Standing::Newer {
        if let (Some(stored), Some(new)) = (&stored, version.updated_at)
            && stored.updated_at().is_none_or(|old| new > old)
        {
            // The same content confirmed later: what lies between is older than this.
            record::confirm(workspace, tx, kind, &stored.id, new, now).await?;
        }
        return Ok(Outcome::of(Status::Unchanged, kind, id, None));
    }
    let living = stored.as_ref().is_some_and(|s| !s.is_deleted());
    let account_id = match &version.change {
        RecordChange::Put(record) => record.account_id().map(str::to_owned),
        RecordChange::Delete { .. } => stored.as_ref().and_then(|s| s.account_id.clone()),
    };
    let action = if deletes {
        Action::Deleted
    } else if living {
        Action::Updated
    } else {
        Action::Added
    };
    let sequence =
        change::append(workspace, tx, NewChange { what: kind.as_str(), id, number: None, account_id: account_id.as_deref(), action }, now).await?;
    let updated_at = if deletes { Some(at) } else { version.updated_at.or(stored.as_ref().and_then(record::Stored::updated_at)) };
    record::put(
        workspace,
        tx,
        &record::New { kind, id, account_id: account_id.as_deref(), body: &body, deleted: deletes, updated_at, received_at: now, sequence },
    )
    .await?;
    match &version.change {
        RecordChange::Put(record) => {
            if causes_entries(kind) {
                record::keep_version(workspace, tx, kind, id, at, &body).await?;
            }
            know(workspace, tx, record, config, now).await?;
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

/// What is said about a record that was erased; none when it is to be taken.
async fn erased(workspace: WorkspaceId, tx: &mut Tx, record: &Record) -> Result<Option<Outcome>> {
    let (kind, id) = (record.kind(), record.id());
    let addresses: Vec<Address> = match record {
        Record::Contact(contact) => contact.emails.iter().filter_map(|email| Address::parse(email)).collect(),
        Record::Ticket(_) | Record::Enrichment(_) => Vec::new(),
        _ => return Ok(None),
    };
    let erased = Erased::look_up(workspace, tx, &[(kind.as_str(), id)], &addresses.iter().collect::<Vec<_>>()).await?;
    let at = match record {
        // The address of an erased person may be met again: by whoever was made known after that.
        Record::Contact(contact) => {
            let known = addresses.iter().filter_map(|address| erased.address(address));
            erased.id(kind.as_str(), id).or(known.filter(|at| contact.created_at.is_none_or(|created| created <= *at)).max())
        }
        _ => erased.id(kind.as_str(), id),
    };
    let rejected = |at: Timestamp| {
        let reason = format!("it was erased on {} and does not come back", at.strftime("%Y-%m-%d"));
        Outcome::rejected(Rejection { kind: Some(kind.to_string()), id: Some(id.to_owned()), reason })
    };
    Ok(at.map(rejected))
}

fn causes_entries(kind: Kind) -> bool {
    matches!(kind, Kind::Deal | Kind::Contact | Kind::Enrichment | Kind::Ticket | Kind::Task | Kind::Quote | Kind::Order)
}

/// What a record tells about who is who.
async fn know(workspace: WorkspaceId, tx: &mut Tx, record: &Record, config: &Config, now: Timestamp) -> Result<()> {
    match record {
        Record::Workspace(settings) => {
            workspaces::set_timezone(workspace, tx, settings.timezone.as_deref()).await?;
            let changed = workspaces::set_us_domains(workspace, tx, "workspace", &settings.us_domains).await?;
            join::ask(workspace, tx, &[], &changed, now).await
        }
        Record::Account(account) => {
            account::set_known(workspace, tx, &account.id, Some(account.display_name())).await?;
            triggers::on_account(workspace, tx, &account.id, config, now).await?;
            let domains: Vec<String> = account.domains.iter().filter(|d| !is_free_mail(d)).cloned().collect();
            let changed = party::set_account_domains(workspace, tx, &account.id, &domains).await?;
            join::ask(workspace, tx, &[], &changed, now).await
        }
        Record::TeamMember(member) => {
            let addresses: Vec<Address> = member.email.iter().filter_map(|e| Address::parse(e)).collect();
            let domains: Vec<String> = addresses.iter().map(|a| a.domain().to_owned()).filter(|d| !is_free_mail(d)).collect();
            let source = format!("team_member:{}", member.id);
            let changed = party::set_addresses(workspace, tx, Kind::TeamMember, &member.id, None, &addresses, member.name.as_deref()).await?;
            let changed_domains = workspaces::set_us_domains(workspace, tx, &source, &domains).await?;
            join::ask(workspace, tx, &changed, &changed_domains, now).await
        }
        Record::Contact(contact) => {
            let addresses: Vec<Address> = contact.emails.iter().filter_map(|e| Address::parse(e)).collect();
            let changed =
                party::set_addresses(workspace, tx, Kind::Contact, &contact.id, Some(&contact.account_id), &addresses, contact.name.as_deref())
                    .await?;
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
            let changed = party::set_addresses(workspace, tx, kind, id, None, &[], None).await?;
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
    let source = Source { given: true, origin: Some(&origin), version: None };
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
            put_entry(workspace, tx, &mut new, Some(&stored), source, asked, config, now).await?;
        } else {
            put_entry(workspace, tx, &mut new, None, source, asked, config, now).await?;
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
