//! How an account's people feel, from what was read.

use jiff::{SignedDuration, Timestamp};

use crate::domain::WorkspaceId;
use crate::domain::sentiment::{AccountSentiment, Point};
use crate::insights::sentiment;
use crate::store::{Result, Tx, reading};

/// The usual stretch of time.
pub const WINDOW_DAYS: i64 = 90;
/// Messages that count at most: the newest.
const MOST: i64 = 200;

/// The sentiment of an account's customers in the days before `now`.
pub async fn read(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, days: i64, now: Timestamp) -> Result<AccountSentiment> {
    let from = now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
    let scored = reading::scored(workspace, tx, account_id, from, now, MOST).await?;
    let engine = scored.first().map(|newest| newest.reading.engine.clone());
    let points = scored.into_iter().filter_map(|scored| {
        let sentiment = scored.reading.sentiment?;
        Some(Point { entry_id: scored.entry_id, occurred_at: scored.occurred_at, score: sentiment.sentiment.score, carried_by: sentiment.carried_by })
    });
    Ok(sentiment::of(points.collect(), engine))
}
