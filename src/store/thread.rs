//! Conversations: which Message-IDs belong together. The thread id of a set is the smallest of its members' ids, so
//! that the result does not depend on the order of arrival. Conversations that somebody split or merged by hand have ids
//! of their own, and keep what they have.

use std::collections::HashMap;

use jiff::Timestamp;

use super::among::among;
use super::database::on;
use super::{Result, Tx, change, micros};
use crate::domain::WorkspaceId;

/// How the id of a conversation begins that somebody put together by hand.
pub const KEPT: &str = "kept.";

/// Joins Message-IDs, each with the thread id that it alone stands for, into one conversation; returns its id and the
/// ids of conversations that it swallowed.
pub async fn join(workspace: WorkspaceId, tx: &mut Tx, message_ids: &[(&str, String)], now: Timestamp) -> Result<(String, Vec<String>)> {
    let ids: Vec<&str> = message_ids.iter().map(|(id, _)| *id).collect();
    let mut linked = of(workspace, tx, &ids).await?;
    // The nearest mail that is known says where an answer goes; only answers follow into a conversation kept by hand.
    if let Some(kept) = ids.iter().find_map(|id| linked.get(*id)).filter(|thread| thread.starts_with(KEPT)) {
        link(workspace, tx, &ids[..1], kept).await?;
        return Ok((kept.clone(), Vec::new()));
    }
    linked.retain(|_, thread| !thread.starts_with(KEPT));
    let new: Vec<_> = message_ids.iter().filter(|(id, _)| !linked.contains_key(*id)).collect();
    let candidates = linked.values().chain(new.iter().map(|(_, alone)| alone));
    let thread = candidates.min().cloned().unwrap_or_default();
    if !new.is_empty() {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO thread_link (workspace_id, message_id, thread_id) ");
            query.push_values(&new, |mut row, (id, _)| {
                row.push_bind(workspace.0).push_bind(*id).push_bind(thread.as_str());
            });
            query.push(" ON CONFLICT DO NOTHING");
            query.build().execute(c).await?;
        });
    }
    let mut swallowed: Vec<String> = linked.into_values().filter(|other| *other != thread).collect();
    swallowed.sort();
    swallowed.dedup();
    for other in &swallowed {
        merge(workspace, tx, other, &thread, now).await?;
    }
    Ok((thread, swallowed))
}

/// Makes two conversations one; returns the id that stays and, if there was anything to do, the one that went.
pub async fn unite(workspace: WorkspaceId, tx: &mut Tx, a: &str, b: &str, now: Timestamp) -> Result<(String, Option<String>)> {
    let (stays, goes) = if a <= b { (a, b) } else { (b, a) };
    if stays == goes {
        return Ok((stays.to_owned(), None));
    }
    merge(workspace, tx, goes, stays, now).await?;
    Ok((stays.to_owned(), Some(goes.to_owned())))
}

/// Puts Message-IDs into a conversation, wherever they were.
pub async fn link(workspace: WorkspaceId, tx: &mut Tx, message_ids: &[&str], thread_id: &str) -> Result<()> {
    for some in message_ids.chunks(500) {
        on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO thread_link (workspace_id, message_id, thread_id) ");
            query.push_values(some, |mut row, id| {
                row.push_bind(workspace.0).push_bind(*id).push_bind(thread_id);
            });
            query.push(" ON CONFLICT (workspace_id, message_id) DO UPDATE SET thread_id = excluded.thread_id");
            query.build().execute(c).await?;
        });
    }
    Ok(())
}

/// The conversations of Message-IDs.
pub async fn of(workspace: WorkspaceId, tx: &mut Tx, message_ids: &[&str]) -> Result<HashMap<String, String>> {
    let select = "SELECT message_id, thread_id FROM thread_link WHERE workspace_id = ";
    let rows: Vec<(String, String)> = among(workspace, tx, select, "message_id", message_ids, "").await?;
    Ok(rows.into_iter().collect())
}

async fn merge(workspace: WorkspaceId, tx: &mut Tx, from: &str, into: &str, now: Timestamp) -> Result<()> {
    change::append_of_thread(workspace, tx, from, now).await?;
    for statement in [
        "UPDATE thread_link SET thread_id = $3 WHERE workspace_id = $1 AND thread_id = $2",
        "UPDATE entry SET thread_id = $3 WHERE workspace_id = $1 AND thread_id = $2",
    ] {
        on!(tx, c => sqlx::query(statement).bind(workspace.0).bind(from).bind(into).execute(c).await?.rows_affected());
    }
    Ok(())
}

/// A mail as looked at when conversations are found by subject.
#[derive(Debug, Clone)]
pub struct BySubject<'a> {
    pub number: i64,
    pub subject_key: &'a str,
    pub occurred_at: Timestamp,
    /// Whether it is a reply that names no mail.
    pub is_reply: bool,
    /// How far apart the two may lie.
    pub window: std::time::Duration,
}

/// Threads of mails of the same subject that share a person and lie near in time, where the later one is a reply that
/// names no mail. At most a handful of nearest ones are looked at.
pub async fn by_subject(workspace: WorkspaceId, tx: &mut Tx, mail: &BySubject<'_>) -> Result<Vec<String>> {
    let window = i64::try_from(mail.window.as_micros()).unwrap_or(i64::MAX / 4);
    let at = micros(mail.occurred_at);
    let rows: Vec<(String,)> = on!(tx, c => sqlx::query_as(
        "SELECT DISTINCT e.thread_id FROM mail m JOIN entry e ON e.number = m.number
         WHERE m.workspace_id = $1 AND m.subject_key = $2 AND m.number <> $3 AND e.thread_id IS NOT NULL
           AND ((m.occurred_at BETWEEN $4 - $5 AND $4 AND $6 = 1) OR (m.occurred_at BETWEEN $4 AND $4 + $5 AND m.is_reply = 1))
           AND EXISTS (SELECT 1 FROM participant p JOIN participant q ON q.workspace_id = p.workspace_id AND q.person = p.person
                       WHERE p.workspace_id = m.workspace_id AND p.number = m.number AND q.number = $3)
         ORDER BY e.thread_id LIMIT 100")
        .bind(workspace.0).bind(mail.subject_key).bind(mail.number).bind(at).bind(window).bind(i64::from(mail.is_reply))
        .fetch_all(c).await?);
    Ok(rows.into_iter().map(|(thread,)| thread).collect())
}
