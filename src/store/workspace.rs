//! Workspaces: the tenants, and which domains are "us" in each.

use std::collections::HashSet;

use jiff::Timestamp;

use super::database::on;
use super::{Result, Tx, micros};
use crate::domain::WorkspaceId;

/// The workspace of this name, if it exists.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<WorkspaceId>> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT workspace_id FROM workspace WHERE name = $1").bind(name).fetch_optional(c).await?);
    Ok(row.map(|(id,)| WorkspaceId(id)))
}

/// The workspace of this name, made when new.
pub async fn open(tx: &mut Tx, name: &str, now: Timestamp) -> Result<WorkspaceId> {
    if let Some(found) = find(tx, name).await? {
        return Ok(found);
    }
    let row: (i64,) = on!(tx, c => sqlx::query_as(
        "INSERT INTO workspace (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING workspace_id")
        .bind(name).bind(micros(now)).fetch_one(c).await?);
    Ok(WorkspaceId(row.0))
}

/// Every workspace with its name.
pub async fn all(tx: &mut Tx) -> Result<Vec<(WorkspaceId, String)>> {
    let rows: Vec<(i64, String)> = on!(tx, c => sqlx::query_as("SELECT workspace_id, name FROM workspace ORDER BY workspace_id").fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id, name)| (WorkspaceId(id), name)).collect())
}

/// The name of a workspace.
pub async fn name(workspace: WorkspaceId, tx: &mut Tx) -> Result<String> {
    let (name,): (String,) = on!(tx, c => sqlx::query_as("SELECT name FROM workspace WHERE workspace_id = $1").bind(workspace.0).fetch_one(c).await?);
    Ok(name)
}

/// The workspace's zone, an IANA name.
pub async fn timezone(workspace: WorkspaceId, tx: &mut Tx) -> Result<Option<String>> {
    let row: Option<(Option<String>,)> = on!(tx, c => sqlx::query_as("SELECT timezone FROM workspace WHERE workspace_id = $1")
        .bind(workspace.0).fetch_optional(c).await?);
    Ok(row.and_then(|(timezone,)| timezone))
}

pub async fn set_timezone(workspace: WorkspaceId, tx: &mut Tx, timezone: Option<&str>) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE workspace SET timezone = $2 WHERE workspace_id = $1")
        .bind(workspace.0).bind(timezone).execute(c).await?.rows_affected());
    Ok(())
}

/// Our own domains, whoever named them.
pub async fn us_domains(workspace: WorkspaceId, tx: &mut Tx) -> Result<HashSet<String>> {
    let rows: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT DISTINCT domain FROM us_domain WHERE workspace_id = $1")
        .bind(workspace.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(domain,)| domain).collect())
}

/// Replaces the domains that `source` calls ours; returns those that are new or gone.
pub async fn set_us_domains(workspace: WorkspaceId, tx: &mut Tx, source: &str, domains: &[String]) -> Result<Vec<String>> {
    let before = us_domains(workspace, tx).await?;
    on!(tx, c => sqlx::query("DELETE FROM us_domain WHERE workspace_id = $1 AND source = $2")
        .bind(workspace.0).bind(source).execute(c).await?.rows_affected());
    for domain in domains {
        on!(tx, c => sqlx::query("INSERT INTO us_domain (workspace_id, domain, source) VALUES ($1, $2, $3)")
            .bind(workspace.0).bind(domain).bind(source).execute(c).await?.rows_affected());
    }
    let after = us_domains(workspace, tx).await?;
    Ok(before.symmetric_difference(&after).cloned().collect())
}
