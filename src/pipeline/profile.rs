//! The 360 profile of an account: every section from what is stored, one snapshot, no model.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{PipelineError, Result, Service, refresh, sentiment};
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::domain::reading::ListedEntry;
use crate::domain::record::{Account, Contact, Deal, Kind, Task, TeamMember, Ticket};
use crate::domain::sentiment::AccountSentiment;
use crate::domain::summary::Summary;
use crate::store::{Tx, account, entry, reading, record, summary};

words! { State { Ready = "ready", Empty = "empty", Stale = "stale" } }

/// One part of the profile. `data` is null when the section is empty.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Section<T> {
    pub state: State,
    pub data: Option<T>,
}

impl<T> Section<T> {
    fn of(data: Option<T>) -> Section<T> {
        Section { state: if data.is_some() { State::Ready } else { State::Empty }, data }
    }
}

impl<T> Section<Vec<T>> {
    fn list(items: Vec<T>) -> Section<Vec<T>> {
        Section::of((!items.is_empty()).then_some(items))
    }
}

/// The profile.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Profile {
    pub as_of: Timestamp,
    pub sections: Sections,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sections {
    pub header: Section<Header>,
    pub summary: Section<Summary>,
    /// Of the last 90 days.
    pub sentiment: Section<AccountSentiment>,
    pub deals: Section<Vec<Deal>>,
    pub communications: Section<Communications>,
    pub contacts: Section<Vec<Contact>>,
    pub tickets: Section<Vec<Ticket>>,
    pub upcoming: Section<Vec<Upcoming>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Header {
    pub account: Account,
    pub owner: Option<TeamMember>,
    pub last_activity_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Communications {
    /// The newest ten, newest first.
    pub newest: Vec<ListedEntry>,
    /// All entries of the timeline by type.
    pub counts: BTreeMap<String, i64>,
}

/// Something that is to come: a meeting or call in the future, or an open task.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Upcoming {
    /// `meeting`, `call` or `task`.
    pub kind: String,
    pub id: String,
    pub at: Option<Timestamp>,
    pub subject: Option<String>,
}

const NEWEST: i64 = 10;

/// Entries as lists show them.
pub async fn listed(workspace: WorkspaceId, tx: &mut Tx, stored: Vec<entry::Stored>) -> Result<Vec<ListedEntry>> {
    let numbers: Vec<i64> = stored.iter().map(|stored| stored.number).collect();
    let mut readings = reading::of(workspace, tx, &numbers).await?;
    let listed = |stored: entry::Stored| {
        let sentiment = readings.remove(&stored.number).and_then(|reading| reading.sentiment);
        ListedEntry { entry: stored.entry, flags: stored.flags, sentiment }
    };
    Ok(stored.into_iter().map(listed).collect())
}

/// Reads the profile.
///
/// # Errors
/// When the account is unknown.
pub async fn read(service: &Service, workspace: WorkspaceId, account_id: &str) -> Result<Profile> {
    let now = service.clock.now();
    let mut tx = service.store.read(workspace).await?;
    let tx = &mut tx;
    let missing = || PipelineError::NotFound(format!("account {account_id:?}"));
    let row = account::find(workspace, tx, account_id).await?.ok_or_else(missing)?;
    let account: Account = record::get(workspace, tx, Kind::Account, account_id).await?.ok_or_else(missing)?;
    let owner = match &account.owner_id {
        Some(owner) => record::get(workspace, tx, Kind::TeamMember, owner).await?,
        None => None,
    };
    let header = Header { account, owner, last_activity_at: row.last_activity_at };
    let summary = match summary::exists(workspace, tx, account_id).await? {
        true => Some(refresh::shown(workspace, tx, account_id, None).await?),
        false => None,
    };
    let stale = summary.as_ref().is_some_and(|s| s.stale);
    let mut summary = Section::of(summary);
    if stale {
        summary.state = State::Stale;
    }
    let sentiment = sentiment::read(workspace, tx, account_id, sentiment::WINDOW_DAYS, now).await?;
    let mut deals: Vec<Deal> = record::of_account(workspace, tx, Kind::Deal, account_id).await?;
    deals.sort_by_key(|d| (!d.is_open(), d.close_date));
    let mut tickets: Vec<Ticket> = record::of_account(workspace, tx, Kind::Ticket, account_id).await?;
    tickets.sort_by_key(|t| (!t.is_open(), std::cmp::Reverse(t.priority), std::cmp::Reverse(t.created_at)));
    let contacts: Vec<Contact> = record::of_account(workspace, tx, Kind::Contact, account_id).await?;
    let said: Vec<EntryType> = EntryType::ALL.iter().copied().filter(|t| t.is_communication()).collect();
    let past = entry::Filter { types: said, to: Some(now), ..entry::Filter::default() };
    let newest = entry::timeline(workspace, tx, account_id, &past, None, NEWEST).await?;
    let newest = listed(workspace, tx, newest).await?;
    let counts = entry::counts(workspace, tx, account_id, &entry::Filter::default()).await?;
    let counts: BTreeMap<String, i64> = counts.into_iter().map(|(t, n)| (t.to_string(), n)).collect();
    let communications = Section::of((!counts.is_empty()).then_some(Communications { newest, counts }));
    let future = entry::Filter { types: vec![EntryType::Meeting, EntryType::Call], from: Some(now), ..entry::Filter::default() };
    let mut upcoming: Vec<Upcoming> = entry::timeline(workspace, tx, account_id, &future, None, NEWEST)
        .await?
        .into_iter()
        .map(|s| Upcoming { kind: s.entry.r#type.to_string(), id: s.entry.id, at: Some(s.entry.occurred_at), subject: s.entry.subject })
        .collect();
    let tasks: Vec<Task> = record::of_account(workspace, tx, Kind::Task, account_id).await?;
    upcoming.extend(tasks.into_iter().filter(|t| t.completed_at.is_none()).map(|t| Upcoming {
        kind: Kind::Task.to_string(),
        id: t.id,
        at: t.due_at,
        subject: t.subject,
    }));
    upcoming.sort_by_key(|u| (u.at.is_none(), u.at));
    Ok(Profile {
        as_of: now,
        sections: Sections {
            header: Section::of(Some(header)),
            summary,
            sentiment: Section::of((sentiment.messages > 0).then_some(sentiment)),
            deals: Section::list(deals),
            communications,
            contacts: Section::list(contacts),
            tickets: Section::list(tickets),
            upcoming: Section::list(upcoming),
        },
    })
}
