//! Whether what is stored hangs together: the file itself, rows that belong to an entry that is gone, counts.

use super::database::{Inner, on};
use super::{Result, Tx};
use crate::domain::WorkspaceId;

/// The name of a table, and the statements that count and remove its rows without an entry.
macro_rules! of_entries {
    ($table:literal) => {
        (
            $table,
            concat!(
                "SELECT count(*) FROM ",
                $table,
                " t WHERE t.workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.number = t.number AND e.workspace_id = t.workspace_id)"
            ),
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.number = ",
                $table,
                ".number AND e.workspace_id = ",
                $table,
                ".workspace_id)"
            ),
        )
    };
}
/// Tables whose rows belong to an entry, by its number.
const OF_ENTRIES: [(&str, &str, &str); 7] = [
    of_entries!("participant"),
    of_entries!("mail"),
    of_entries!("mail_reference"),
    of_entries!("provenance"),
    of_entries!("raw_mail"),
    of_entries!("attachment_text"),
    of_entries!("reading"),
];

/// What SQLite finds wrong with its file, in its own words; PostgreSQL looks after its pages itself.
pub async fn faults(tx: &mut Tx) -> Result<Vec<String>> {
    let Inner::Sqlite(transaction) = &mut tx.inner else { return Ok(Vec::new()) };
    let rows: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check(20)").fetch_all(&mut **transaction).await?;
    Ok(rows.into_iter().map(|(row,)| row).filter(|row| row != "ok").collect())
}

/// Rows that belong to no entry, by table.
pub async fn orphans(workspace: WorkspaceId, tx: &mut Tx) -> Result<Vec<(&'static str, i64)>> {
    let mut found = Vec::new();
    for (table, count, _) in OF_ENTRIES {
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(count).bind(workspace.0).fetch_one(c).await?);
        if count > 0 {
            found.push((table, count));
        }
    }
    Ok(found)
}

/// Removes them.
pub async fn remove_orphans(workspace: WorkspaceId, tx: &mut Tx) -> Result<()> {
    for (_, _, remove) in OF_ENTRIES {
        on!(tx, c => sqlx::query(remove).bind(workspace.0).execute(c).await?.rows_affected());
    }
    Ok(())
}

/// How many counts of entries by account and type are not what the entries say.
pub async fn miscounts(workspace: WorkspaceId, tx: &mut Tx) -> Result<i64> {
    let (wrong,): (i64,) = on!(tx, c => sqlx::query_as(
        "SELECT count(*) FROM (
             SELECT account_id, type, sum(counted) AS counted, sum(there) AS there FROM (
                 SELECT account_id, type, count AS counted, 0 AS there FROM entry_count WHERE workspace_id = $1
                 UNION ALL
                 SELECT coalesce(account_id, ''), type, 0, count(*) FROM entry WHERE workspace_id = $1 GROUP BY 1, 2
             ) AS each_side GROUP BY account_id, type
         ) AS compared WHERE counted <> there")
        .bind(workspace.0).fetch_one(c).await?);
    Ok(wrong)
}

/// Counts anew.
pub async fn recount(workspace: WorkspaceId, tx: &mut Tx) -> Result<()> {
    for statement in [
        "DELETE FROM entry_count WHERE workspace_id = $1",
        "INSERT INTO entry_count (workspace_id, account_id, type, count)
         SELECT $1, coalesce(account_id, ''), type, count(*) FROM entry WHERE workspace_id = $1 GROUP BY coalesce(account_id, ''), type",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).execute(c).await?.rows_affected());
    }
    Ok(())
}
