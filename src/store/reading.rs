//! What was read from entries, and which entries wait to be read. An entry says by which version of the reader it was
//! read last: that is the queue, and nothing that comes in has to be put on it.

use std::collections::HashMap;

use jiff::Timestamp;

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, entry, micros, time, workspace};
use crate::domain::WorkspaceId;
use crate::domain::reading::EntryReading;
use crate::domain::stretch::{self, Stretch};

/// The first version of a reader; entries of version 0 were never read.
pub const FIRST: i64 = 1;

/// What is kept of the words of an entry that were read.
#[derive(Debug, Clone)]
pub struct Kept {
    pub reading: EntryReading,
    pub stretches: Vec<Stretch>,
}

/// The newest entries that no reader has read; then the newest of those that an older reader read.
pub async fn unread(workspace: WorkspaceId, tx: &mut Tx, version: i64, limit: i64) -> Result<Vec<entry::Stored>> {
    let new: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT number FROM entry WHERE workspace_id = $1 AND communication = 1 AND reader = 0 ORDER BY occurred_at DESC LIMIT $2")
        .bind(workspace.0).bind(limit).fetch_all(c).await?);
    let mut numbers: Vec<i64> = new.into_iter().map(|(number,)| number).collect();
    let room = limit - numbers.len() as i64;
    if room > 0 {
        let old: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
            "SELECT number FROM entry WHERE workspace_id = $1 AND communication = 1 AND reader > 0 AND reader < $2
             ORDER BY reader DESC, occurred_at DESC LIMIT $3")
            .bind(workspace.0).bind(version).bind(room).fetch_all(c).await?);
        numbers.extend(old.into_iter().map(|(number,)| number));
    }
    entry::by_numbers(workspace, tx, &numbers).await
}

/// The workspaces in which something waits to be read.
pub async fn waiting(tx: &mut Tx, version: i64) -> Result<Vec<WorkspaceId>> {
    let mut found = Vec::new();
    for (workspace, _) in workspace::all(tx).await? {
        let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(
            "SELECT number FROM entry WHERE workspace_id = $1 AND communication = 1 AND reader < $2 LIMIT 1")
            .bind(workspace.0).bind(version).fetch_optional(c).await?);
        found.extend(row.map(|_| workspace));
    }
    Ok(found)
}

/// How many entries wait to be read; counts them.
pub async fn backlog(workspace: WorkspaceId, tx: &mut Tx, version: i64) -> Result<i64> {
    let (count,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM entry WHERE workspace_id = $1 AND communication = 1 AND reader < $2")
        .bind(workspace.0).bind(version).fetch_one(c).await?);
    Ok(count)
}

/// Keeps what was read from an entry in the words of its change `sequence`, unless those are not its words any more.
/// `None`: the reader failed on them, and there is nothing to keep. Says whether it was kept.
pub async fn put(workspace: WorkspaceId, tx: &mut Tx, number: i64, sequence: i64, version: i64, kept: Option<&Kept>) -> Result<bool> {
    let same = on!(tx, c => sqlx::query("UPDATE entry SET reader = $4 WHERE number = $1 AND workspace_id = $2 AND sequence = $3")
        .bind(number).bind(workspace.0).bind(sequence).bind(version).execute(c).await?.rows_affected());
    let Some(Kept { reading, stretches }) = kept.filter(|_| same == 1) else { return Ok(false) };
    let json = serde_json::to_string(reading).expect("a reading is plain values");
    on!(tx, c => sqlx::query(
        "INSERT INTO reading (number, workspace_id, score, reading, stretches) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (number) DO UPDATE SET score = excluded.score, reading = excluded.reading, stretches = excluded.stretches")
        .bind(number).bind(workspace.0).bind(reading.customer_score()).bind(json).bind(stretch::to_bytes(stretches)).execute(c).await?.rows_affected());
    Ok(true)
}

