//! The change log: every accepted change in order, for the index and for listeners.

use jiff::Timestamp;

use super::database::on;
use super::{Result, Tx, micros};
use crate::domain::WorkspaceId;

words! { Action { Added = "added", Updated = "updated", Deleted = "deleted" } }

/// What changed: an entry by number, or anything else by name.
#[derive(Debug, Clone)]
pub struct NewChange<'a> {
    pub what: &'a str,
    pub id: &'a str,
    pub number: Option<i64>,
    pub account_id: Option<&'a str>,
    pub action: Action,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Change {
    pub sequence: i64,
    pub workspace_id: i64,
    pub what: String,
    pub id: String,
    pub number: Option<i64>,
    pub account_id: Option<String>,
    pub action: String,
}

/// Appends a change and returns its sequence number. Numbers are in commit order, as there is one writer at a time.
pub async fn append(workspace: WorkspaceId, tx: &mut Tx, change: NewChange<'_>, now: Timestamp) -> Result<i64> {
    let (sequence,): (i64,) = on!(tx, c => sqlx::query_as(
        "INSERT INTO change (workspace_id, what, id, number, account_id, action, at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING sequence")
        .bind(workspace.0).bind(change.what).bind(change.id).bind(change.number).bind(change.account_id)
        .bind(change.action.as_str()).bind(micros(now)).fetch_one(c).await?);
    tx.sequence = sequence;
    Ok(sequence)
}

/// Appends for each entry of a conversation that it is in another one.
pub async fn append_of_thread(workspace: WorkspaceId, tx: &mut Tx, thread_id: &str, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO change (workspace_id, what, id, number, account_id, action, at)
         SELECT workspace_id, 'thread', id, number, account_id, 'updated', $3 FROM entry WHERE workspace_id = $1 AND thread_id = $2 ORDER BY number")
        .bind(workspace.0).bind(thread_id).bind(micros(now)).execute(c).await?.rows_affected());
    tx.sequence = last_of(workspace, tx).await?;
    Ok(())
}

/// The next changes of entries in all workspaces after `sequence`, oldest first: what the indexes follow. What was read from
/// entries is among them, their moves between conversations, and erasures, so that each index gets rid of the words.
pub async fn entries_after(tx: &mut Tx, sequence: i64, limit: i64) -> Result<Vec<Change>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT sequence, workspace_id, what, id, number, account_id, action FROM change
         WHERE sequence > $1 AND what IN ('entry', 'reading', 'thread', 'erasure') ORDER BY sequence LIMIT $2")
        .bind(sequence).bind(limit).fetch_all(c).await?))
}

/// The same of one workspace.
pub async fn of_entries(workspace: WorkspaceId, tx: &mut Tx, sequence: i64, limit: i64) -> Result<Vec<Change>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT sequence, workspace_id, what, id, number, account_id, action FROM change
         WHERE workspace_id = $1 AND sequence > $2 AND what IN ('entry', 'reading', 'thread', 'erasure') ORDER BY sequence LIMIT $3")
        .bind(workspace.0).bind(sequence).bind(limit).fetch_all(c).await?))
}

/// The first change of a workspace's entries after `sequence`.
pub async fn first_of_entries(workspace: WorkspaceId, tx: &mut Tx, sequence: i64) -> Result<Option<i64>> {
    Ok(of_entries(workspace, tx, sequence, 1).await?.first().map(|change| change.sequence))
}

/// The next changes of a workspace that listeners hear of.
pub async fn after(workspace: WorkspaceId, tx: &mut Tx, sequence: i64, account_id: Option<&str>, limit: i64) -> Result<Vec<Change>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT sequence, workspace_id, what, id, number, account_id, action FROM change
         WHERE workspace_id = $1 AND sequence > $2 AND ($3 IS NULL OR account_id = $3) AND what IN ('entry', 'summary')
         ORDER BY sequence LIMIT $4")
        .bind(workspace.0).bind(sequence).bind(account_id).bind(limit).fetch_all(c).await?))
}

/// The numbers of the entries of an account, or of a whole workspace, that changed or were read after a sequence number.
pub async fn numbers_after(workspace: WorkspaceId, tx: &mut Tx, account_id: Option<&str>, sequence: i64, limit: i64) -> Result<Vec<i64>> {
    let numbers: Vec<(i64,)> = match account_id {
        Some(account_id) => on!(tx, c => sqlx::query_as(
            "SELECT DISTINCT number FROM change WHERE workspace_id = $1 AND account_id = $2 AND sequence > $3 AND what IN ('entry', 'reading')
               AND number IS NOT NULL LIMIT $4")
            .bind(workspace.0).bind(account_id).bind(sequence).bind(limit).fetch_all(c).await?),
        None => on!(tx, c => sqlx::query_as(
            "SELECT DISTINCT number FROM change WHERE workspace_id = $1 AND sequence > $2 AND what IN ('entry', 'reading') AND number IS NOT NULL LIMIT $3")
            .bind(workspace.0).bind(sequence).bind(limit).fetch_all(c).await?),
    };
    Ok(numbers.into_iter().map(|(number,)| number).collect())
}

/// Whether entries or records of an account changed, or went, after a sequence number.
pub async fn any_after(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, sequence: i64) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT sequence FROM change WHERE workspace_id = $1 AND account_id = $2 AND sequence > $3 AND what NOT IN ('summary', 'reading', 'thread') LIMIT 1")
        .bind(workspace.0).bind(account_id).bind(sequence).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Whether a person was erased after a sequence number: what was read before may hold them.
pub async fn erased_after(workspace: WorkspaceId, tx: &mut Tx, sequence: i64) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT sequence FROM change WHERE workspace_id = $1 AND sequence > $2 AND what = 'erasure' LIMIT 1")
        .bind(workspace.0).bind(sequence).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// The sequence number of the last change, 0 before the first.
pub async fn last(tx: &mut Tx) -> Result<i64> {
    let (last,): (Option<i64>,) = on!(tx, c => sqlx::query_as("SELECT max(sequence) FROM change").fetch_one(c).await?);
    Ok(last.unwrap_or(0))
}

/// The sequence number of a workspace's last change, 0 before the first.
pub async fn last_of(workspace: WorkspaceId, tx: &mut Tx) -> Result<i64> {
    let (last,): (Option<i64>,) = on!(tx, c => sqlx::query_as("SELECT max(sequence) FROM change WHERE workspace_id = $1")
        .bind(workspace.0).fetch_one(c).await?);
    Ok(last.unwrap_or(0))
}
