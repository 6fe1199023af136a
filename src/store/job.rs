//! Work to do, in a table: enqueued in the transaction of its cause, once per key, leased to a worker, tried again
//! with growing pauses, and kept for people to see when it never works.

use jiff::{SignedDuration, Timestamp};

use super::database::on;
use super::{Result, StoreError, Tx, micros, time};
use crate::domain::WorkspaceId;

/// After so many attempts a job is dead: kept, shown, not tried again.
pub const MAX_ATTEMPTS: i64 = 5;

/// A worker that has not reported for so long is taken for dead, and its job is given to another.
pub const LEASE: SignedDuration = SignedDuration::from_secs(6);

/// A worker's hold on a job. The number of the attempt tells it from a worker that took the job over: whoever lost its
/// job can no longer finish it, and its effect is undone with it.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub job_id: i64,
    attempt: i64,
}

/// A job in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub held: Held,
    pub workspace: WorkspaceId,
    pub kind: String,
    pub key: String,
    pub payload: String,
    pub attempts: i64,
}

/// A job as lists show it.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Job {
    pub id: i64,
    /// What it does.
    pub kind: String,
    /// What it does it to, e.g. the account.
    pub key: String,
    /// `queued`, `running`, `failed` (waits for its next attempt) or `dead`.
    pub state: String,
    pub attempts: i64,
    pub queued_at: Timestamp,
    pub run_at: Timestamp,
    /// Of the last attempt.
    pub error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    job_id: i64,
    workspace_id: i64,
    kind: String,
    key: String,
    payload: String,
    state: String,
    queued_at: i64,
    run_at: i64,
    attempts: i64,
    error: Option<String>,
}

macro_rules! columns {
    () => {
        "job_id, workspace_id, kind, key, payload, state, queued_at, run_at, attempts, error"
    };
}

impl From<Row> for Job {
    fn from(row: Row) -> Job {
        Job {
            id: row.job_id,
            kind: row.kind,
            key: row.key,
            state: row.state,
            attempts: row.attempts,
            queued_at: time(row.queued_at),
            run_at: time(row.run_at),
            error: row.error,
        }
    }
}

/// The payload of the job that waits under this key.
pub async fn queued_payload(workspace: WorkspaceId, tx: &mut Tx, kind: &str, key: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = on!(tx, c => sqlx::query_as(
        "SELECT payload FROM job WHERE workspace_id = $1 AND kind = $2 AND key = $3 AND state = 'queued'")
        .bind(workspace.0).bind(kind).bind(key).fetch_optional(c).await?);
    Ok(row.map(|(payload,)| payload))
}

/// When a job runs: now, or once its cause has been quiet for a while.
#[derive(Debug, Clone, Copy)]
pub struct When {
    pub quiet: SignedDuration,
    /// Quiet or not, no later than this after it was first queued.
    pub at_most: SignedDuration,
}

impl When {
    pub const NOW: When = When { quiet: SignedDuration::ZERO, at_most: SignedDuration::ZERO };
}

/// Queues a job; one that already waits under the same key takes the new payload and waits for quiet again.
pub async fn enqueue(workspace: WorkspaceId, tx: &mut Tx, kind: &str, key: &str, payload: &str, when: When, now: Timestamp) -> Result<i64> {
    let run_at = micros(now + when.quiet);
    let at_most = i64::try_from(when.at_most.as_micros()).unwrap_or(i64::MAX);
    let (job_id,): (i64,) = on!(tx, c => sqlx::query_as(
        "INSERT INTO job (workspace_id, kind, key, payload, state, queued_at, run_at, attempts) VALUES ($1, $2, $3, $4, 'queued', $5, $6, 0)
         ON CONFLICT (workspace_id, kind, key) WHERE state = 'queued' DO UPDATE SET payload = excluded.payload,
             run_at = CASE WHEN excluded.run_at < job.queued_at + $7 THEN excluded.run_at ELSE job.queued_at + $7 END
         RETURNING job_id")
        .bind(workspace.0).bind(kind).bind(key).bind(payload).bind(micros(now)).bind(run_at).bind(at_most).fetch_one(c).await?);
    Ok(job_id)
}

/// Which jobs a worker takes: reading is endless at times and has a line of its own, behind which nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Everything but reading.
    Jobs,
    Reading,
}

/// A statement for either line, whose condition stands between its two parts.
macro_rules! of_line {
    ($line:expr, $before:expr, $after:expr) => {
        match $line {
            Line::Jobs => concat!($before, "kind <> 'read'", $after),
            Line::Reading => concat!($before, "kind = 'read'", $after),
        }
    };
}

/// Whether the workspace's reading waits or runs.
pub async fn is_reading(workspace: WorkspaceId, tx: &mut Tx) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(
        "SELECT job_id FROM job WHERE kind = 'read' AND state IN ('queued', 'running', 'failed') AND workspace_id = $1 LIMIT 1")
        .bind(workspace.0).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Whether there is anything to claim.
