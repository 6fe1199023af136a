//! Keys of callers: hashes, never the keys themselves.

use jiff::Timestamp;

use super::database::on;
use super::{Result, StoreError, Tx, micros, time};
use crate::domain::WorkspaceId;
use crate::domain::role::Role;

/// A key as lists show it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Key {
    /// The part of the key that may be shown.
    pub id: String,
    pub role: Role,
    /// What it is for.
    pub name: String,
    /// Who acts with it.
    pub team_member_id: Option<String>,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    workspace_id: i64,
    key_id: String,
    role: String,
    name: String,
    team_member_id: Option<String>,
    created_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for Key {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Key> {
        Ok(Key {
            id: row.key_id,
            role: row.role.parse().map_err(|e| StoreError::corrupt("role", e))?,
            name: row.name,
            team_member_id: row.team_member_id,
            created_at: time(row.created_at),
            last_used_at: row.last_used_at.map(time),
            revoked_at: row.revoked_at.map(time),
        })
    }
}

/// Keeps a new key by the hash of the whole.
pub async fn insert(workspace: WorkspaceId, tx: &mut Tx, key: &Key, hash: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO api_key (key_id, workspace_id, role, name, team_member_id, hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&key.id).bind(workspace.0).bind(key.role.as_str()).bind(&key.name).bind(key.team_member_id.as_deref()).bind(hash)
        .bind(micros(key.created_at)).execute(c).await?.rows_affected());
    Ok(())
}

/// The keys of a workspace, revoked ones included, oldest first.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<Key>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT workspace_id, key_id, role, name, team_member_id, created_at, last_used_at, revoked_at FROM api_key
         WHERE workspace_id = $1 ORDER BY created_at, key_id")
        .bind(workspace.0).fetch_all(c).await?);
    rows.into_iter().map(Key::try_from).collect()
}

/// Ends a key, and every session opened with it; false when there is none that lives.
pub async fn revoke(workspace: WorkspaceId, tx: &mut Tx, key_id: &str, now: Timestamp) -> Result<bool> {
    let revoked = on!(tx, c => sqlx::query("UPDATE api_key SET revoked_at = $3 WHERE workspace_id = $1 AND key_id = $2 AND revoked_at IS NULL")
        .bind(workspace.0).bind(key_id).bind(micros(now)).execute(c).await?.rows_affected());
    on!(tx, c => sqlx::query("DELETE FROM session WHERE workspace_id = $1 AND key_id = $2").bind(workspace.0).bind(key_id).execute(c).await?.rows_affected());
    Ok(revoked == 1)
}

/// The living key with this hash, in whatever workspace.
pub async fn by_hash(tx: &mut Tx, hash: &str) -> Result<Option<(WorkspaceId, Key)>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
        "SELECT workspace_id, key_id, role, name, team_member_id, created_at, last_used_at, revoked_at FROM api_key
         WHERE hash = $1 AND revoked_at IS NULL")
        .bind(hash).fetch_optional(c).await?);
    row.map(|row| Ok((WorkspaceId(row.workspace_id), Key::try_from(row)?))).transpose()
}

/// Whether anybody ever had a key, in whatever workspace: with the last one revoked the door stays shut.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    let row: Option<(String,)> = on!(tx, c => sqlx::query_as("SELECT key_id FROM api_key LIMIT 1").fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Whether a key lives.
pub async fn lives(workspace: WorkspaceId, tx: &mut Tx, key_id: &str) -> Result<bool> {
    let row: Option<(String,)> = on!(tx, c => sqlx::query_as("SELECT key_id FROM api_key WHERE workspace_id = $1 AND key_id = $2 AND revoked_at IS NULL")
        .bind(workspace.0).bind(key_id).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Notes that a key was used.
pub async fn used(workspace: WorkspaceId, tx: &mut Tx, key_id: &str, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE api_key SET last_used_at = $3 WHERE workspace_id = $1 AND key_id = $2")
        .bind(workspace.0).bind(key_id).bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}

/// Opens a session of a key, by the hash of its cookie.
pub async fn open_session(workspace: WorkspaceId, tx: &mut Tx, hash: &str, key_id: &str, expires_at: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("INSERT INTO session (hash, workspace_id, key_id, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(hash).bind(workspace.0).bind(key_id).bind(micros(expires_at)).execute(c).await?.rows_affected());
    Ok(())
}

/// The living key behind a session that has not ended.
pub async fn by_session(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<Option<(WorkspaceId, Key)>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
        "SELECT k.workspace_id, k.key_id, k.role, k.name, k.team_member_id, k.created_at, k.last_used_at, k.revoked_at
         FROM session s JOIN api_key k ON k.key_id = s.key_id WHERE s.hash = $1 AND s.expires_at > $2 AND k.revoked_at IS NULL")
        .bind(hash).bind(micros(now)).fetch_optional(c).await?);
    row.map(|row| Ok((WorkspaceId(row.workspace_id), Key::try_from(row)?))).transpose()
}

/// Ends a session.
pub async fn close_session(workspace: WorkspaceId, tx: &mut Tx, hash: &str) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM session WHERE workspace_id = $1 AND hash = $2").bind(workspace.0).bind(hash).execute(c).await?.rows_affected());
    Ok(())
}

/// Ends every session.
pub async fn drop_sessions(tx: &mut Tx) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM session").execute(c).await?.rows_affected());
    Ok(())
}

/// Forgets sessions that have ended.
pub async fn drop_ended_sessions(tx: &mut Tx, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM session WHERE expires_at <= $1").bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}
