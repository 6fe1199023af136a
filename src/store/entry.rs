//! The timeline: entries with their spans, counts and participants.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, account, micros, time};
use crate::domain::address::registrable;
use crate::domain::entry::{Entry, EntryType, Flag};
use crate::domain::span::Span;
use crate::domain::{Address, WorkspaceId};

/// An entry as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub number: i64,
    pub entry: Entry,
    pub spans: Vec<Span>,
    pub flags: Vec<Flag>,
    /// How its account was found; none while unmatched.
    pub rule: Option<String>,
    /// `kind:id` of the record that caused it.
    pub origin: Option<String>,
    pub internal: bool,
    /// Whether someone said it and it may be counted and cited: not internal, not automatic, not an event.
    pub communication: bool,
    pub updated_at: Option<Timestamp>,
    pub content_hash: String,
    pub sequence: i64,
}

/// An entry about to be stored. `number` is the sequence number of the change that adds it.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub number: i64,
    pub sequence: i64,
    pub entry: &'a Entry,
    pub spans: &'a [Span],
    pub flags: &'a [Flag],
    pub rule: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub unmatched_domain: Option<&'a str>,
    pub updated_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub content_hash: &'a str,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    account_id: Option<String>,
    rule: Option<String>,
    r#type: String,
    subject: Option<String>,
    body: String,
    details: String,
    spans: String,
    flags: String,
    internal: i64,
    communication: i64,
    thread_id: Option<String>,
    origin: Option<String>,
    updated_at: Option<i64>,
    content_hash: String,
    sequence: i64,
}

/// The columns of [`Row`]; a macro because SQL texts are constants.
macro_rules! columns {
    () => {
        "number, account_id, rule, type, subject, body, details, spans, flags, internal, communication, thread_id, origin, updated_at, content_hash, sequence"
    };
}

impl TryFrom<Row> for Stored {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Stored> {
        let mut entry: Entry = serde_json::from_str(&row.details).map_err(|e| StoreError::corrupt("entry", e))?;
        entry.account_id = row.account_id;
        entry.r#type = row.r#type.parse().map_err(|e| StoreError::corrupt("entry type", e))?;
        entry.subject = row.subject;
        entry.body = row.body;
        entry.thread_id = row.thread_id;
        Ok(Stored {
            number: row.number,
            entry,
            spans: serde_json::from_str(&row.spans).map_err(|e| StoreError::corrupt("spans", e))?,
            flags: serde_json::from_str(&row.flags).map_err(|e| StoreError::corrupt("flags", e))?,
            rule: row.rule,
            origin: row.origin,
            internal: row.internal != 0,
            communication: row.communication != 0,
            updated_at: row.updated_at.map(time),
            content_hash: row.content_hash,
            sequence: row.sequence,
        })
    }
}

/// The entry's fields that have no column of their own, as JSON.
fn details(entry: &Entry) -> String {
    let rest = Entry { account_id: None, subject: None, body: String::new(), thread_id: None, ..entry.clone() };
    serde_json::to_string(&rest).expect("an entry holds only strings, numbers and lists")
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("spans and flags are plain values")
}

/// Stores a new entry with its participants, and counts it.
pub async fn insert(workspace: WorkspaceId, tx: &mut Tx, new: &New<'_>) -> Result<()> {
    let e = new.entry;
    on!(tx, c => sqlx::query(
        "INSERT INTO entry (number, workspace_id, id, account_id, rule, type, occurred_at, subject, body, details, spans, flags, internal,
                            communication, thread_id, deal_id, origin, unmatched_domain, updated_at, received_at, content_hash, sequence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)")
        .bind(new.number).bind(workspace.0).bind(&e.id).bind(e.account_id.as_deref()).bind(new.rule).bind(e.r#type.as_str())
        .bind(micros(e.occurred_at)).bind(e.subject.as_deref()).bind(&e.body).bind(details(e)).bind(json(&new.spans))
        .bind(json(&new.flags)).bind(i64::from(e.is_internal())).bind(i64::from(e.counts_as_said(new.spans, new.flags))).bind(e.thread_id.as_deref()).bind(e.deal_id.as_deref())
        .bind(new.origin).bind(new.unmatched_domain).bind(new.updated_at.map(micros)).bind(micros(new.received_at))
        .bind(new.content_hash).bind(new.sequence).execute(c).await?.rows_affected());
    insert_participants(workspace, tx, new.number, e).await?;
    count(workspace, tx, e.account_id.as_deref(), e.r#type, 1, new.received_at);
    Ok(())
}

async fn insert_participants(workspace: WorkspaceId, tx: &mut Tx, number: i64, entry: &Entry) -> Result<()> {
    let people: Vec<_> = people(entry).into_iter().collect();
    // Databases limit the values of one statement.
    for some in people.chunks(1_000) {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO participant (number, person, workspace_id, domain) ");
            query.push_values(some, |mut row, (person, domain)| {
                row.push_bind(number).push_bind(person.as_str()).push_bind(workspace.0).push_bind(domain.as_deref());
            });
            query.build().execute(c).await?;
        });
    }
    Ok(())
}

