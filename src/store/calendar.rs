//! Calendar events: of each the newest component, from which its meetings are made.

use jiff::Timestamp;

use super::database::on;
use super::{Result, Tx, micros};
use crate::domain::WorkspaceId;

/// A component as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Stored {
    pub recurrence: String,
    pub sequence: i64,
    pub stamp: i64,
    pub cancelled: i64,
    pub account_id: Option<String>,
    pub ics: String,
}

/// The components of one event.
pub async fn series(workspace: WorkspaceId, tx: &mut Tx, uid: &str) -> Result<Vec<Stored>> {
    Ok(on!(tx, c => sqlx::query_as(
        "SELECT recurrence, sequence, stamp, cancelled, account_id, ics FROM calendar_event WHERE workspace_id = $1 AND uid = $2 ORDER BY recurrence")
        .bind(workspace.0).bind(uid).fetch_all(c).await?))
}

/// Keeps a component in the place of an older one.
pub async fn put(workspace: WorkspaceId, tx: &mut Tx, uid: &str, new: &Stored) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO calendar_event (workspace_id, uid, recurrence, sequence, stamp, cancelled, account_id, ics)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (workspace_id, uid, recurrence) DO UPDATE SET sequence = excluded.sequence, stamp = excluded.stamp,
             cancelled = excluded.cancelled, account_id = coalesce(excluded.account_id, calendar_event.account_id), ics = excluded.ics")
        .bind(workspace.0).bind(uid).bind(&new.recurrence).bind(new.sequence).bind(new.stamp).bind(new.cancelled)
        .bind(new.account_id.as_deref()).bind(&new.ics).execute(c).await?.rows_affected());
    Ok(())
}

/// Notes until when an event's occurrences were made; none when there will be no more.
pub async fn set_horizon(workspace: WorkspaceId, tx: &mut Tx, uid: &str, horizon: Option<Timestamp>) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE calendar_event SET horizon = $3 WHERE workspace_id = $1 AND uid = $2")
        .bind(workspace.0).bind(uid).bind(horizon.map(micros)).execute(c).await?.rows_affected());
    Ok(())
}

/// Events of all workspaces whose occurrences were made only until before this time.
pub async fn ending_before(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<Vec<(WorkspaceId, String)>> {
    let rows: Vec<(i64, String)> = on!(tx, c => sqlx::query_as(
        "SELECT DISTINCT workspace_id, uid FROM calendar_event WHERE horizon < $1 LIMIT $2")
        .bind(micros(before)).bind(limit).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(workspace, uid)| (WorkspaceId(workspace), uid)).collect())
}
