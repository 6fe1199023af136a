//! `POST /v1/emails`: one raw mail in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::extract::{Body, Caller, Params};
use super::problem::Problem;
use crate::pipeline::receive::{self, Outcome, Owning, RawMail, Status};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Name of the mailbox it was found in; kept as its provenance. Default `api`.
    source: Option<String>,
    /// Whose mail it is; without one, the people on it decide.
    account: Option<String>,
    /// Make an account of the sender's business domain if there is none.
    discover_accounts: Option<bool>,
}

/// Takes one raw `message/rfc822`, however broken.
///
/// 201 when new, 200 when it was known already: the same mail through several mailboxes is one entry.
#[utoipa::path(
    post, path = "/v1/emails", tag = "in", params(Wanted, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content((String = "message/rfc822"), (String = "application/octet-stream"))),
    responses((status = 201, body = Outcome), (status = 200, body = Outcome), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    Body(body, once): Body,
) -> Result<(StatusCode, Json<Outcome>), Problem> {
    let source = wanted.source.unwrap_or_else(|| "api".to_owned());
    if source.is_empty() || source.len() > 500 || source.chars().any(char::is_control) {
        return Err(Problem::bad_request("bad_parameter", "source is not 1 to 500 bytes without control characters"));
    }
    let owning = Owning { account_id: wanted.account, discover_accounts: wanted.discover_accounts.unwrap_or(false) };
    let raw = RawMail { source, bytes: body.into() };
    let mut outcomes = receive::mails(&app.service, caller.workspace, vec![raw], &owning, once).await?;
    let Some(outcome) = outcomes.pop() else { return Err(Problem::bad_request("bad_mail", "the mail is empty")) };
    match outcome.status {
        Status::Rejected => Err(Problem::bad_request("bad_mail", outcome.error.unwrap_or_default())),
        Status::Added => Ok((StatusCode::CREATED, Json(outcome))),
        Status::Updated | Status::Unchanged => Ok((StatusCode::OK, Json(outcome))),
    }
}