/// Everyone who took part, by filter key, with the registrable domain of those who have an address.
pub fn people(entry: &Entry) -> BTreeMap<String, Option<String>> {
    let participants = entry.participants.iter().map(|p| (p.key(), p.address()));
    let speakers = entry.transcript.iter().map(|s| {
        let address = s.email.as_deref().and_then(Address::parse);
        let name = s.speaker.as_deref().and_then(crate::domain::entry::name_key);
        (address.as_ref().map(|a| a.as_str().to_owned()).or(name), address)
    });
    participants.chain(speakers).filter_map(|(key, address)| Some((key?, address.map(|a| registrable(a.domain()).to_owned())))).collect()
}

/// Entries that came and went within a transaction, by workspace, account and type.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(WorkspaceId, String, EntryType), i64>,
    now: Timestamp,
}

fn count(workspace: WorkspaceId, tx: &mut Tx, account_id: Option<&str>, r#type: EntryType, by: i64, now: Timestamp) {
    *tx.tally.counts.entry((workspace, account_id.unwrap_or_default().to_owned(), r#type)).or_default() += by;
    tx.tally.now = tx.tally.now.max(now);
}

/// Brings counts and last activities up to date with what the transaction did: once for many entries.
pub(super) async fn settle(tx: &mut Tx) -> Result<()> {
    let Tally { counts, now } = std::mem::take(&mut tx.tally);
    let mut accounts = BTreeSet::new();
    for ((workspace, account_id, r#type), by) in counts {
        on!(tx, c => sqlx::query(
            "INSERT INTO entry_count (workspace_id, account_id, type, count) VALUES ($1, $2, $3, $4)
             ON CONFLICT (workspace_id, account_id, type) DO UPDATE SET count = entry_count.count + excluded.count")
            .bind(workspace.0).bind(&account_id).bind(r#type.as_str()).bind(by).execute(c).await?.rows_affected());
        accounts.insert((workspace, account_id));
    }
    for (workspace, account_id) in accounts {
        account::number(workspace, tx, &account_id).await?;
        on!(tx, c => sqlx::query(
            "UPDATE account SET last_activity_at = (SELECT max(occurred_at) FROM entry
                 WHERE workspace_id = $1 AND account_id = $2 AND occurred_at <= $3)
             WHERE workspace_id = $1 AND account_id = $2")
            .bind(workspace.0).bind(&account_id).bind(micros(now)).execute(c).await?.rows_affected());
    }
    Ok(())
}

/// Replaces an entry by another version of itself.
pub async fn update(workspace: WorkspaceId, tx: &mut Tx, before: &Stored, new: &New<'_>) -> Result<()> {
    let e = new.entry;
    on!(tx, c => sqlx::query(
        "UPDATE entry SET account_id = $3, rule = $4, type = $5, occurred_at = $6, subject = $7, body = $8, details = $9, spans = $10,
             flags = $11, internal = $12, communication = $13, thread_id = $14, deal_id = $15, unmatched_domain = $16, updated_at = $17,
             content_hash = $18, sequence = $19
         WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(before.number).bind(e.account_id.as_deref()).bind(new.rule).bind(e.r#type.as_str())
        .bind(micros(e.occurred_at)).bind(e.subject.as_deref()).bind(&e.body).bind(details(e)).bind(json(&new.spans))
        .bind(json(&new.flags)).bind(i64::from(e.is_internal())).bind(i64::from(e.counts_as_said(new.spans, new.flags))).bind(e.thread_id.as_deref()).bind(e.deal_id.as_deref())
        .bind(new.unmatched_domain).bind(new.updated_at.map(micros)).bind(new.content_hash).bind(new.sequence).execute(c).await?.rows_affected());
    on!(tx, c => sqlx::query("DELETE FROM participant WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(before.number).execute(c).await?.rows_affected());
    insert_participants(workspace, tx, before.number, e).await?;
    super::reading::forget(workspace, tx, before.number).await?;
    count(workspace, tx, before.entry.account_id.as_deref(), before.entry.r#type, -1, new.received_at);
    count(workspace, tx, e.account_id.as_deref(), e.r#type, 1, new.received_at);
    Ok(())
}

/// Replaces the words of an entry from which somebody was taken out; what each stretch of the body is stays.
pub async fn redact(workspace: WorkspaceId, tx: &mut Tx, before: &Stored, redacted: &Entry, sequence: i64) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE entry SET subject = $3, body = $4, details = $5, sequence = $6 WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(before.number).bind(redacted.subject.as_deref()).bind(&redacted.body).bind(details(redacted)).bind(sequence)
        .execute(c).await?.rows_affected());
    on!(tx, c => sqlx::query("DELETE FROM participant WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(before.number).execute(c).await?.rows_affected());
    super::reading::forget(workspace, tx, before.number).await?;
    insert_participants(workspace, tx, before.number, redacted).await
}

pub async fn delete(workspace: WorkspaceId, tx: &mut Tx, stored: &Stored, now: Timestamp) -> Result<()> {
    for statement in [
        "DELETE FROM entry WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM participant WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM reading WHERE workspace_id = $1 AND number = $2",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(stored.number).execute(c).await?.rows_affected());
    }
    super::mail::delete(workspace, tx, stored.number).await?;
    count(workspace, tx, stored.entry.account_id.as_deref(), stored.entry.r#type, -1, now);
    Ok(())
}

/// Sets what a reader should know about how it came in.
pub async fn set_flags(workspace: WorkspaceId, tx: &mut Tx, stored: &Stored, flags: &[Flag], sequence: i64) -> Result<()> {
    let counts = stored.entry.counts_as_said(&stored.spans, flags);
    on!(tx, c => sqlx::query("UPDATE entry SET flags = $3, communication = $4, sequence = $5 WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(stored.number).bind(json(&flags)).bind(i64::from(counts)).bind(sequence).execute(c).await?.rows_affected());
    Ok(())
}

/// Names its thread.
pub async fn set_thread(workspace: WorkspaceId, tx: &mut Tx, number: i64, thread_id: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE entry SET thread_id = $3 WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(number).bind(thread_id).execute(c).await?.rows_affected());
    Ok(())
}

pub async fn find(workspace: WorkspaceId, tx: &mut Tx, id: &str) -> Result<Option<Stored>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(concat!("SELECT ", columns!(), " FROM entry WHERE workspace_id = $1 AND id = $2"))
        .bind(workspace.0).bind(id).fetch_optional(c).await?);
    row.map(Stored::try_from).transpose()
}

/// The number of the entry with this id.
pub async fn number(workspace: WorkspaceId, tx: &mut Tx, id: &str) -> Result<Option<i64>> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT number FROM entry WHERE workspace_id = $1 AND id = $2")
        .bind(workspace.0).bind(id).fetch_optional(c).await?);
    Ok(row.map(|(number,)| number))
}

/// Which of these ids are in the timeline, with their numbers.
pub async fn numbers_of(workspace: WorkspaceId, tx: &mut Tx, ids: &[&str]) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = among(workspace, tx, "SELECT id, number FROM entry WHERE workspace_id = ", "id", ids, "").await?;
    Ok(rows.into_iter().collect())
}

/// The entries with these numbers, in no particular order; those that are gone are left out.
pub async fn by_numbers(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<Vec<Stored>> {
    // The plus keeps SQLite from walking the workspace instead of looking the numbers up.
    let select = concat!("SELECT ", columns!(), " FROM entry WHERE +workspace_id = ");
    let rows: Vec<Row> = among(workspace, tx, select, "number", numbers, "").await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// When the first and the last entry of an account happened.
pub async fn extent(workspace: WorkspaceId, tx: &mut Tx, account_number: i64) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let (first, last): (Option<i64>, Option<i64>) = on!(tx, c => sqlx::query_as(
        "SELECT (SELECT min(occurred_at) FROM entry WHERE workspace_id = a.workspace_id AND account_id = a.account_id),
                (SELECT max(occurred_at) FROM entry WHERE workspace_id = a.workspace_id AND account_id = a.account_id)
         FROM account a WHERE a.workspace_id = $1 AND a.number = $2")
        .bind(workspace.0).bind(account_number).fetch_optional(c).await?)
    .unwrap_or_default();
    Ok((first.map(time), last.map(time)))
}

/// The entries that a record caused.
pub async fn of_origin(workspace: WorkspaceId, tx: &mut Tx, origin: &str) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(concat!("SELECT ", columns!(), " FROM entry WHERE workspace_id = $1 AND origin = $2"))
        .bind(workspace.0).bind(origin).fetch_all(c).await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// A workspace's entries after a number, in order, for building the index.
pub async fn after_number(workspace: WorkspaceId, tx: &mut Tx, number: i64, limit: i64) -> Result<Vec<Stored>> {
    // The plus keeps SQLite on the order of numbers.
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(concat!(
        "SELECT ", columns!(), " FROM entry WHERE +workspace_id = $1 AND number > $2 ORDER BY number LIMIT $3"))
        .bind(workspace.0).bind(number).bind(limit).fetch_all(c).await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// Every entry's number and id.
pub async fn ids(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    Ok(on!(tx, c => sqlx::query_as("SELECT number, id FROM entry WHERE workspace_id = $1").bind(workspace.0).fetch_all(c).await?))
}

/// The workspaces that have entries.
pub async fn workspaces(tx: &mut Tx) -> Result<Vec<WorkspaceId>> {
    let rows: Vec<(i64,)> =
        on!(tx, c => sqlx::query_as("SELECT DISTINCT workspace_id FROM entry_count WHERE count > 0 ORDER BY workspace_id").fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id,)| WorkspaceId(id)).collect())
}

/// Whether anybody with this filter key took part in anything.
pub async fn has_participant(workspace: WorkspaceId, tx: &mut Tx, person: &str) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT number FROM participant WHERE workspace_id = $1 AND person = $2 LIMIT 1")
        .bind(workspace.0).bind(person).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Entries in which this person (a filter key) or registrable domain took part, after a number: those whose account
/// follows from the people on them, and calls and meetings, whose speakers' sides do.
pub async fn with_parties(
    workspace: WorkspaceId,
    tx: &mut Tx,
    person: Option<&str>,
    domain: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT DISTINCT p.number FROM participant p CROSS JOIN entry e
         WHERE p.workspace_id = $1 AND (p.person = $2 OR p.domain = $3) AND p.number > $4 AND e.number = p.number
           AND (e.rule IS NULL OR e.rule <> 'given' OR e.type IN ('call', 'meeting')) ORDER BY p.number LIMIT $5")
        .bind(workspace.0).bind(person).bind(domain).bind(after).bind(limit).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// Which entries of an account a reader wants.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub types: Vec<EntryType>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Filter keys of which one must have taken part; `None`: anyone.
    pub people: Option<Vec<String>>,
}

/// Where a page of the timeline ended.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct After {
    pub occurred_at: i64,
    pub number: i64,
}

impl Stored {
    pub fn after(&self) -> After {
        After { occurred_at: micros(self.entry.occurred_at), number: self.number }
    }
}

macro_rules! push_filter {
    ($query:expr, $workspace:expr, $account_id:expr, $filter:expr, $types:expr) => {{
        $query.push_bind($workspace.0).push(" AND account_id = ").push_bind($account_id);
        if !$types.is_empty() {
            $query.push(" AND type IN (");
            let mut list = $query.separated(", ");
            for r#type in $types {
                list.push_bind(r#type.as_str());
            }
            $query.push(")");
        }
        if let Some(from) = $filter.from {
            $query.push(" AND occurred_at >= ").push_bind(micros(from));
        }
        if let Some(to) = $filter.to {
            $query.push(" AND occurred_at < ").push_bind(micros(to));
        }
        if let Some(people) = &$filter.people {
            $query.push(
                " AND EXISTS (SELECT 1 FROM participant p WHERE p.workspace_id = entry.workspace_id AND p.number = entry.number AND p.person IN (",
            );
            let mut list = $query.separated(", ");
            list.push_bind("");
            for person in people {
                list.push_bind(person.as_str());
            }
            $query.push("))");
        }
    }};
}

/// A page of an account's entries, newest first.
pub async fn timeline(
    workspace: WorkspaceId,
    tx: &mut Tx,
    account_id: &str,
    filter: &Filter,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = sqlx::QueryBuilder::new(concat!("SELECT ", columns!(), " FROM entry WHERE workspace_id = "));
        push_filter!(query, workspace, account_id, filter, &filter.types);
        if let Some(after) = after {
            query.push(" AND (occurred_at, number) < (").push_bind(after.occurred_at).push(", ").push_bind(after.number).push(")");
        }
        query.push(" ORDER BY occurred_at DESC, number DESC LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(Stored::try_from).collect()
}

/// How many entries of each type there are under the filter, whatever types it asks for.
pub async fn counts(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, filter: &Filter) -> Result<BTreeMap<EntryType, i64>> {
    let unfiltered = filter.from.is_none() && filter.to.is_none() && filter.people.is_none();
    let rows: Vec<(String, i64)> = if unfiltered {
        on!(tx, c => sqlx::query_as("SELECT type, count FROM entry_count WHERE workspace_id = $1 AND account_id = $2 AND count > 0")
            .bind(workspace.0).bind(account_id).fetch_all(c).await?)
    } else {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("SELECT type, count(*) FROM entry WHERE workspace_id = ");
            push_filter!(query, workspace, account_id, filter, &[] as &[EntryType]);
            query.push(" GROUP BY type");
            query.build_query_as().fetch_all(c).await?
        })
    };
    rows.into_iter().map(|(t, n)| Ok((t.parse().map_err(|e| StoreError::corrupt("entry type", e))?, n))).collect()
}

/// The time of the newest communication other than `other_than`.
pub async fn newest_communication(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, other_than: i64) -> Result<Option<Timestamp>> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT occurred_at FROM entry WHERE workspace_id = $1 AND account_id = $2 AND number <> $3
           AND communication = 1 ORDER BY occurred_at DESC, number DESC LIMIT 1")
        .bind(workspace.0).bind(account_id).bind(other_than).fetch_optional(c).await?);
    Ok(row.map(|(at,)| time(at)))
}

/// An account's communications, oldest first, for reading all of them.
pub async fn communications(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(concat!("SELECT ", columns!(),
        " FROM entry WHERE workspace_id = $1 AND account_id = $2 AND communication = 1 ORDER BY occurred_at, number"))
        .bind(workspace.0).bind(account_id).fetch_all(c).await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// Whether an account has entries.
pub async fn any(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT number FROM entry WHERE workspace_id = $1 AND account_id = $2 LIMIT 1")
        .bind(workspace.0).bind(account_id).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// How many entries of an account changed after a sequence number.
pub async fn changed_after(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, sequence: i64) -> Result<i64> {
    let (count,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM entry WHERE workspace_id = $1 AND account_id = $2 AND sequence > $3")
        .bind(workspace.0).bind(account_id).bind(sequence).fetch_one(c).await?);
    Ok(count)
}

/// Ids, content hashes and last changes of an account's entries, sorted. (Sorted here: asked for an order, SQLite would walk the index
/// of all ids of the workspace.)
pub async fn hashes(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<Vec<(String, String, i64)>> {
    let mut hashes: Vec<(String, String, i64)> = on!(tx, c => sqlx::query_as("SELECT id, content_hash, sequence FROM entry WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).fetch_all(c).await?);
    hashes.sort_unstable();
    Ok(hashes)
}
