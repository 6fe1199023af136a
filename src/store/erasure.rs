//! Erased persons: receipts, the marks by which they are recognised when they come again, and the rows that name them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, entry, micros, record, time};
use crate::domain::record::Kind;
use crate::domain::{Entry, WorkspaceId};

/// One erasure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Erasure {
    pub id: String,
    pub erased_at: Timestamp,
    /// JSON: counts.
    pub receipt: String,
    /// The last change that an index must have followed.
    pub sequence: i64,
    pub purged_at: Option<Timestamp>,
}

type Row = (String, i64, String, i64, Option<i64>);

fn erasure((id, erased_at, receipt, sequence, purged_at): Row) -> Erasure {
    Erasure { id, erased_at: time(erased_at), receipt, sequence, purged_at: purged_at.map(time) }
}

/// Keeps an erasure with the marks of what went.
pub async fn put(workspace: WorkspaceId, tx: &mut Tx, new: &Erasure, marks: &[String]) -> Result<()> {
    on!(tx, c => sqlx::query("INSERT INTO erasure (workspace_id, erasure_id, erased_at, receipt, sequence) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (workspace_id, erasure_id) DO UPDATE SET sequence = excluded.sequence, purged_at = NULL")
        .bind(workspace.0).bind(&new.id).bind(micros(new.erased_at)).bind(&new.receipt).bind(new.sequence).execute(c).await?.rows_affected());
    keep_marks(workspace, tx, &new.id, new.erased_at, marks).await
}

pub async fn find(workspace: WorkspaceId, tx: &mut Tx, id: &str) -> Result<Option<Erasure>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
        "SELECT erasure_id, erased_at, receipt, sequence, purged_at FROM erasure WHERE workspace_id = $1 AND erasure_id = $2")
        .bind(workspace.0).bind(id).fetch_optional(c).await?);
    Ok(row.map(erasure))
}

/// A workspace's erasures, newest first.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<Erasure>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT erasure_id, erased_at, receipt, sequence, purged_at FROM erasure WHERE workspace_id = $1 ORDER BY erased_at DESC, erasure_id")
        .bind(workspace.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(erasure).collect())
}

/// The marks of an erasure.
pub async fn marks(workspace: WorkspaceId, tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT mark FROM erased WHERE workspace_id = $1 AND erasure_id = $2 ORDER BY mark")
        .bind(workspace.0).bind(id).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(mark,)| mark).collect())
}

/// Keeps marks of an erasure that was done before, with the time of that.
pub async fn keep_marks(workspace: WorkspaceId, tx: &mut Tx, id: &str, erased_at: Timestamp, marks: &[String]) -> Result<()> {
    for some in marks.chunks(500) {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO erased (workspace_id, mark, erasure_id, erased_at) ");
            query.push_values(some, |mut row, mark| {
                row.push_bind(workspace.0).push_bind(mark.as_str()).push_bind(id).push_bind(micros(erased_at));
            });
            query.push(" ON CONFLICT (workspace_id, mark) DO UPDATE SET erased_at = excluded.erased_at");
            query.build().execute(c).await?;
        });
    }
    Ok(())
}

/// Notes that nothing is left on the disks.
pub async fn set_purged(workspace: WorkspaceId, tx: &mut Tx, id: &str, at: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE erasure SET purged_at = $3 WHERE workspace_id = $1 AND erasure_id = $2")
        .bind(workspace.0).bind(id).bind(micros(at)).execute(c).await?.rows_affected());
    Ok(())
}