pub async fn may_claim(tx: &mut Tx, line: Line, before: Timestamp, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = on!(tx, c => sqlx::query_as(of_line!(line,
        "SELECT job_id FROM job WHERE ((state = 'queued' AND run_at <= $1) OR (state = 'failed' AND run_at <= $2)
            OR (state = 'running' AND lease_until < $2)) AND ", " LIMIT 1"))
        .bind(micros(before)).bind(micros(now)).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// Takes the next due job, oldest first: one queued up to `before`, or one whose pause after a failure is over now.
pub async fn claim(tx: &mut Tx, line: Line, before: Timestamp, now: Timestamp) -> Result<Option<Claimed>> {
    // A worker that died took its attempt with it: what killed it too often is dead.
    on!(tx, c => sqlx::query(
        "UPDATE job SET state = CASE WHEN attempts >= $2 AND kind NOT IN ('purge', 'read') THEN 'dead' ELSE 'failed' END, run_at = $1, lease_until = NULL,
             error = coalesce(error, 'the worker stopped while it ran')
         WHERE state = 'running' AND lease_until < $1")
        .bind(micros(now)).bind(MAX_ATTEMPTS).execute(c).await?.rows_affected());
    let row: Option<Row> = on!(tx, c => sqlx::query_as(of_line!(line,
        "UPDATE job SET state = 'running', attempts = attempts + 1, lease_until = $2
         WHERE job_id = (SELECT job_id FROM job WHERE ((state = 'queued' AND run_at <= $1) OR (state = 'failed' AND run_at <= $3)) AND ",
        concat!(" ORDER BY run_at, job_id LIMIT 1)
           AND state IN ('queued', 'failed')
         RETURNING ", columns!())))
        .bind(micros(before)).bind(micros(now + LEASE)).bind(micros(now)).fetch_optional(c).await?);
    Ok(row.map(|row| Claimed {
        held: Held { job_id: row.job_id, attempt: row.attempts },
        workspace: WorkspaceId(row.workspace_id),
        kind: row.kind,
        key: row.key,
        payload: row.payload,
        attempts: row.attempts,
    }))
}

/// Puts back what a process that stopped was doing, and what was queued by a clock that has since been set back; only
/// for the one process that has the store to itself.
pub async fn put_back(tx: &mut Tx, now: Timestamp) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE job SET state = 'failed', run_at = $1, lease_until = NULL, error = coalesce(error, 'the process stopped while it ran') WHERE state = 'running'")
        .bind(micros(now)).execute(c).await?.rows_affected());
    on!(tx, c => sqlx::query("UPDATE job SET run_at = $1, queued_at = $1 WHERE queued_at > $1").bind(micros(now)).execute(c).await?.rows_affected());
    Ok(())
}

/// Reports that a worker is still at it; false when another has taken the job over.
pub async fn extend(tx: &mut Tx, held: Held, now: Timestamp) -> Result<bool> {
    let extended = on!(tx, c => sqlx::query("UPDATE job SET lease_until = $3 WHERE job_id = $1 AND attempts = $2 AND state = 'running'")
        .bind(held.job_id).bind(held.attempt).bind(micros(now + LEASE)).execute(c).await?.rows_affected());
    Ok(extended == 1)
}

/// Done: nothing is left of it. In the transaction of its effect, so that a worker that lost the job has no effect.
///
/// # Errors
/// [`StoreError::TakenOver`] when the worker lost the job.
pub async fn finish(tx: &mut Tx, held: Held) -> Result<()> {
    let finished = on!(tx, c => sqlx::query("DELETE FROM job WHERE job_id = $1 AND attempts = $2 AND state = 'running'")
        .bind(held.job_id).bind(held.attempt).execute(c).await?.rows_affected());
    if finished == 1 { Ok(()) } else { Err(StoreError::TakenOver) }
}

/// Failed: tried again at `retry_at`, or dead when `None`.
pub async fn fail(tx: &mut Tx, held: Held, error: &str, retry_at: Option<Timestamp>) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE job SET state = CASE WHEN $4 IS NULL THEN 'dead' ELSE 'failed' END, run_at = coalesce($4, run_at), error = $3, lease_until = NULL
         WHERE job_id = $1 AND attempts = $2 AND state = 'running'")
        .bind(held.job_id).bind(held.attempt).bind(error).bind(retry_at.map(micros)).execute(c).await?.rows_affected());
    Ok(())
}

/// A page of a workspace's jobs, of one kind or all, in the order they were queued.
pub async fn list(workspace: WorkspaceId, tx: &mut Tx, kind: Option<&str>, after: i64, limit: i64) -> Result<Vec<Job>> {
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(concat!(
        "SELECT ", columns!(), " FROM job WHERE workspace_id = $1 AND job_id > $2 AND ($4 IS NULL OR kind = $4) ORDER BY job_id LIMIT $3"))
        .bind(workspace.0).bind(after).bind(limit).bind(kind).fetch_all(c).await?);
    Ok(rows.into_iter().map(Job::from).collect())
}

/// Jobs by state, in all workspaces when none is given.
pub async fn counts(workspace: Option<WorkspaceId>, tx: &mut Tx) -> Result<Vec<(String, i64)>> {
    Ok(on!(tx, c => sqlx::query_as("SELECT state, count(*) FROM job WHERE $1 IS NULL OR workspace_id = $1 GROUP BY state")
        .bind(workspace.map(|w| w.0)).fetch_all(c).await?))
}
