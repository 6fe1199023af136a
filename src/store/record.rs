//! Records as sent: the newest version of each, tombstones, and the history of those that cause entries.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, micros, time};
use crate::domain::WorkspaceId;
use crate::domain::record::Kind;

/// The stored version of a record.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Stored {
    pub id: String,
    pub account_id: Option<String>,
    pub body: String,
    deleted: i64,
    updated_at: Option<i64>,
    pub content_hash: String,
    pub sequence: i64,
}

impl Stored {
    pub fn is_deleted(&self) -> bool {
        self.deleted != 0
    }

    pub fn updated_at(&self) -> Option<Timestamp> {
        self.updated_at.map(time)
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body).map_err(|e| StoreError::corrupt("record", e))
    }
}

/// A version about to be stored.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub kind: Kind,
    pub id: &'a str,
    pub account_id: Option<&'a str>,
    /// JSON; empty for a tombstone.
    pub body: &'a str,
    pub deleted: bool,
    pub updated_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub sequence: i64,
}

/// Hash of a record's content; equal content is no new version.
pub fn content_hash(body: &str) -> String {
    Sha256::digest(body.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every text in a record's JSON, in lower case, one a line; lower-cased here because databases differ in it.
pub(super) fn words(body: &str) -> String {
    fn collect(value: &serde_json::Value, words: &mut String) {
        match value {
            serde_json::Value::String(text) => {
                words.push_str(&text.to_lowercase());
                words.push('\n');
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
            serde_json::Value::Object(fields) => fields.values().for_each(|item| collect(item, words)),
            _ => {}
        }
    }
    let mut words = String::new();
    if let Ok(value) = serde_json::from_str(body) {
        collect(&value, &mut words);
    }
    words
}

pub async fn find(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str) -> Result<Option<Stored>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT id, account_id, body, deleted, updated_at, content_hash, sequence FROM record
         WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).fetch_optional(c).await?))
}

/// Which of these ids are tombstones.
pub async fn deleted(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, ids: &[&str]) -> Result<HashSet<String>> {
    let select = format!("SELECT id FROM record WHERE deleted = 1 AND kind = '{kind}' AND workspace_id = ");
    let rows: Vec<(String,)> = among(workspace, tx, &select, "id", ids, "").await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The living record, read as its type.
pub async fn get<T: DeserializeOwned>(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str) -> Result<Option<T>> {
    match find(workspace, tx, kind, id).await? {
        Some(stored) if !stored.is_deleted() => Ok(Some(stored.read()?)),
        _ => Ok(None),
    }
}

pub async fn put(workspace: WorkspaceId, tx: &mut Tx, new: &New<'_>) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO record (workspace_id, kind, id, account_id, body, deleted, updated_at, received_at, content_hash, sequence, words)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (workspace_id, kind, id) DO UPDATE SET account_id = excluded.account_id, body = excluded.body,
             deleted = excluded.deleted, updated_at = excluded.updated_at, received_at = excluded.received_at,
             content_hash = excluded.content_hash, sequence = excluded.sequence, words = excluded.words")
        .bind(workspace.0).bind(new.kind.as_str()).bind(new.id).bind(new.account_id).bind(new.body)
        .bind(i64::from(new.deleted)).bind(new.updated_at.map(micros)).bind(micros(new.received_at))
        .bind(content_hash(new.body)).bind(new.sequence).bind(words(new.body)).execute(c).await?.rows_affected());
    Ok(())
}

/// Notes that the stored version was sent again as of a later time.
pub async fn confirm(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str, updated_at: Timestamp, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE record SET updated_at = $4, received_at = $5 WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).bind(micros(updated_at)).bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}

