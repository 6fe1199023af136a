//! `POST /v1/reindex`: builds the search index again while the old one goes on answering.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::extract::Caller;
use super::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct Rebuilt {
    /// Entries in the new index.
    entries: u64,
}

/// Builds the workspace's search index again from the store; answers when the new one is in use.
#[utoipa::path(post, path = "/v1/reindex", tag = "operations", responses((status = 200, body = Rebuilt), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub async fn post(State(app): State<App>, caller: Caller) -> Result<Json<Rebuilt>, Problem> {
    Ok(Json(Rebuilt { entries: app.service.index.rebuild(caller.workspace).await? }))
}
