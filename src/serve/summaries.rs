//! `/v1/accounts/{id}/summary`: always served from what is stored, with its age and cause.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::cursor;
use super::extract::{Body, Caller, Page, Params, Segments, limit};
use super::problem::Problem;
use crate::domain::summary::{Cause, Coverage, Engine, Summary};
use crate::pipeline::refresh;
use crate::store::{account, summary};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The version that was newest at this time.
    as_of: Option<jiff::Timestamp>,
    /// `en`: the one language so far.
    language: Option<String>,
}

/// The newest summary, with how many entries it has not seen.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/summary", tag = "insights", params(("id" = String, Path), Wanted),
    responses((status = 200, body = Summary), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Summary>, Problem> {
    if let Some(language) = wanted.language.as_deref().filter(|l| *l != "en") {
        return Err(Problem::bad_request("bad_parameter", format!("language is {language:?}; summaries are written in en")));
    }
    let mut tx = app.service.store.read(caller.workspace).await?;
    Ok(Json(refresh::shown(caller.workspace, &mut tx, &id, wanted.as_of).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WantedRefresh {
    /// Make a new version even when nothing would change.
    force: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct Asked {
    /// `queued` or `unchanged`.
    status: &'static str,
    /// The job that makes it.
    job: Option<i64>,
    /// The version that a refresh would not change.
    version: Option<i64>,
}

/// Asks for a new summary: 202 with the job, or 200 when nothing would change.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/summary/refresh", tag = "insights", params(("id" = String, Path), WantedRefresh, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = Asked), (status = 200, body = Asked), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn refresh(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(wanted): Params<WantedRefresh>,
    Body(_body, once): Body,
) -> Result<Response, Problem> {
    Ok(match refresh::ask(&app.service, caller.workspace, &id, wanted.force.unwrap_or(false), once).await? {
        refresh::Asked::Job(job) => (StatusCode::ACCEPTED, Json(Asked { status: "queued", job: Some(job), version: None })).into_response(),
        refresh::Asked::Unchanged(version) => {
            (StatusCode::OK, Json(Asked { status: "unchanged", job: None, version: Some(version) })).into_response()
        }
    })
}

#[derive(Serialize, ToSchema)]
pub struct Versions {
    /// Newest first.
    items: Vec<Version>,
    total: i64,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Version {
    version: i64,
    generated_at: jiff::Timestamp,
    refreshed_because: Cause,
    engine: Engine,
    coverage: Coverage,
    text: String,
}

/// Every version that was made, with its cause.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/summary/versions", tag = "insights", params(("id" = String, Path), Page),
    responses((status = 200, body = Versions), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn versions(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(page): Params<Page>,
) -> Result<Json<Versions>, Problem> {
    let limit = limit(page.limit)?;
    let question = format!("summary versions {id}");
    let before: Option<i64> = cursor::decode(&question, page.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    if account::find(caller.workspace, &mut tx, &id).await?.is_none() {
        return Err(Problem::not_found(format!("account {id:?} was not found")));
    }
    let (mut stored, total) = summary::versions(caller.workspace, &mut tx, &id, before, limit + 1).await?;
    let more = stored.len() as i64 > limit;
    stored.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = stored.last().filter(|_| more).map(|last| cursor::encode(&question, last.version));
    let items = stored.into_iter().map(|s| {
        let summary = refresh::assemble(&id, s, 0, false);
        Version {
            version: summary.version,
            generated_at: summary.generated_at,
            refreshed_because: summary.refreshed_because,
            engine: summary.engine,
            coverage: summary.coverage,
            text: summary.text,
        }
    });
    Ok(Json(Versions { items: items.collect(), total, next_cursor }))
}
