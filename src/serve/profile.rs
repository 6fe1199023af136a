//! `GET /v1/accounts/{id}/360`: the whole profile in one request, from what is already known.

use axum::Json;
use axum::extract::State;

use super::App;
use super::extract::{Caller, Segments};
use super::problem::Problem;
use crate::pipeline::profile::{self, Profile};

/// Header, summary, deals, communications, contacts, tickets and what is coming, in one answer.
#[utoipa::path(get, path = "/v1/accounts/{id}/360", tag = "accounts", params(("id" = String, Path)), responses((status = 200, body = Profile), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller, Segments(id): Segments<String>) -> Result<Json<Profile>, Problem> {
    Ok(Json(profile::read(&app.service, caller.workspace, &id).await?))
}
