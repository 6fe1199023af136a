//! `GET /v1/jobs`: what waits, runs, or never worked.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::cursor;
use super::extract::{Caller, Page, Params, limit};
use super::problem::Problem;
use crate::store::job::{self, Job};

#[derive(Serialize, ToSchema)]
pub struct Jobs {
    /// In the order they were queued; done jobs are gone.
    items: Vec<Job>,
    /// Jobs by state: queued, running, failed, dead.
    counts: BTreeMap<String, i64>,
    total: i64,
    next_cursor: Option<String>,
}

/// Lists jobs with their state, attempts and last error.
#[utoipa::path(get, path = "/v1/jobs", tag = "operations", params(Page), responses((status = 200, body = Jobs), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<Jobs>, Problem> {
    let limit = limit(page.limit)?;
    let after: Option<i64> = cursor::decode("jobs", page.cursor.as_deref())?;
    let mut tx = app.service.store.read().await?;
    let mut items = job::list(caller.workspace, &mut tx, after.unwrap_or(0), limit + 1).await?;
    let mut counts: BTreeMap<String, i64> = ["queued", "running", "failed", "dead"].into_iter().map(|s| (s.to_owned(), 0)).collect();
    counts.extend(job::counts(Some(caller.workspace), &mut tx).await?);
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = items.last().filter(|_| more).map(|last| cursor::encode("jobs", last.id));
    let total = counts.values().sum();
    Ok(Json(Jobs { items, counts, total, next_cursor }))
}
