//! `GET /v1/search/suggest`: how a query may go on.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Caller, Params, limit};
use super::problem::Problem;
use crate::index::query::MAX_LENGTH;
use crate::pipeline::suggest::{self, Completions};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The query as far as it is typed, at most 1024 bytes.
    q: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// Completes a query: operators, their values, names of people and accounts, and words that were written, the most frequent first.
#[utoipa::path(
    get, path = "/v1/search/suggest", tag = "timeline", params(Wanted),
    responses((status = 200, body = Completions), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Json<Completions>, Problem> {
    let size = usize::try_from(limit(wanted.limit)?).unwrap_or(20);
    let text = wanted.q.unwrap_or_default();
    if text.len() > MAX_LENGTH {
        return Err(Problem::bad_request("bad_query", format!("the query has {} bytes; the limit is {MAX_LENGTH}", text.len())));
    }
    if text.contains('\0') {
        return Err(Problem::bad_request("bad_query", "the query contains a NUL character"));
    }
    Ok(Json(suggest::suggest(&app.service, caller.workspace, &text, size).await?))
}
