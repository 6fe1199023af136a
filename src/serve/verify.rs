//! `POST /v1/verify`: whether store and search index hang together.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Caller, Params};
use super::problem::Problem;
use crate::pipeline::verify::{self, Report};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Mend what can be made again.
    repair: Option<bool>,
}

/// Compares the search index with the store, entry by entry, and looks for damage.
#[utoipa::path(
    post, path = "/v1/verify", tag = "operations", params(Wanted),
    responses((status = 200, body = Report), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Json<Report>, Problem> {
    Ok(Json(verify::verify(&app.service, caller.workspace, wanted.repair.unwrap_or(false)).await?))
}
