//! Mails that say nearly the same as an earlier one of their author's to the same account.

use jiff::Timestamp;

use super::database::on;
use super::{Result, Tx, micros, time};
use crate::domain::WorkspaceId;

/// Mails looked at for one: the nearest in time.
const MAX_NEAR: i64 = 200;

/// What of a mail decides whether it repeats another.
#[derive(Debug, Clone)]
pub struct Said {
    pub number: i64,
    pub id: String,
    pub account_id: String,
    pub author: String,
    pub occurred_at: Timestamp,
    /// Fingerprint of its new words.
    pub likeness: u64,
    /// Whether it was found to repeat another.
    pub repeats: bool,
}

impl Said {
    /// What comes first is no repetition; at one moment the smaller id does.
    pub fn is_before(&self, other: &Said) -> bool {
        (self.occurred_at, &self.id) < (other.occurred_at, &other.id)
    }
}

type Row = (i64, String, String, String, i64, i64, i64);

fn said((number, id, account_id, author, occurred_at, likeness, repeats): Row) -> Said {
    Said { number, id, account_id, author, occurred_at: time(occurred_at), likeness: likeness.cast_unsigned(), repeats: repeats != 0 }
}

/// A mail of a known author that belongs to an account and says more than a few words.
pub async fn find(workspace: WorkspaceId, tx: &mut Tx, number: i64) -> Result<Option<Said>> {
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
        "SELECT m.number, e.id, e.account_id, m.author, m.occurred_at, m.likeness, m.repeats FROM mail m CROSS JOIN entry e
         WHERE m.workspace_id = $1 AND m.number = $2 AND e.number = m.number
           AND e.account_id IS NOT NULL AND m.author IS NOT NULL AND m.likeness IS NOT NULL")
        .bind(workspace.0).bind(number).fetch_optional(c).await?);
    Ok(row.map(said))
}

/// The author's other mails to the account in the time `from..=to`.
pub async fn others(workspace: WorkspaceId, tx: &mut Tx, mail: &Said, from: Timestamp, to: Timestamp) -> Result<Vec<Said>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(
        "SELECT m.number, e.id, e.account_id, m.author, m.occurred_at, m.likeness, m.repeats FROM mail m CROSS JOIN entry e
         WHERE m.workspace_id = $1 AND m.author = $2 AND m.occurred_at >= $3 AND m.occurred_at <= $4 AND m.number <> $5 AND m.likeness IS NOT NULL
           AND e.number = m.number AND e.account_id = $6
         ORDER BY abs(m.occurred_at - $7) LIMIT $8")
        .bind(workspace.0).bind(&mail.author).bind(micros(from)).bind(micros(to)).bind(mail.number).bind(&mail.account_id)
        .bind(micros(mail.occurred_at)).bind(MAX_NEAR).fetch_all(c).await?);
    Ok(rows.into_iter().map(said).collect())
}

/// Notes whether a mail repeats another.
pub async fn set(workspace: WorkspaceId, tx: &mut Tx, number: i64, repeats: bool) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE mail SET repeats = $3 WHERE workspace_id = $1 AND number = $2")
        .bind(workspace.0).bind(number).bind(i64::from(repeats)).execute(c).await?.rows_affected());
    Ok(())
}
