//! Every version of every account's summary, with its cause.

use jiff::Timestamp;

use super::database::on;
use super::{Result, StoreError, Tx, micros, time};
use crate::domain::WorkspaceId;
use crate::domain::summary::{Cause, Draft};

/// A version as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub version: i64,
    pub generated_at: Timestamp,
    pub cause: Cause,
    pub draft: Draft,
    pub input_hash: String,
    /// The last change it has seen.
    pub sequence: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    generated_at: i64,
    cause: String,
    draft: String,
    input_hash: String,
    sequence: i64,
}

impl TryFrom<Row> for Stored {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Stored> {
        Ok(Stored {
            version: row.version,
            generated_at: time(row.generated_at),
            cause: serde_json::from_str(&row.cause).map_err(|e| StoreError::corrupt("summary", e))?,
            draft: serde_json::from_str(&row.draft).map_err(|e| StoreError::corrupt("summary", e))?,
            input_hash: row.input_hash,
            sequence: row.sequence,
        })
    }
}

/// The newest version, or the newest made at or before a time.
pub async fn latest(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, as_of: Option<Timestamp>) -> Result<Option<Stored>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
        "SELECT version, generated_at, cause, draft, input_hash, sequence FROM summary
         WHERE workspace_id = $1 AND account_id = $2 AND ($3 IS NULL OR generated_at <= $3) ORDER BY version DESC LIMIT 1")
        .bind(workspace.0).bind(account_id).bind(as_of.map(micros)).fetch_optional(c).await?);
    row.map(Stored::try_from).transpose()
}

/// Whether the account has any version.
pub async fn exists(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT version FROM summary WHERE workspace_id = $1 AND account_id = $2 LIMIT 1")
        .bind(workspace.0).bind(account_id).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// A page of versions, newest first, with their number.
pub async fn versions(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, before: Option<i64>, limit: i64) -> Result<(Vec<Stored>, i64)> {
    let (total,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM summary WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).fetch_one(c).await?);
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT version, generated_at, cause, draft, input_hash, sequence FROM summary
         WHERE workspace_id = $1 AND account_id = $2 AND ($3 IS NULL OR version < $3) ORDER BY version DESC LIMIT $4")
        .bind(workspace.0).bind(account_id).bind(before).bind(limit).fetch_all(c).await?);
    Ok((rows.into_iter().map(Stored::try_from).collect::<Result<_>>()?, total))
}

/// Adds the next version and returns its number.
pub async fn insert(
    workspace: WorkspaceId,
    tx: &mut Tx,
    account_id: &str,
    cause: &Cause,
    draft: &Draft,
    input_hash: &str,
    sequence: i64,
    now: Timestamp,
) -> Result<i64> {
    let (version,): (i64,) = on!(tx, c => sqlx::query_as(
        "INSERT INTO summary (workspace_id, account_id, version, generated_at, cause, draft, input_hash, sequence)
         SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, $7 FROM summary WHERE workspace_id = $1 AND account_id = $2
         RETURNING version")
        .bind(workspace.0).bind(account_id).bind(micros(now))
        .bind(serde_json::to_string(cause).expect("a cause is plain text")).bind(serde_json::to_string(draft).expect("a draft is plain text"))
        .bind(input_hash).bind(sequence).fetch_one(c).await?);
    Ok(version)
}
