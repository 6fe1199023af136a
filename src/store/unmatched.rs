//! Entries that are nobody's yet, by the domain they wait under.

use super::database::on;
use super::{Result, Tx, time};
use crate::domain::WorkspaceId;

/// Mail that belongs to nobody yet, by domain.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema, sqlx::FromRow)]
pub struct Unmatched {
    pub domain: String,
    pub entries: i64,
    #[sqlx(try_from = "i64")]
    pub first_seen: Micros,
    #[sqlx(try_from = "i64")]
    pub last_seen: Micros,
}

/// A stored time that is shown as RFC 3339.
#[derive(Debug, Clone, Copy, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Micros(pub i64);

impl From<i64> for Micros {
    fn from(micros: i64) -> Micros {
        Micros(micros)
    }
}

impl serde::Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        time(self.0).serialize(serializer)
    }
}

/// A page of domains with unmatched mail, by name, with the number of domains.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx, after: Option<&str>, limit: i64) -> Result<(Vec<Unmatched>, i64)> {
    let (total,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(DISTINCT unmatched_domain) FROM entry WHERE workspace_id = $1 AND unmatched_domain IS NOT NULL")
        .bind(workspace.0).fetch_one(c).await?);
    let rows = on!(tx, c => sqlx::query_as(
        "SELECT unmatched_domain AS domain, count(*) AS entries, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
         FROM entry WHERE workspace_id = $1 AND unmatched_domain IS NOT NULL AND ($2 IS NULL OR unmatched_domain > $2)
         GROUP BY unmatched_domain ORDER BY unmatched_domain LIMIT $3")
        .bind(workspace.0).bind(after).bind(limit).fetch_all(c).await?);
    Ok((rows, total))
}

/// How many of the entries added after a sequence number have no account.
pub async fn added_after(workspace: WorkspaceId, tx: &mut Tx, sequence: i64) -> Result<i64> {
    let (count,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM entry WHERE workspace_id = $1 AND unmatched_domain IS NOT NULL AND number > $2")
        .bind(workspace.0).bind(sequence).fetch_one(c).await?);
    Ok(count)
}

/// How many entries wait under a domain.
pub async fn under(workspace: WorkspaceId, tx: &mut Tx, domain: &str) -> Result<i64> {
    let (count,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM entry WHERE workspace_id = $1 AND unmatched_domain = $2")
        .bind(workspace.0).bind(domain).fetch_one(c).await?);
    Ok(count)
}

/// How many entries have no account.
pub async fn count(workspace: WorkspaceId, tx: &mut Tx) -> Result<i64> {
    let (count,): (Option<i64>,) = on!(tx, c => sqlx::query_as(
        "SELECT CAST(sum(count) AS BIGINT) FROM entry_count WHERE workspace_id = $1 AND account_id = ''")
        .bind(workspace.0).fetch_one(c).await?);
    Ok(count.unwrap_or(0))
}