/// Whether anybody was ever erased here.
pub async fn any(workspace: WorkspaceId, tx: &mut Tx) -> Result<bool> {
    let row: Option<(String,)> = on!(tx, c => sqlx::query_as("SELECT mark FROM erased WHERE workspace_id = $1 LIMIT 1")
        .bind(workspace.0).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Which of these marks are known, with when they were made.
pub async fn known(workspace: WorkspaceId, tx: &mut Tx, marks: &[String]) -> Result<HashMap<String, Timestamp>> {
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    let rows: Vec<(String, i64)> = among(workspace, tx, "SELECT mark, erased_at FROM erased WHERE workspace_id = ", "mark", &marks, "").await?;
    Ok(rows.into_iter().map(|(mark, at)| (mark, time(at))).collect())
}

/// Everybody who took part in anything, by filter key.
pub async fn people(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<String>> {
    let rows: Vec<(String,)> =
        on!(tx, c => sqlx::query_as("SELECT DISTINCT person FROM participant WHERE workspace_id = $1").bind(workspace.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(person,)| person).collect())
}

/// Entries that may hold a person: those of the accounts, those they took part in, and all of their conversations.
pub async fn candidates(workspace: WorkspaceId, tx: &mut Tx, people: &[String], accounts: &[String]) -> Result<Vec<i64>> {
    let mut numbers: Vec<(i64,)> = Vec::new();
    for person in people {
        let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
            "SELECT number FROM participant WHERE workspace_id = $1 AND person = $2
             UNION SELECT mate.number FROM participant p JOIN entry own ON own.number = p.number
                   JOIN entry mate ON mate.workspace_id = own.workspace_id AND mate.thread_id = own.thread_id
             WHERE p.workspace_id = $1 AND p.person = $2")
            .bind(workspace.0).bind(person).fetch_all(c).await?);
        numbers.extend(rows);
    }
    for account in accounts {
        let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as("SELECT number FROM entry WHERE workspace_id = $1 AND account_id = $2")
            .bind(workspace.0).bind(account).fetch_all(c).await?);
        numbers.extend(rows);
    }
    let mut numbers: Vec<i64> = numbers.into_iter().map(|(number,)| number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Stores an entry from which somebody was taken out; where it came in as a mail, its raw copy goes. Its content hash
/// stays: the same version sent again is nothing new.
pub async fn redact_entry(workspace: WorkspaceId, tx: &mut Tx, stored: &entry::Stored, redacted: &Entry, sequence: i64) -> Result<()> {
    entry::redact(workspace, tx, stored, redacted, sequence).await?;
    for statement in [
        "DELETE FROM raw_mail WHERE workspace_id = $1 AND number = $2",
        "UPDATE mail SET hidden = '[]', subject_key = NULL WHERE workspace_id = $1 AND number = $2",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(stored.number).execute(c).await?.rows_affected());
    }
    Ok(())
}

/// A record that names somebody.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Named {
    pub kind: String,
    pub id: String,
    pub account_id: Option<String>,
    pub body: String,
}

fn pattern(needle: &str) -> String {
    format!("%{}%", needle.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// Entries in whose texts, hidden words or attachments an address stands, or that wait as somebody's own.
pub async fn entries_with(workspace: WorkspaceId, tx: &mut Tx, address: &str) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT number FROM entry WHERE workspace_id = $1
             AND (lower(body) LIKE $2 ESCAPE '\\' OR lower(details) LIKE $2 ESCAPE '\\' OR lower(subject) LIKE $2 ESCAPE '\\')
         UNION SELECT number FROM attachment_text WHERE workspace_id = $1 AND lower(text) LIKE $2 ESCAPE '\\'
         UNION SELECT number FROM mail WHERE workspace_id = $1 AND lower(hidden) LIKE $2 ESCAPE '\\'")
        .bind(workspace.0).bind(pattern(address)).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// Tickets and enrichments of a contact, in whatever account.
pub async fn records_about(workspace: WorkspaceId, tx: &mut Tx, contact_id: &str) -> Result<Vec<(Kind, String)>> {
    #[derive(serde::Deserialize)]
    struct About {
        contact_id: Option<String>,
    }
    let rows: Vec<(String, String, String)> = on!(tx, c => sqlx::query_as(
        "SELECT kind, id, body FROM record WHERE workspace_id = $1 AND kind IN ('ticket', 'enrichment') AND deleted = 0 AND words LIKE $2 ESCAPE '\\'")
        .bind(workspace.0).bind(pattern(&contact_id.to_lowercase())).fetch_all(c).await?);
    let mut found = Vec::new();
    for (kind, id, body) in rows {
        let about: About = serde_json::from_str(&body).map_err(|e| StoreError::corrupt("record", e))?;
        if about.contact_id.as_deref() == Some(contact_id) {
            found.push((kind.parse().map_err(|e| StoreError::corrupt("kind", e))?, id));
        }
    }
    Ok(found)
}

/// Records that hold a text now or held it in an earlier version.
pub async fn records_with(workspace: WorkspaceId, tx: &mut Tx, needle: &str) -> Result<Vec<Named>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT kind, id, account_id, body FROM record r WHERE workspace_id = $1 AND deleted = 0 AND (words LIKE $2 ESCAPE '\\'
             OR EXISTS (SELECT 1 FROM record_version v WHERE v.workspace_id = r.workspace_id AND v.kind = r.kind AND v.id = r.id
                        AND lower(v.body) LIKE $2 ESCAPE '\\'))")
        .bind(workspace.0).bind(pattern(needle)).fetch_all(c).await?))
}

/// Stores a record from which somebody was taken out.
pub async fn redact_record(workspace: WorkspaceId, tx: &mut Tx, kind: &str, id: &str, body: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE record SET body = $4, words = $5 WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind).bind(id).bind(body).bind(record::words(body)).execute(c).await?.rows_affected());
    Ok(())
}

