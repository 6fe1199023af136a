//! `GET /v1/jobs`: what waits, runs, or never worked.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::cursor;
use super::extract::{Caller, Params, limit};
use super::problem::Problem;
use crate::analyse::reader::workers::Workers;
use crate::store::job::{self, Job};
use crate::store::reading;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of this kind only: `join`, `refresh`, `read`, `attachments` or `purge`.
    kind: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Jobs {
    /// In the order they were queued; done jobs are gone.
    items: Vec<Job>,
    /// Jobs by state: queued, running, failed, dead.
    counts: BTreeMap<String, i64>,
    total: i64,
    /// Entries that wait to be read: new ones, changed ones, and those that an older reader read.
    unread: i64,
    next_cursor: Option<String>,
}

/// Lists jobs with their state, attempts and last error.
#[utoipa::path(get, path = "/v1/jobs", tag = "operations", params(Wanted), responses((status = 200, body = Jobs), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Json<Jobs>, Problem> {
    let limit = limit(wanted.limit)?;
    let question = format!("jobs {:?}", wanted.kind);
    let after: Option<i64> = cursor::decode(&question, wanted.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    let mut items = job::list(caller.workspace, &mut tx, wanted.kind.as_deref(), after.unwrap_or(0), limit + 1).await?;
    let mut counts: BTreeMap<String, i64> = ["queued", "running", "failed", "dead"].into_iter().map(|s| (s.to_owned(), 0)).collect();
    counts.extend(job::counts(Some(caller.workspace), &mut tx).await?);
    let reader = app.service.reader.workers().map_or(reading::FIRST, Workers::version);
    let unread = reading::backlog(caller.workspace, &mut tx, reader).await?;
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = items.last().filter(|_| more).map(|last| cursor::encode(&question, last.id));
    let total = counts.values().sum();
    Ok(Json(Jobs { items, counts, total, unread, next_cursor }))
}
