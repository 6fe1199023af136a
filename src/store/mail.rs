//! What only mails have: Message-IDs, the mails they answer, where each was found, and the first raw copy.

use std::collections::HashMap;

use jiff::Timestamp;

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, micros, time};
use crate::domain::WorkspaceId;
use crate::domain::entry::Hidden;

/// A mail's row beside its entry.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub number: i64,
    pub message_id: Option<&'a str>,
    pub subject_key: Option<&'a str>,
    pub occurred_at: Timestamp,
    /// A reply by its subject that names no mail that is here.
    pub is_reply: bool,
    pub is_forward: bool,
    pub author: Option<&'a str>,
    pub automatic: Option<&'a str>,
    pub hidden: &'a [Hidden],
    /// Fingerprint of its new words.
    pub likeness: Option<u64>,
    pub references: &'a [String],
    /// None when somebody was taken out of it.
    pub raw: Option<&'a [u8]>,
}

pub async fn insert(workspace: WorkspaceId, tx: &mut Tx, new: &New<'_>) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO mail (number, workspace_id, message_id, subject_key, occurred_at, is_reply, author, automatic, hidden, is_forward, likeness)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(new.number).bind(workspace.0).bind(new.message_id).bind(new.subject_key).bind(micros(new.occurred_at))
        .bind(i64::from(new.is_reply)).bind(new.author).bind(new.automatic)
        .bind(serde_json::to_string(new.hidden).map_err(|e| StoreError::corrupt("hidden words", e))?).bind(i64::from(new.is_forward))
        .bind(new.likeness.map(u64::cast_signed)).execute(c).await?.rows_affected());
    if !new.references.is_empty() {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO mail_reference (number, position, workspace_id, message_id) ");
            query.push_values(new.references.iter().enumerate(), |mut row, (position, id)| {
                row.push_bind(new.number).push_bind(position as i64).push_bind(workspace.0).push_bind(id.as_str());
            });
            query.build().execute(c).await?;
        });
    }
    let Some(raw) = new.raw else { return Ok(()) };
    let packed = lz4_flex::compress_prepend_size(raw);
    on!(tx, c => sqlx::query("INSERT INTO raw_mail (number, workspace_id, bytes) VALUES ($1, $2, $3)")
        .bind(new.number).bind(workspace.0).bind(packed).execute(c).await?.rows_affected());
    Ok(())
}

/// Entries found before under these hashes of raw bytes.
pub async fn numbers_by_hash(workspace: WorkspaceId, tx: &mut Tx, hashes: &[String]) -> Result<HashMap<String, (i64, Vec<String>)>> {
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let select = "SELECT raw_hash, number, source FROM provenance WHERE workspace_id = ";
    let rows: Vec<(String, i64, String)> = among(workspace, tx, select, "raw_hash", &hashes, "").await?;
    let mut found: HashMap<String, (i64, Vec<String>)> = HashMap::new();
    for (hash, number, source) in rows {
        found.entry(hash).or_insert_with(|| (number, Vec::new())).1.push(source);
    }
    Ok(found)
}

/// Notes where a mail was found; finding it there again is nothing new.
pub async fn add_provenance(workspace: WorkspaceId, tx: &mut Tx, number: i64, source: &str, raw_hash: &str, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO provenance (workspace_id, raw_hash, source, number, received_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
        .bind(workspace.0).bind(raw_hash).bind(source).bind(number).bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}

#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Provenance {
    /// The mailbox or file it was found in.
    pub source: String,
    pub received_at: Timestamp,
}

pub async fn provenance(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Vec<Provenance>> {
    let rows: Vec<(String, i64)> = on!(tx, c => sqlx::query_as(
        "SELECT source, received_at FROM provenance WHERE workspace_id = $1 AND number = $2 ORDER BY received_at, source")
        .bind(workspace.0).bind(number).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(source, at)| Provenance { source, received_at: time(at) }).collect())
}

