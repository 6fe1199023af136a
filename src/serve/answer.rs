//! `GET /v1/search/answer`: the words of the record that answer a plain question.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Caller, Params};
use super::problem::Problem;
use crate::index::Request;
use crate::index::query;
use crate::pipeline::answer::{self, Answered};
use crate::pipeline::search::moment;
use crate::store::account;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A plain question, with operators as in a search where only some of the record is meant. At most 1024 bytes.
    q: Option<String>,
    /// In this account only.
    account: Option<String>,
}

/// Answers a question with quotations, or says that it is not in the record. Nothing is made up.
#[utoipa::path(
    get, path = "/v1/search/answer", tag = "timeline", params(Wanted),
    responses((status = 200, body = Answered), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Json<Answered>, Problem> {
    let text = wanted.q.as_deref().unwrap_or_default();
    let query = query::parse(text, &moment(&app.service, caller.workspace).await?)?;
    if query.asked().is_empty() {
        return Err(Problem::bad_request("bad_query", "q asks nothing; give a question in plain words"));
    }
    let mut request = Request::newest(query, 1);
    if let Some(id) = &wanted.account {
        let row = account::find(caller.workspace, &mut app.service.store.read(caller.workspace).await?, id).await?;
        request.account = Some(row.ok_or_else(|| Problem::not_found(format!("account {id:?} was not found")))?.number);
    }
    Ok(Json(answer::answer(&app.service, caller.workspace, request).await?))
}
