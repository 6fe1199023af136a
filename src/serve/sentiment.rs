//! `GET /v1/accounts/{id}/sentiment`: how the account's people feel, with the messages and sentences that say so.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Caller, Params, Segments};
use super::problem::Problem;
use crate::domain::sentiment::AccountSentiment;
use crate::pipeline::sentiment;
use crate::store::account;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// How many days back from now.
    #[param(minimum = 1, maximum = 3650, default = 90)]
    window_days: Option<i64>,
}

/// The sentiment of an account's customers: what they wrote and said, not what we did. At most the newest 200 messages count.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/sentiment", tag = "insights", params(("id" = String, Path), Wanted),
    responses((status = 200, body = AccountSentiment), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<AccountSentiment>, Problem> {
    let days = wanted.window_days.unwrap_or(sentiment::WINDOW_DAYS);
    if !(1..=3_650).contains(&days) {
        return Err(Problem::bad_request("bad_parameter", format!("window_days is {days}; it must be from 1 to 3650")));
    }
    let mut tx = app.service.store.read(caller.workspace).await?;
    if account::find(caller.workspace, &mut tx, &id).await?.is_none() {
        return Err(Problem::not_found(format!("account {id:?} was not found")));
    }
    Ok(Json(sentiment::read(caller.workspace, &mut tx, &id, days, app.service.clock.now()).await?))
}
