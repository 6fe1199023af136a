//! `POST /v1/tables`, `/v1/cards`, `/v1/chats`: whole files as other programs export them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::extract::{Body, Caller, Params};
use super::problem::Problem;
use super::transcripts::LeftOut;
use crate::ingest::table::{self, Draft, Mapping, Unread};
use crate::ingest::{card, chat};
use crate::pipeline::blocking;
use crate::pipeline::once::Once;
use crate::pipeline::receive::{self, Outcome, Status};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WantedTable {
    /// What the columns mean, as JSON: `{"kind":"contact","columns":{"Wen?":"name"}}`; guessed without it.
    mapping: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WantedChat {
    /// Whose chat it is; without one, the people in it decide.
    account: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Taken {
    /// One for each record that was made, changed or already there.
    pub items: Vec<Outcome>,
    /// Rows, cards or events that could not be taken.
    pub left_out: Vec<LeftOut>,
}

/// Takes a CSV file: contacts, companies, deals, activities or tickets.
#[utoipa::path(
    post, path = "/v1/tables", tag = "in", params(WantedTable, ("Idempotency-Key" = Option<String>, Header)), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Taken), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn table(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<WantedTable>,
    Body(body, once): Body,
) -> Result<Json<Taken>, Problem> {
    let mapping: Option<Mapping> = wanted
        .mapping
        .map(|json| serde_json::from_str(&json).map_err(|e| Problem::bad_request("bad_parameter", format!("mapping: {e}"))))
        .transpose()?;
    let read = blocking(move || table::read_drafts(&body, mapping.as_ref()));
    take(&app, caller, read.await?.map_err(|reason| Problem::bad_request("bad_table", reason))?, once).await
}

/// Takes an address book of vCards.
#[utoipa::path(
    post, path = "/v1/cards", tag = "in", params(("Idempotency-Key" = Option<String>, Header)), request_body(content = String, content_type = "text/vcard"),
    responses((status = 200, body = Taken), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn cards(State(app): State<App>, caller: Caller, Body(body, once): Body) -> Result<Json<Taken>, Problem> {
    let drafts = blocking(move || card::drafts(&body)).await?.map_err(|reason| Problem::bad_request("bad_cards", reason))?;
    take(&app, caller, drafts, once).await
}

async fn take(app: &App, caller: Caller, read: impl IntoIterator<Item = Result<Draft, Unread>>, once: Option<Once>) -> Result<Json<Taken>, Problem> {
    let mut left_out = Vec::new();
    let mut drafts = Vec::new();
    for draft in read {
        match draft {
            Ok(draft) => drafts.push(draft),
            Err((line, reason)) => left_out.push(LeftOut { line: Some(line), reason }),
        }
    }
    let mut items = Vec::with_capacity(drafts.len());
    for (line, outcome) in receive::drafts(&app.service, caller.workspace, drafts, once).await? {
        match outcome.status {
            Status::Rejected => left_out.push(LeftOut { line: Some(line), reason: outcome.error.unwrap_or_default() }),
            Status::Added | Status::Updated | Status::Unchanged => items.push(outcome),
        }
    }
    left_out.sort_by_key(|left| left.line);
    Ok(Json(Taken { items, left_out }))
}

/// Takes an exported chat of WhatsApp, Slack or Teams.
#[utoipa::path(
    post, path = "/v1/chats", tag = "in", params(WantedChat, ("Idempotency-Key" = Option<String>, Header)), request_body(content((String = "text/plain"), (String = "application/json"))),
    responses((status = 200, body = Taken), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn chat(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<WantedChat>,
    Body(body, once): Body,
) -> Result<Json<Taken>, Problem> {
    let conversations = blocking(move || chat::read(&body)).await?.map_err(|reason| Problem::bad_request("bad_chat", reason))?;
    let items = receive::chat(&app.service, caller.workspace, conversations, wanted.account, once).await?;
    Ok(Json(Taken { items, left_out: Vec::new() }))
}
