//! Accounts by number, name and last activity.

use jiff::Timestamp;

use super::among::among;
use super::database::on;
use super::{Result, Tx, micros, time};
use crate::domain::WorkspaceId;

/// An account as lists show it.
#[derive(Debug, Clone)]
pub struct Row {
    pub number: i64,
    pub account_id: String,
    pub name: String,
    pub last_activity_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    number: i64,
    account_id: String,
    name: String,
    last_activity_at: Option<i64>,
}

impl From<Raw> for Row {
    fn from(raw: Raw) -> Row {
        Row { number: raw.number, account_id: raw.account_id, name: raw.name, last_activity_at: raw.last_activity_at.map(time) }
    }
}

words! { Sort { Name = "name", LastActivity = "last_activity" } }

/// The number of an account, handed out when anything first names it; the empty id stands for "nobody's".
pub async fn number(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<i64> {
    let found = number_of(workspace, tx, account_id).await?;
    if found != 0 {
        return Ok(found);
    }
    let (number,): (i64,) = on!(tx, c => sqlx::query_as(
        "INSERT INTO account (workspace_id, account_id, known, name, name_key) VALUES ($1, $2, 0, $2, $2)
         ON CONFLICT (workspace_id, account_id) DO UPDATE SET account_id = excluded.account_id RETURNING number")
        .bind(workspace.0).bind(account_id).fetch_one(c).await?);
    Ok(number)
}

/// The number of an account, 0 when nothing has named it.
pub async fn number_of(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<i64> {
    let found: Option<(i64,)> = on!(tx, c => sqlx::query_as("SELECT number FROM account WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).fetch_optional(c).await?);
    Ok(found.map_or(0, |(number,)| number))
}

/// Marks an account as known by its record, or no longer.
pub async fn set_known(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, name: Option<&str>) -> Result<()> {
    number(workspace, tx, account_id).await?;
    let shown = name.unwrap_or(account_id);
    on!(tx, c => sqlx::query("UPDATE account SET known = $3, name = $4, name_key = $5 WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).bind(i64::from(name.is_some())).bind(shown).bind(shown.to_lowercase())
        .execute(c).await?.rows_affected());
    Ok(())
}

/// The id of the known account with this name, whatever its case; of several the first.
pub async fn id_by_name(workspace: WorkspaceId, tx: &mut Tx, name: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = on!(tx, c => sqlx::query_as(
        "SELECT account_id FROM account WHERE workspace_id = $1 AND known = 1 AND name_key = $2 ORDER BY account_id LIMIT 1")
        .bind(workspace.0).bind(name.to_lowercase()).fetch_optional(c).await?);
    Ok(row.map(|(id,)| id))
}

/// The account with this id, if its record has arrived.
pub async fn find(workspace: WorkspaceId, tx: &mut Tx, account_id: &str) -> Result<Option<Row>> {
    let row: Option<Raw> = on!(tx, c => sqlx::query_as(
        "SELECT number, account_id, name, last_activity_at FROM account WHERE workspace_id = $1 AND account_id = $2 AND known = 1")
        .bind(workspace.0).bind(account_id).fetch_optional(c).await?);
    Ok(row.map(Row::from))
}

/// The numbers of the accounts of this id, name (whatever its case) or domain.
pub async fn called(workspace: WorkspaceId, tx: &mut Tx, name: &str) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT number FROM account WHERE workspace_id = $1 AND account_id = $2 AND account_id <> ''
         UNION SELECT number FROM account WHERE workspace_id = $1 AND known = 1 AND name_key = $3
         UNION SELECT a.number FROM account_domain d JOIN account a ON a.workspace_id = d.workspace_id AND a.account_id = d.account_id
               WHERE d.workspace_id = $1 AND d.domain = $3")
        .bind(workspace.0).bind(name).bind(name.to_lowercase()).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// The numbers of every account of every workspace: what an index being built needs.
pub async fn all_numbers(tx: &mut Tx) -> Result<Vec<(i64, String, i64)>> {
    Ok(on!(tx, c => sqlx::query_as("SELECT workspace_id, account_id, number FROM account").fetch_all(c).await?))
}

/// The account ids behind these numbers; numbers of "nobody's" are left out.
pub async fn ids(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<Vec<(i64, String)>> {
    let select = "SELECT number, account_id FROM account WHERE account_id <> '' AND +workspace_id = ";
    among(workspace, tx, select, "number", numbers, "").await
}

/// The last row of the page before: where the next one goes on.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct After {
    pub name_key: String,
    pub last_activity: i64,
    pub account_id: String,
}

/// Accounts whose name or id contains `text`, sorted, with the total.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx, text: Option<&str>, sort: Sort, after: Option<&After>, limit: i64) -> Result<(Vec<Row>, i64)> {
    let pattern = text.map(|t| format!("%{}%", t.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let (total,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM account WHERE workspace_id = $1 AND known = 1 AND ($2 IS NULL OR name_key LIKE $2 ESCAPE '\\' OR lower(account_id) LIKE $2 ESCAPE '\\')")
        .bind(workspace.0).bind(pattern.as_deref()).fetch_one(c).await?);
    let rows: Vec<Raw> = on!(tx, c => {
        let mut query = sqlx::QueryBuilder::new(
            "SELECT number, account_id, name, last_activity_at FROM account WHERE known = 1 AND workspace_id = ");
        query.push_bind(workspace.0);
        if let Some(pattern) = &pattern {
            query.push(" AND (name_key LIKE ").push_bind(pattern.as_str()).push(" ESCAPE '\\' OR lower(account_id) LIKE ")
                .push_bind(pattern.as_str()).push(" ESCAPE '\\')");
        }
        match (sort, after) {
            (Sort::Name, Some(after)) => {
                query.push(" AND (name_key, account_id) > (").push_bind(after.name_key.as_str()).push(", ").push_bind(after.account_id.as_str()).push(")");
            }
            (Sort::LastActivity, Some(after)) => {
                query.push(" AND (coalesce(last_activity_at, 0), account_id) < (").push_bind(after.last_activity).push(", ").push_bind(after.account_id.as_str()).push(")");
            }
            (_, None) => {}
        }
        query.push(match sort {
            Sort::Name => " ORDER BY name_key, account_id LIMIT ",
            Sort::LastActivity => " ORDER BY coalesce(last_activity_at, 0) DESC, account_id DESC LIMIT ",
        }).push_bind(limit);
        query.build_query_as().fetch_all(c).await?
    });
    Ok((rows.into_iter().map(Row::from).collect(), total))
}

impl Row {
    pub fn after(&self) -> After {
        After { name_key: self.name.to_lowercase(), last_activity: self.last_activity_at.map_or(0, micros), account_id: self.account_id.clone() }
    }
}
