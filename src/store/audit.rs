//! What was done that changes who may do what, or takes data out or away. Rows are only added; each holds the hash of the
//! one before, so that a changed or missing one shows.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::database::on;
use super::{Result, Tx, micros, time};
use crate::domain::WorkspaceId;

/// One row, as it is shown.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Deed {
    /// 1, 2, 3 … in each workspace.
    pub number: i64,
    pub at: Timestamp,
    /// The id of a key, `command line`, or `local` without keys.
    pub actor: String,
    /// What was done: `key.create`, `key.revoke`, `session.open`, `session.close`, `contact.erase`.
    pub action: String,
    /// What it was done to; never an address or words.
    pub subject: String,
}

type Row = (i64, i64, String, String, String, String);

fn hash(before: &str, number: i64, at: i64, actor: &str, action: &str, subject: &str) -> String {
    // Lengths keep fields from running into each other.
    let text = format!("{before}\n{number}\n{at}\n{}:{actor}\n{}:{action}\n{}:{subject}", actor.len(), action.len(), subject.len());
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds a row.
pub async fn add(workspace: WorkspaceId, tx: &mut Tx, actor: &str, action: &str, subject: &str, now: Timestamp) -> Result<()> {
    let last: Option<(i64, String)> = on!(tx, c => sqlx::query_as("SELECT number, hash FROM audit WHERE workspace_id = $1 ORDER BY number DESC LIMIT 1")
        .bind(workspace.0).fetch_optional(c).await?);
    let (number, before) = last.map_or((1, String::new()), |(number, hash)| (number + 1, hash));
    let at = micros(now);
    on!(tx, c => sqlx::query("INSERT INTO audit (workspace_id, number, at, actor, action, subject, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(workspace.0).bind(number).bind(at).bind(actor).bind(action).bind(subject).bind(hash(&before, number, at, actor, action, subject))
        .execute(c).await?.rows_affected());
    Ok(())
}

/// A page, newest first, with the number of rows.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx, before: Option<i64>, limit: i64) -> Result<(Vec<Deed>, i64)> {
    let (total,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM audit WHERE workspace_id = $1").bind(workspace.0).fetch_one(c).await?);
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT number, at, actor, action, subject, hash FROM audit
         WHERE workspace_id = $1 AND ($2 IS NULL OR number < $2) ORDER BY number DESC LIMIT $3")
        .bind(workspace.0).bind(before).bind(limit).fetch_all(c).await?);
    let entry = |(number, at, actor, action, subject, _): Row| Deed { number, at: time(at), actor, action, subject };
    Ok((rows.into_iter().map(entry).collect(), total))
}

/// The first row that does not follow from the one before; none when nobody changed anything.
pub async fn first_broken(workspace: WorkspaceId, tx: &mut Tx) -> Result<Option<i64>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT number, at, actor, action, subject, hash FROM audit WHERE workspace_id = $1 ORDER BY number")
        .bind(workspace.0).fetch_all(c).await?);
    let mut before = String::new();
    for (place, (number, at, actor, action, subject, stored)) in rows.into_iter().enumerate() {
        if number != place as i64 + 1 || stored != hash(&before, number, at, &actor, &action, &subject) {
            return Ok(Some(number));
        }
        before = stored;
    }
    Ok(None)
}
