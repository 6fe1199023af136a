//! `/v1/keys`: the keys of a workspace.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::extract::{Body, Caller, Segments};
use super::problem::Problem;
use crate::domain::role::Role;
use crate::pipeline::keys::{self, NewKey};
use crate::store::key::{self, Key};

#[derive(Serialize, ToSchema)]
pub struct Keys {
    /// Oldest first, revoked ones included.
    items: Vec<Key>,
    total: usize,
    next_cursor: Option<String>,
}

/// Lists keys, without the keys themselves.
#[utoipa::path(get, path = "/v1/keys", tag = "operations", responses((status = 200, body = Keys)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Keys>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let items = key::list(caller.workspace, &mut tx).await?;
    Ok(Json(Keys { total: items.len(), items, next_cursor: None }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    role: Role,
    /// What it is for.
    name: Option<String>,
    /// Who acts with it.
    team_member_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Made {
    #[serde(flatten)]
    key: Key,
    /// The key itself: shown this once.
    secret: String,
}

/// Makes a key and shows it, this once. Several keys are valid at the same time: make the new one, switch, revoke the old.
#[utoipa::path(
    post, path = "/v1/keys", tag = "operations", request_body = Wanted,
    responses((status = 201, body = Made), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub async fn create(State(app): State<App>, caller: Caller, Body(body, once): Body) -> Result<(StatusCode, Json<Made>), Problem> {
    if once.is_some() {
        let why = "Idempotency-Key is not kept here: a key is shown once and never stored; make another and revoke the one whose answer was lost";
        return Err(Problem::bad_request("bad_header", why));
    }
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_key", e.to_string()))?;
    let name = wanted.name.unwrap_or_else(|| wanted.role.to_string());
    let new = NewKey { role: wanted.role, name, team_member_id: wanted.team_member_id };
    let (key, secret) = keys::create(&app.service, caller.workspace, &caller.actor, new).await?;
    app.door.look_again();
    Ok((StatusCode::CREATED, Json(Made { key, secret })))
}

/// Ends a key and its sessions, at once.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn revoke(State(app): State<App>, caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode, Problem> {
    keys::revoke(&app.service, caller.workspace, &caller.actor, &id).await?;
    app.door.look_again();
    Ok(StatusCode::NO_CONTENT)
}
