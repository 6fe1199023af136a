//! The words of attachments: read once, found and cited like those of the mail.

use std::collections::HashMap;

use super::among::among;
use super::database::on;
use super::{Result, Tx};
use crate::domain::WorkspaceId;

/// Keeps the words of one attachment.
pub async fn put(workspace: WorkspaceId, tx: &mut Tx, number: i64, position: i64, text: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO attachment_text (workspace_id, number, position, text) VALUES ($1, $2, $3, $4)
         ON CONFLICT (workspace_id, number, position) DO UPDATE SET text = excluded.text")
        .bind(workspace.0).bind(number).bind(position).bind(text).execute(c).await?.rows_affected());
    Ok(())
}

/// The words of these entries' attachments, with their places.
pub async fn of(workspace: WorkspaceId, tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, Vec<(usize, String)>>> {
    let mut found: HashMap<i64, Vec<(usize, String)>> = HashMap::new();
    let select = "SELECT number, position, text FROM attachment_text WHERE workspace_id = ";
    let rows: Vec<(i64, i64, String)> = among(workspace, tx, select, "number", numbers, "ORDER BY number, position").await?;
    for (number, position, text) in rows {
        found.entry(number).or_default().push((usize::try_from(position).unwrap_or(0), text));
    }
    Ok(found)
}
