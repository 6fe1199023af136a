//! `GET /v1/workspace`: the settings of the caller's workspace.

use axum::Json;
use axum::extract::State;

use super::App;
use super::extract::Caller;
use super::problem::Problem;
use crate::domain::record::{Kind, Workspace};
use crate::store::record;

/// The workspace's own domains and time zone, as last sent.
#[utoipa::path(get, path = "/v1/workspace", tag = "accounts", responses((status = 200, body = Workspace)))]
pub async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Workspace>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let stored = record::get(caller.workspace, &mut tx, Kind::Workspace, "").await?;
    Ok(Json(stored.unwrap_or(Workspace { us_domains: Vec::new(), timezone: None })))
}
