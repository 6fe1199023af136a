//! `GET /v1/search`: the exact entry and the exact words.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::cursor;
use super::extract::{Caller, Params, limit, range, words};
use super::problem::Problem;
use crate::index::query;
use crate::index::search::{Order, Request};
use crate::pipeline::meaning::Mode;
use crate::pipeline::search::{self, Answer, person_keys};
use crate::store::account;

/// How long a search waits for what it must see.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Words (all of them), "phrases", prefix*, OR, -not, parentheses, and operators such as `from:`, `has:` or `during:`: the README
    /// lists them. At most 1024 bytes.
    q: Option<String>,
    /// In this account only.
    account: Option<String>,
    /// Entry types, separated by commas.
    r#type: Option<String>,
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    /// Id, address or name of a contact or team member who took part.
    person: Option<String>,
    #[param(inline)]
    sort: Option<Order>,
    /// `words` requires all of them; `both` ranks by any of them and by meaning, merged; `meaning` by meaning alone. The best 200 by
    /// each; `total` counts matches by words. Without a reader: words only, and `note` says so.
    #[param(inline)]
    mode: Option<Mode>,
    /// Count matches by type, account, person and month.
    facets: Option<bool>,
    /// Wait until changes up to this sequence number are searchable; 202 with the lag if that takes too long.
    min_sequence: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Found {
    #[serde(flatten)]
    answer: Answer,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Behind {
    /// What searches see now.
    sequence: i64,
    /// How many changes are missing.
    lag: i64,
}

/// Searches the whole history: one hit per entry, its best passage first.
#[utoipa::path(
    get, path = "/v1/search", tag = "timeline", params(Wanted),
    responses((status = 200, body = Found), (status = 202, body = Behind), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Response, Problem> {
    let size = limit(wanted.limit)?;
    range(wanted.from, wanted.to)?;
    let mode = wanted.mode.unwrap_or(Mode::Words);
    if mode != Mode::Words && wanted.sort == Some(Order::Newest) {
        return Err(Problem::bad_request("bad_parameter", format!("mode={mode} gives the best first; sort=newest goes with mode=words")));
    }
    let types = words("type", wanted.r#type.as_deref())?;
    let text = wanted.q.as_deref().unwrap_or_default();
    let query = query::parse(text, &search::moment(&app.service, caller.workspace).await?)?;
    let scoped = wanted.account.is_some() || wanted.person.is_some() || !types.is_empty() || wanted.from.is_some() || wanted.to.is_some();
    if query == query::Query::All && !scoped {
        return Err(Problem::bad_request("bad_query", "q is empty; give at least one word or a filter"));
    }
    if let Some(min_sequence) = wanted.min_sequence {
        let sequence = app.service.index.wait_for(min_sequence, PATIENCE).await;
        if sequence < min_sequence {
            return Ok((StatusCode::ACCEPTED, Json(Behind { sequence, lag: min_sequence - sequence })).into_response());
        }
    }
    let order = wanted.sort.unwrap_or(if query == query::Query::All { Order::Newest } else { Order::Relevance });
    let question = format!("search {text} {:?} {types:?} {:?} {:?} {:?} {order} {mode}", wanted.account, wanted.from, wanted.to, wanted.person);
    let after = cursor::decode(&question, wanted.cursor.as_deref())?;
    let (mut account, mut people) = (None, None);
    if wanted.account.is_some() || wanted.person.is_some() {
        let mut tx = app.service.store.read(caller.workspace).await?;
        if let Some(id) = &wanted.account {
            let row = account::find(caller.workspace, &mut tx, id).await?;
            account = Some(row.ok_or_else(|| Problem::not_found(format!("account {id:?} was not found")))?.number);
        }
        if let Some(person) = &wanted.person {
            people = Some(person_keys(caller.workspace, &mut tx, person).await?);
        }
    }
    let facets = wanted.facets.unwrap_or(false);
    let limit = usize::try_from(size).unwrap_or(20);
    let request = Request {
        query,
        account,
        types,
        from: wanted.from,
        to: wanted.to,
        people,
        named: std::collections::HashMap::new(),
        order,
        limit,
        after,
        facets,
    };
    let answer = search::search(&app.service, caller.workspace, request, mode).await?;
    let next_cursor = answer.next.map(|position| cursor::encode(&question, position));
    Ok(Json(Found { answer, next_cursor }).into_response())
}
