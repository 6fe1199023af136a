//! `/session`: a browser signs in with a key, and keeps a cookie in its place.

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::connections::Peer;
use super::extract::{Caller, SmallBody};
use super::guard::is_same_origin;
use super::problem::Problem;
use crate::domain::role::Role;
use crate::pipeline::keys;

/// `__Host-`: browsers take it from this very host only, and only with `Secure` and for all paths.
pub const NAME: &str = "__Host-rapport";

/// The value of the session's cookie.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == NAME).map(|(_, value)| value)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    key: String,
}

#[derive(Serialize, ToSchema)]
pub struct Session {
    role: Role,
    /// The id of the key.
    key: String,
    team_member_id: Option<String>,
}

/// Signs a browser in with a key: answers with a cookie that no script can read, for twelve hours.
#[utoipa::path(
    post, path = "/session", tag = "operations", request_body = SignIn,
    responses((status = 201, body = Session), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 401, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    SmallBody(body): SmallBody,
) -> Result<Response, Problem> {
    if headers.contains_key("origin") && !is_same_origin(&headers) {
        return Err(Problem::forbidden("only the pages of this server may sign in here"));
    }
    let wanted: SignIn = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_session", e.to_string()))?;
    let Some((key, value)) = keys::open_session(&app.service, &wanted.key).await? else {
        return Err(app.door.unknown(peer.map(|Extension(peer)| peer), app.service.clock.now()));
    };
    let seconds = keys::SESSION.as_secs();
    let session = Session { role: key.role, key: key.id, team_member_id: key.team_member_id };
    Ok((StatusCode::CREATED, [(SET_COOKIE, set_cookie(&value, seconds))], Json(session)).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/session", tag = "operations", responses((status = 200, body = Session)))]
pub async fn get(caller: Caller) -> Json<Session> {
    Json(Session { role: caller.role, key: caller.actor.to_string(), team_member_id: caller.team_member_id })
}

/// Signs out.
#[utoipa::path(delete, path = "/session", tag = "operations", responses((status = 204)))]
pub async fn delete(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(value) = cookie(&headers) {
        keys::close_session(&app.service, caller.workspace, &caller.actor, value).await?;
        app.door.look_again();
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, set_cookie("", 0))]).into_response())
}

fn set_cookie(value: &str, seconds: i64) -> HeaderValue {
    let text = format!("{NAME}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).expect("hexadecimal digits and words")
}
