//! `/v1/threads`: conversations split and merged by hand.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::extract::{Body, Caller};
use super::problem::Problem;
use crate::pipeline::conversation::{self, Kept};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// `thread_id` of each conversation.
    threads: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The mails that become a conversation of their own.
    entries: Vec<String>,
}

/// Makes several conversations one; later answers follow.
#[utoipa::path(
    post, path = "/v1/threads/merge", tag = "timeline", params(("Idempotency-Key" = Option<String>, Header)), request_body = Merge,
    responses((status = 200, body = Kept), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn merge(State(app): State<App>, caller: Caller, Body(body, once): Body) -> Result<Json<Kept>, Problem> {
    let wanted: Merge = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_merge", e.to_string()))?;
    Ok(Json(conversation::merge(&app.service, caller.workspace, wanted.threads, once).await?))
}

/// Makes some mails a conversation of their own; later answers to them follow.
#[utoipa::path(
    post, path = "/v1/threads/split", tag = "timeline", params(("Idempotency-Key" = Option<String>, Header)), request_body = Split,
    responses((status = 200, body = Kept), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn split(State(app): State<App>, caller: Caller, Body(body, once): Body) -> Result<Json<Kept>, Problem> {
    let wanted: Split = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_split", e.to_string()))?;
    Ok(Json(conversation::split(&app.service, caller.workspace, wanted.entries, once).await?))
}