/// Forgets what was read from an entry, whose words are others now: they wait to be read.
pub async fn forget(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM reading WHERE number = $1 AND workspace_id = $2").bind(number).bind(workspace.0).execute(c).await?.rows_affected());
    on!(tx, c => sqlx::query("UPDATE entry SET reader = 0 WHERE number = $1 AND workspace_id = $2 AND reader > 0")
        .bind(number).bind(workspace.0).execute(c).await?.rows_affected());
    Ok(())
}

/// What was read from these entries, by number.
pub async fn of(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, EntryReading>> {
    let mut found = HashMap::new();
    let rows: Vec<(i64, String)> = among(workspace, tx, "SELECT number, reading FROM reading WHERE +workspace_id = ", "number", numbers, "").await?;
    for (number, json) in rows {
        found.insert(number, serde_json::from_str(&json).map_err(|e| StoreError::corrupt("reading", e))?);
    }
    Ok(found)
}

/// The stretches of these entries, by number.
pub async fn stretches(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, Vec<Stretch>>> {
    let select = "SELECT number, stretches FROM reading WHERE stretches IS NOT NULL AND +workspace_id = ";
    unpacked(among(workspace, tx, select, "number", numbers, "").await?)
}

/// The stretches of the entries of an account, or of a whole workspace, of so many entries at most.
pub async fn stretches_in(workspace: WorkspaceId, tx: &mut Tx, account_id: Option<&str>, limit: i64) -> Result<HashMap<i64, Vec<Stretch>>> {
    unpacked(match account_id {
        Some(account_id) => on!(tx, c => sqlx::query_as(
            "SELECT r.number, r.stretches FROM entry e CROSS JOIN reading r
             WHERE e.workspace_id = $1 AND e.account_id = $2 AND e.communication = 1 AND r.number = e.number AND r.stretches IS NOT NULL LIMIT $3")
            .bind(workspace.0).bind(account_id).bind(limit).fetch_all(c).await?),
        None => on!(tx, c => sqlx::query_as(
            "SELECT number, stretches FROM reading WHERE workspace_id = $1 AND stretches IS NOT NULL LIMIT $2")
            .bind(workspace.0).bind(limit).fetch_all(c).await?),
    })
}

fn unpacked(rows: Vec<(i64, Vec<u8>)>) -> Result<HashMap<i64, Vec<Stretch>>> {
    let unpack = |(number, bytes): (i64, Vec<u8>)| {
        let stretches = stretch::from_bytes(&bytes).ok_or_else(|| StoreError::corrupt("stretches", format!("those of entry {number} are none")))?;
        Ok((number, stretches))
    };
    rows.into_iter().map(unpack).collect()
}

/// A message of a customer's that could be scored.
#[derive(Debug, Clone)]
pub struct Scored {
    pub entry_id: String,
    pub occurred_at: Timestamp,
    pub reading: EntryReading,
}

/// The newest scored messages of an account's customers in a stretch of time, newest first.
pub async fn scored(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<Scored>> {
    let rows: Vec<(String, i64, String)> = on!(tx, c => sqlx::query_as(
        "SELECT e.id, e.occurred_at, r.reading FROM entry e CROSS JOIN reading r
         WHERE e.workspace_id = $1 AND e.account_id = $2 AND e.communication = 1 AND e.occurred_at >= $3 AND e.occurred_at < $4
           AND r.number = e.number AND r.score IS NOT NULL
         ORDER BY e.occurred_at DESC, e.number DESC LIMIT $5")
        .bind(workspace.0).bind(account_id).bind(micros(from)).bind(micros(to)).bind(limit).fetch_all(c).await?);
    let read = |(entry_id, at, json): (String, i64, String)| {
        let reading = serde_json::from_str(&json).map_err(|e| StoreError::corrupt("reading", e))?;
        Ok(Scored { entry_id, occurred_at: time(at), reading })
    };
    rows.into_iter().map(read).collect()
}
