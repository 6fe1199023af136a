//! `POST /v1/records`: records in, as NDJSON or a JSON array.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::App;
use super::extract::{Body, Caller};
use super::problem::Problem;
use crate::ingest::record;
use crate::pipeline::blocking;
use crate::pipeline::receive::{self, Outcome};

/// Records of one request.
const MAX_RECORDS: usize = 10_000;

#[derive(Serialize, ToSchema)]
pub struct TakenRecords {
    /// One for each record, in order.
    items: Vec<Outcome>,
}

/// Takes records: accounts, contacts, deals, entries … one JSON object a line, or a JSON array of them.
///
/// Durable when answered. A rejected record changes nothing and says why; the others are taken.
#[utoipa::path(
    post, path = "/v1/records", tag = "in", params(("Idempotency-Key" = Option<String>, Header)),
    request_body(content((String = "application/x-ndjson"), (Value = "application/json"))),
    responses((status = 200, body = TakenRecords), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"), (status = 415, body = Problem, content_type = "application/problem+json")),
)]
pub async fn post(State(app): State<App>, caller: Caller, headers: HeaderMap, Body(body, once): Body) -> Result<Json<TakenRecords>, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let lines = match essence.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => true,
        "application/json" => false,
        _ => return Err(Problem::unsupported_media_type(format!("content type {content_type:?} is not application/x-ndjson or application/json"))),
    };
    let text = String::from_utf8(body.into())
        .map_err(|e| Problem::bad_request("bad_body", format!("the body is not UTF-8 from byte {}", e.utf8_error().valid_up_to())))?;
    let items = blocking(move || if lines { Ok(read_lines(&text)) } else { read_array(&text) }).await??;
    if items.len() > MAX_RECORDS {
        return Err(Problem::too_large(format!("{} records in one request; the limit is {MAX_RECORDS}", items.len())));
    }
    Ok(Json(TakenRecords { items: receive::records(&app.service, caller.workspace, items, once).await? }))
}

type Items = Vec<Result<crate::domain::record::Version, record::Rejection>>;

fn read_lines(text: &str) -> Items {
    text.lines().filter(|line| !line.trim().is_empty()).map(record::read).collect()
}

fn read_array(text: &str) -> Result<Items, Problem> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') {
        return Ok(vec![record::read(trimmed)]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|e| Problem::bad_request("bad_body", format!("the body is not a JSON array: {e}")))?;
    Ok(items.into_iter().map(|item| record::read(item.get())).collect())
}
