//! `GET /v1/audit`: what was done that changes who may do what, or takes data out or away.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::cursor;
use super::extract::{Caller, Page, Params, limit};
use super::problem::Problem;
use crate::store::audit::{self, Deed};

#[derive(Serialize, ToSchema)]
pub struct Log {
    /// Newest first.
    items: Vec<Deed>,
    total: i64,
    next_cursor: Option<String>,
}

/// The audit log of the workspace.
#[utoipa::path(get, path = "/v1/audit", tag = "operations", params(Page), responses((status = 200, body = Log), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<Log>, Problem> {
    let limit = limit(page.limit)?;
    let before: Option<i64> = cursor::decode("audit", page.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    let (mut items, total) = audit::list(caller.workspace, &mut tx, before, limit + 1).await?;
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = items.last().filter(|_| more).map(|row| cursor::encode("audit", row.number));
    Ok(Json(Log { items, total, next_cursor }))
}
