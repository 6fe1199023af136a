//! `DELETE /v1/contacts/{id}?erase=true`, `/v1/erasures`: taking a person out, and the receipts.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::extract::{Body, Caller, Params, Segments};
use super::problem::Problem;
use crate::pipeline::erase::{self, Receipt};
use crate::store::erasure;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Must be `true`: the person is taken out of everything, for ever. To delete the record alone, send it with `deleted`.
    erase: Option<bool>,
}

/// Erases a person: gone from every answer when this returns, from the disks within minutes.
#[utoipa::path(
    delete, path = "/v1/contacts/{id}", tag = "accounts", params(("id" = String, Path), Wanted, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Receipt), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(wanted): Params<Wanted>,
    Body(_body, once): Body,
) -> Result<Json<Receipt>, Problem> {
    if wanted.erase != Some(true) {
        let how = "say erase=true to take the person out of everything; POST /v1/records with deleted=true deletes the record alone";
        return Err(Problem::bad_request("bad_parameter", how));
    }
    Ok(Json(erase::contact(&app.service, caller.workspace, &caller.actor, &id, once).await?))
}

#[derive(Serialize, ToSchema)]
pub struct Receipts {
    /// Newest first.
    items: Vec<Receipt>,
    total: usize,
    next_cursor: Option<String>,
}

/// The receipts of all erasures.
#[utoipa::path(get, path = "/v1/erasures", tag = "operations", responses((status = 200, body = Receipts)))]
pub async fn erasures(State(app): State<App>, caller: Caller) -> Result<Json<Receipts>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let items = erasure::list(caller.workspace, &mut tx).await?.iter().map(Receipt::of).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(Receipts { total: items.len(), items, next_cursor: None }))
}

/// One receipt, which says when the person was off the disks.
#[utoipa::path(get, path = "/v1/erasures/{id}", tag = "operations", params(("id" = String, Path)), responses((status = 200, body = Receipt), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn erasure(State(app): State<App>, caller: Caller, Segments(id): Segments<String>) -> Result<Json<Receipt>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let found = erasure::find(caller.workspace, &mut tx, &id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("erasure {id:?} was not found")))?;
    Ok(Json(Receipt::of(&found)?))
}
