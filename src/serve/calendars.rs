//! `POST /v1/calendars`: calendars in.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Body, Caller, Params};
use super::files::Taken;
use super::problem::Problem;
use super::transcripts::LeftOut;
use crate::ingest::calendar;
use crate::pipeline::blocking;
use crate::pipeline::receive;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Whose meetings these are; without one, the people invited decide.
    account: Option<String>,
    /// Whether to make accounts of the business domains of the people invited.
    discover_accounts: Option<bool>,
}

/// Takes an iCalendar file: series become meetings, updates and cancellations change them.
#[utoipa::path(
    post, path = "/v1/calendars", tag = "in", params(Wanted, ("Idempotency-Key" = Option<String>, Header)), request_body(content = String, content_type = "text/calendar"),
    responses((status = 200, body = Taken), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>, Body(body, once): Body) -> Result<Json<Taken>, Problem> {
    let read = blocking(move || calendar::read(&body)).await?.map_err(|reason| Problem::bad_request("bad_calendar", reason))?;
    let left_out = read.refused.into_iter().map(|(line, reason)| LeftOut { line, reason }).collect();
    if wanted.discover_accounts.unwrap_or(false) {
        receive::discover(&app.service, caller.workspace, calendar::addresses(&read.components)).await?;
    }
    let items = receive::calendar(&app.service, caller.workspace, read.components, wanted.account, once).await?;
    Ok(Json(Taken { items, left_out }))
}
