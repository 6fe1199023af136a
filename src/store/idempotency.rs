//! Outcomes of requests that carried an Idempotency-Key, in the transaction of their effect.

use jiff::{SignedDuration, Timestamp};

use super::database::on;
use super::{Result, Tx, micros};
use crate::domain::WorkspaceId;

/// How long an outcome is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(72);

/// What was kept under a key: the hash of the request, and its outcome as JSON.
pub async fn find(workspace: WorkspaceId, tx: &mut Tx, route: &str, key: &str, now: Timestamp) -> Result<Option<(String, String)>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT request, outcome FROM idempotency WHERE workspace_id = $1 AND route = $2 AND key = $3 AND created_at > $4")
        .bind(workspace.0).bind(route).bind(key).bind(micros(now - KEPT)).fetch_optional(c).await?))
}

/// Keeps an outcome; one that is too old to count gives way.
pub async fn put(workspace: WorkspaceId, tx: &mut Tx, route: &str, key: &str, request: &str, outcome: &str, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO idempotency (workspace_id, route, key, request, outcome, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (workspace_id, route, key) DO UPDATE SET request = excluded.request, outcome = excluded.outcome, created_at = excluded.created_at")
        .bind(workspace.0).bind(route).bind(key).bind(request).bind(outcome).bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}

/// Forgets what is too old to count.
pub async fn drop_old(tx: &mut Tx, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM idempotency WHERE created_at <= $1").bind(micros(now - KEPT)).execute(c).await?.rows_affected());
    Ok(())
}
