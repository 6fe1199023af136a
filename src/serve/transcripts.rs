//! `/v1/transcripts` and `/v1/entries/{id}/transcript`: transcripts in, and corrected by hand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::extract::{Body, Caller, IfMatch, Params, Segments};
use super::problem::Problem;
use crate::domain::entry::EntryType;
use crate::ingest::transcript;
use crate::pipeline::blocking;
use crate::pipeline::correct::{self, Corrected, Correction};
use crate::pipeline::receive::{self, Held, Outcome, Status};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The call or meeting that it is the transcript of; without one, an entry is made.
    entry: Option<String>,
    /// Whose it is; without one, the people in it decide.
    account: Option<String>,
    /// `call` or `meeting`; without one, more than two speakers make a meeting.
    #[param(inline)]
    r#type: Option<EntryType>,
    /// When it was held; needed when the file does not say.
    occurred_at: Option<jiff::Timestamp>,
    /// The title when the file has none.
    title: Option<String>,
    /// Whether to make accounts of the business domains of the people in it.
    discover_accounts: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct TakenTranscript {
    #[serde(flatten)]
    outcome: Outcome,
    /// Cues that could not be taken.
    left_out: Vec<LeftOut>,
}

#[derive(Serialize, ToSchema)]
pub struct LeftOut {
    pub line: Option<u64>,
    pub reason: String,
}

/// Takes a transcript as WebVTT, SRT or JSON, told apart by content.
#[utoipa::path(
    post, path = "/v1/transcripts", tag = "in", params(Wanted, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content((String = "text/vtt"), (String = "application/x-subrip"), (String = "application/json"))),
    responses((status = 201, body = TakenTranscript), (status = 200, body = TakenTranscript), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 413, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    Body(body, once): Body,
) -> Result<(StatusCode, Json<TakenTranscript>), Problem> {
    let discover = wanted.discover_accounts.unwrap_or(false);
    let held = held(wanted)?;
    if let Some(id) = &held.entry_id {
        receive::check_entry(&app.service, caller.workspace, id).await?;
    }
    let read = blocking(move || transcript::read(&body)).await?.map_err(|reason| Problem::bad_request("bad_transcript", reason))?;
    let left_out = read.refused.into_iter().map(|(line, reason)| LeftOut { line, reason }).collect();
    if discover {
        receive::discover(&app.service, caller.workspace, read.transcript.addresses()).await?;
    }
    let mut outcomes = receive::transcripts(&app.service, caller.workspace, vec![(read.transcript, held)], once).await?;
    let Some(outcome) = outcomes.pop() else { return Err(Problem::bad_request("bad_transcript", "the transcript is empty")) };
    let status = match outcome.status {
        Status::Rejected => return Err(Problem::bad_request("bad_transcript", outcome.error.unwrap_or_default())),
        Status::Added => StatusCode::CREATED,
        Status::Updated | Status::Unchanged => StatusCode::OK,
    };
    Ok((status, Json(TakenTranscript { outcome, left_out })))
}

fn held(wanted: Wanted) -> Result<Held, Problem> {
    let refuse = |reason: String| Err(Problem::bad_request("bad_parameter", reason));
    if let Some(kind) = wanted.r#type.filter(|kind| !matches!(kind, EntryType::Call | EntryType::Meeting)) {
        return refuse(format!("type is {kind}; a transcript is of a call or a meeting"));
    }
    if wanted.entry.is_some() && (wanted.account.is_some() || wanted.r#type.is_some() || wanted.occurred_at.is_some()) {
        return refuse("entry names a call or meeting that has its account, type and time: give either entry or those".to_owned());
    }
    for (name, text) in [("account", &wanted.account), ("title", &wanted.title)] {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > 200 || text.chars().any(char::is_control)) {
            return refuse(format!("{name} is not 1 to 200 bytes without control characters"));
        }
    }
    Ok(Held {
        entry_id: wanted.entry,
        account_id: wanted.account,
        r#type: wanted.r#type,
        occurred_at: wanted.occurred_at,
        title: wanted.title,
        ..Held::default()
    })
}

/// Renames speakers and replaces misheard words; what rests on the transcript is made again.
///
/// `If-Match` names the version that the editor saw, by the `ETag` of `GET /v1/entries/{id}`: 412 when it has changed since.
#[utoipa::path(
    patch, path = "/v1/entries/{id}/transcript", tag = "in", params(("id" = String, Path), ("If-Match" = String, Header), ("Idempotency-Key" = Option<String>, Header)), request_body = Correction,
    responses((status = 200, body = Corrected), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 412, body = Problem, content_type = "application/problem+json"),
        (status = 428, body = Problem, content_type = "application/problem+json")),
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    IfMatch(seen): IfMatch,
    Body(body, once): Body,
) -> Result<Json<Corrected>, Problem> {
    let correction: Correction = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_correction", e.to_string()))?;
    Ok(Json(correct::transcript(&app.service, caller.workspace, &id, correction, seen, once).await?))
}