/// The raw bytes of a mail as first found.
pub async fn raw(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = on!(tx, c => sqlx::query_as("SELECT bytes FROM raw_mail WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(number).fetch_optional(c).await?);
    row.map(|(packed,)| lz4_flex::decompress_size_prepended(&packed).map_err(|e| StoreError::corrupt("raw mail", e))).transpose()
}

/// Other entries that carry this Message-ID.
pub async fn with_message_id(workspace: WorkspaceId, tx: &mut Tx, message_id: &str, other_than: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT number FROM mail WHERE workspace_id = $1 AND message_id = $2 AND number <> $3")
        .bind(workspace.0).bind(message_id).bind(other_than).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// The account of the nearest of these mails, nearest first, that has one.
pub async fn answered_account(workspace: WorkspaceId, tx: &mut Tx, references: &[String]) -> Result<Option<String>> {
    let message_ids: Vec<&str> = references.iter().map(String::as_str).collect();
    let select = "SELECT m.message_id, e.id, e.account_id FROM mail m CROSS JOIN entry e WHERE e.number = m.number AND e.account_id IS NOT NULL AND m.workspace_id = ";
    let rows: Vec<(String, String, String)> = among(workspace, tx, select, "m.message_id", &message_ids, "").await?;
    let nearest = |message_id: &str| references.iter().position(|r| r == message_id);
    Ok(rows.into_iter().min_by_key(|(message_id, id, _)| (nearest(message_id), id.clone())).map(|(_, _, account_id)| account_id))
}

/// Which of these Message-IDs are of mails that are here, and whether one of those was forwarded.
pub async fn present(workspace: WorkspaceId, tx: &mut Tx, message_ids: &[String]) -> Result<HashMap<String, bool>> {
    let mut present = HashMap::new();
    let message_ids: Vec<&str> = message_ids.iter().map(String::as_str).collect();
    let select = "SELECT message_id, is_forward FROM mail WHERE workspace_id = ";
    let rows: Vec<(String, i64)> = among(workspace, tx, select, "message_id", &message_ids, "").await?;
    for (id, forward) in rows {
        *present.entry(id).or_default() |= forward != 0;
    }
    Ok(present)
}

/// Mails that name this Message-ID among those they answer: their numbers, and whether they were taken to name no mail
/// that is here.
pub async fn naming(workspace: WorkspaceId, tx: &mut Tx, message_id: &str) -> Result<Vec<(i64, bool)>> {
    let rows: Vec<(i64, i64)> = on!(tx, c => sqlx::query_as(
        "SELECT m.number, m.is_reply FROM mail_reference r CROSS JOIN mail m WHERE r.workspace_id = $1 AND r.message_id = $2 AND m.number = r.number")
        .bind(workspace.0).bind(message_id).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(number, lost)| (number, lost != 0)).collect())
}

/// Notes that a mail that this one answers is here after all.
pub async fn found_its_parent(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE mail SET is_reply = 0 WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(number).execute(c).await?.rows_affected());
    Ok(())
}

/// A mail as looked at when its conversation is put together anew.
#[derive(Debug, Clone)]
pub struct Member {
    pub number: i64,
    /// Its Message-ID, or its entry's id where it has none.
    pub id: String,
    pub references: Vec<String>,
    pub subject_key: Option<String>,
    pub occurred_at: Timestamp,
    pub is_reply: bool,
    pub is_forward: bool,
}

/// The mails of a conversation, up to a number of them.
pub async fn members(workspace: WorkspaceId, tx: &mut Tx, thread_id: &str, limit: i64) -> Result<Vec<Member>> {
    type Row = (i64, String, Option<String>, Option<String>, i64, i64, i64);
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT m.number, e.id, m.message_id, m.subject_key, m.occurred_at, m.is_reply, m.is_forward FROM entry e CROSS JOIN mail m
         WHERE e.workspace_id = $1 AND e.thread_id = $2 AND m.number = e.number LIMIT $3")
        .bind(workspace.0).bind(thread_id).bind(limit).fetch_all(c).await?);
    let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let mut references = references_of(workspace, tx, &numbers).await?;
    let mut members = Vec::with_capacity(rows.len());
    for (number, id, message_id, subject_key, occurred_at, is_reply, is_forward) in rows {
        members.push(Member {
            number,
            id: message_id.unwrap_or(id),
            references: references.remove(&number).unwrap_or_default(),
            subject_key,
            occurred_at: time(occurred_at),
            is_reply: is_reply != 0,
            is_forward: is_forward != 0,
        });
    }
    Ok(members)
}

/// The mails that a stored mail answers, nearest first.
pub async fn references(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Vec<String>> {
    Ok(references_of(workspace, tx, &[number]).await?.remove(&number).unwrap_or_default())
}

async fn references_of(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
    let mut references: HashMap<i64, Vec<String>> = HashMap::new();
    let select = "SELECT number, message_id FROM mail_reference WHERE workspace_id = ";
    let rows: Vec<(i64, String)> = among(workspace, tx, select, "number", numbers, "ORDER BY number, position").await?;
    for (number, message_id) in rows {
        references.entry(number).or_default().push(message_id);
    }
    Ok(references)
}

/// Mails that answer this one, directly or further up their references, and have no account but by the thread.
pub async fn answers_without_own_account(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Vec<i64>> {
    // CROSS JOIN keeps SQLite from walking all references first; sorted here for the same reason.
    let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT r.number FROM mail m CROSS JOIN mail_reference r CROSS JOIN entry e
         WHERE m.number = $2 AND m.workspace_id = $1 AND r.workspace_id = m.workspace_id AND r.message_id = m.message_id
           AND e.number = r.number AND r.number <> $2 AND (e.rule IS NULL OR e.rule = 'thread')")
        .bind(workspace.0).bind(number).fetch_all(c).await?);
    let mut numbers: Vec<i64> = rows.into_iter().map(|(number,)| number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// What only mails have.
#[derive(Debug, Clone)]
pub struct About {
    pub author: Option<String>,
    /// Why it counts as automatic if it does.
    pub automatic: Option<String>,
    pub hidden: Vec<Hidden>,
}

/// What is known about a mail beside its entry; none for entries that are no mails.
pub async fn about(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Option<About>> {
    let row: Option<(Option<String>, Option<String>, String)> = on!(tx, c => sqlx::query_as("SELECT author, automatic, hidden FROM mail WHERE workspace_id = $1 AND number = $2")
            .bind(workspace.0).bind(number).fetch_optional(c).await?);
    let read = |(author, automatic, hidden): (_, _, String)| {
        let hidden = serde_json::from_str(&hidden).map_err(|e| StoreError::corrupt("hidden words", e))?;
        Ok(About { author, automatic, hidden })
    };
    row.map(read).transpose()
}

/// Removes what belongs to a deleted mail.
pub async fn delete(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<()> {
    for statement in [
        "DELETE FROM mail WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM mail_reference WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM provenance WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM raw_mail WHERE workspace_id = $1 AND number = $2",
        "DELETE FROM attachment_text WHERE workspace_id = $1 AND number = $2",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(number).execute(c).await?.rows_affected());
    }
    Ok(())
}