/// The living records of one kind that belong to an account, by id.
pub async fn of_account<T: DeserializeOwned>(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, account_id: &str) -> Result<Vec<T>> {
    // Sorted here: asked for an order, SQLite would walk all ids of the kind.
    let mut rows: Vec<Stored> = on!(tx, c => sqlx::query_as(
        "SELECT id, account_id, body, deleted, updated_at, content_hash, sequence FROM record
         WHERE workspace_id = $1 AND kind = $2 AND account_id = $3 AND deleted = 0")
        .bind(workspace.0).bind(kind.as_str()).bind(account_id).fetch_all(c).await?);
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows.iter().map(Stored::read).collect()
}

/// A page of the living records of one kind by id, with the total: all of them, or those of an account, one of whose
/// values contains `text`.
pub async fn list(
    workspace: WorkspaceId,
    tx: &mut Tx,
    kind: Kind,
    account_id: Option<&str>,
    text: Option<&str>,
    after_id: Option<&str>,
    limit: i64,
) -> Result<(Vec<Stored>, i64)> {
    let pattern = text.map(|t| format!("%{}%", t.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let (total,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM record WHERE workspace_id = $1 AND kind = $2 AND deleted = 0
         AND ($3 IS NULL OR account_id = $3) AND ($4 IS NULL OR words LIKE $4 ESCAPE '\\')")
        .bind(workspace.0).bind(kind.as_str()).bind(account_id).bind(pattern.as_deref()).fetch_one(c).await?);
    let rows = on!(tx, c => sqlx::query_as(
        "SELECT id, account_id, body, deleted, updated_at, content_hash, sequence FROM record
         WHERE workspace_id = $1 AND kind = $2 AND deleted = 0
         AND ($3 IS NULL OR account_id = $3) AND ($4 IS NULL OR words LIKE $4 ESCAPE '\\') AND ($5 IS NULL OR id > $5)
         ORDER BY id LIMIT $6")
        .bind(workspace.0).bind(kind.as_str()).bind(account_id).bind(pattern.as_deref()).bind(after_id).bind(limit)
        .fetch_all(c).await?);
    Ok((rows, total))
}

/// Hashes of an account's records: with the hashes of its entries, what a summary was made from.
pub async fn hashes(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<Vec<(String, String)>> {
    let mut hashes: Vec<(String, String)> = on!(tx, c => sqlx::query_as(
        "SELECT kind || ':' || id, content_hash FROM record WHERE workspace_id = $1 AND account_id = $2 AND deleted = 0")
        .bind(workspace.0).bind(account_id).fetch_all(c).await?);
    hashes.sort_unstable();
    Ok(hashes)
}

/// One version in the history of a record.
#[derive(Debug, Clone)]
pub struct Past {
    pub at: Timestamp,
    pub body: String,
}

/// Keeps a version; the same one twice is one.
pub async fn keep_version(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str, at: Timestamp, body: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO record_version (workspace_id, kind, id, at, content_hash, body) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING")
        .bind(workspace.0).bind(kind.as_str()).bind(id).bind(micros(at)).bind(content_hash(body)).bind(body).execute(c).await?.rows_affected());
    Ok(())
}

/// When the newest kept version of a record came to be.
pub async fn newest_version(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str) -> Result<Option<Timestamp>> {
    let (newest,): (Option<i64>,) = on!(tx, c => sqlx::query_as("SELECT max(at) FROM record_version WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).fetch_one(c).await?);
    Ok(newest.map(time))
}

/// All versions of a record, oldest first.
pub async fn versions(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str) -> Result<Vec<Past>> {
    let rows: Vec<(i64, String)> = on!(tx, c => sqlx::query_as(
        "SELECT at, body FROM record_version WHERE workspace_id = $1 AND kind = $2 AND id = $3 ORDER BY at, content_hash")
        .bind(workspace.0).bind(kind.as_str()).bind(id).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(at, body)| Past { at: time(at), body }).collect())
}

/// Forgets the history of a deleted record.
pub async fn drop_versions(workspace: WorkspaceId, tx: &mut Tx, kind: Kind, id: &str) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM record_version WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).execute(c).await?.rows_affected());
    Ok(())
}