/// Every kept version of a record, with what identifies it.
pub async fn versions(workspace: WorkspaceId, tx: &mut Tx, kind: &str, id: &str) -> Result<Vec<(i64, String, String)>> {
    Ok(on!(tx, c => sqlx::query_as("SELECT at, content_hash, body FROM record_version WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind).bind(id).fetch_all(c).await?))
}

pub async fn redact_version(workspace: WorkspaceId, tx: &mut Tx, kind: &str, id: &str, at: i64, hash: &str, body: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE record_version SET body = $6 WHERE workspace_id = $1 AND kind = $2 AND id = $3 AND at = $4 AND content_hash = $5")
        .bind(workspace.0).bind(kind).bind(id).bind(at).bind(hash).bind(body).execute(c).await?.rows_affected());
    Ok(())
}

/// Removes a record without a tombstone, with its versions, its addresses and its name in the change log.
pub async fn remove_record(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str, erasure_id: &str) -> Result<()> {
    for statement in [
        "DELETE FROM record WHERE workspace_id = $1 AND kind = $2 AND id = $3",
        "DELETE FROM record_version WHERE workspace_id = $1 AND kind = $2 AND id = $3",
        "DELETE FROM person_address WHERE workspace_id = $1 AND kind = $2 AND id = $3",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(kind.as_str()).bind(id).execute(c).await?.rows_affected());
    }
    on!(tx, c => sqlx::query("UPDATE change SET id = $4 WHERE workspace_id = $1 AND what = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).bind(erasure_id).execute(c).await?.rows_affected());
    Ok(())
}

/// Calendar events: uid, occurrence and calendar.
pub async fn events(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<(String, String, String)>> {
    Ok(on!(tx, c => sqlx::query_as("SELECT uid, recurrence, ics FROM calendar_event WHERE workspace_id = $1").bind(workspace.0).fetch_all(c).await?))
}

pub async fn redact_event(workspace: WorkspaceId, tx: &mut Tx, uid: &str, recurrence: &str, ics: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE calendar_event SET ics = $4 WHERE workspace_id = $1 AND uid = $2 AND recurrence = $3")
        .bind(workspace.0).bind(uid).bind(recurrence).bind(ics).execute(c).await?.rows_affected());
    Ok(())
}

pub async fn remove_event(workspace: WorkspaceId, tx: &mut Tx, uid: &str) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM calendar_event WHERE workspace_id = $1 AND uid = $2").bind(workspace.0).bind(uid).execute(c).await?.rows_affected());
    Ok(())
}

/// Gives the changes of an entry another name.
pub async fn rename_changes(workspace: WorkspaceId, tx: &mut Tx, number: i64, name: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE change SET id = $3 WHERE workspace_id = $1 AND what = 'entry' AND (number = $2 OR sequence = $2)")
        .bind(workspace.0).bind(number).bind(name).execute(c).await?.rows_affected());
    Ok(())
}

/// Forgets rows that only serve the service and name somebody by address or name key: joins that wait, kept outcomes of
/// edits and of requests that name them, Message-IDs.
pub async fn forget_rest(workspace: WorkspaceId, tx: &mut Tx, keys: &[String]) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM idempotency WHERE workspace_id = $1 AND route LIKE 'PATCH %'").bind(workspace.0).execute(c).await?.rows_affected());
    for key in keys {
        // As JSON holds it: in quotes, whole.
        let whole = serde_json::to_string(key).expect("a text");
        on!(tx, c => sqlx::query("DELETE FROM job WHERE workspace_id = $1 AND (payload LIKE $2 ESCAPE '\\' OR key = $3)")
            .bind(workspace.0).bind(pattern(&whole)).bind(key).execute(c).await?.rows_affected());
        if !key.contains('@') {
            continue;
        }
        for statement in [
            "DELETE FROM idempotency WHERE workspace_id = $1 AND lower(outcome) LIKE $2 ESCAPE '\\'",
            "DELETE FROM mail_reference WHERE workspace_id = $1 AND lower(message_id) LIKE $2 ESCAPE '\\'",
            "DELETE FROM thread_link WHERE workspace_id = $1 AND lower(message_id) LIKE $2 ESCAPE '\\'",
            "UPDATE mail SET message_id = NULL WHERE workspace_id = $1 AND lower(message_id) LIKE $2 ESCAPE '\\'",
        ] {
            on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(pattern(key)).execute(c).await?.rows_affected());
        }
    }
    Ok(())
}

/// Empties every version of an account's summary; the next one is made anew.
pub async fn empty_summaries(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<u64> {
    let rows: Vec<(i64, String, String)> = on!(tx, c => sqlx::query_as("SELECT version, draft, cause FROM summary WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).fetch_all(c).await?);
    let count = rows.len() as u64;
    for (version, draft, cause) in rows {
        let mut draft: crate::domain::summary::Draft = serde_json::from_str(&draft).map_err(|e| StoreError::corrupt("summary", e))?;
        draft.paragraphs.clear();
        let mut cause: crate::domain::summary::Cause = serde_json::from_str(&cause).map_err(|e| StoreError::corrupt("summary", e))?;
        (cause.entry_id, cause.detail) = (None, None);
        let cause = serde_json::to_string(&cause).expect("a cause is plain text");
        let draft = serde_json::to_string(&draft).expect("a draft is plain text");
        on!(tx, c => sqlx::query("UPDATE summary SET draft = $4, cause = $5, input_hash = '' WHERE workspace_id = $1 AND account_id = $2 AND version = $3")
            .bind(workspace.0).bind(account_id).bind(version).bind(draft).bind(cause).execute(c).await?.rows_affected());
    }
    Ok(count)
}
