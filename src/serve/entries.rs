//! `/v1/entries/{id}`: one entry in full, and its edits.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::extract::{Body, Caller, IfMatch, Segments};
use super::guard::Version;
use super::problem::Problem;
use crate::domain::Entry;
use crate::domain::entry::{Flag, Hidden};
use crate::domain::reading::EntryReading;
use crate::domain::span::Span;
use crate::domain::summary::{Citation, Sentence};
use crate::pipeline::correct::{self, Corrected, Edit};
use crate::store::{entry, mail, reading, summary};

#[derive(Serialize, ToSchema)]
pub struct Full {
    #[serde(flatten)]
    entry: Entry,
    /// What each stretch of the body is; offsets count Unicode scalar values.
    spans: Vec<Span>,
    flags: Vec<Flag>,
    /// The rule that found its account: given, contact, domain or thread; null while unmatched.
    matched_by: Option<String>,
    /// Why nobody typed it: auto_reply, bounce, newsletter or calendar.
    automatic: Option<String>,
    /// Words that stand in the mail and that its reader does not see: kept, never read as said.
    hidden: Vec<Hidden>,
    /// Whether it feeds no summary, brief or highlight.
    internal: bool,
    /// Where the mail was found.
    provenance: Vec<mail::Provenance>,
    /// `kind:id` of the record that caused it.
    origin: Option<String>,
    /// What the reader found in its words; empty until it was read.
    readings: Vec<EntryReading>,
    /// Sentences of the account's present summary that rest on it.
    summary_sentences: Vec<Sentence>,
}

/// One entry with its spans, provenance, and the summary sentences that rest on it.
///
/// Its `ETag` begins with the version of the entry: `If-Match` of an edit takes it.
#[utoipa::path(get, path = "/v1/entries/{id}", tag = "timeline", params(("id" = String, Path)), responses((status = 200, body = Full), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller, Segments(id): Segments<String>) -> Result<(Extension<Version>, Json<Full>), Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let Some(stored) = entry::find(caller.workspace, &mut tx, &id).await? else {
        return Err(Problem::not_found(format!("entry {id:?} was not found")));
    };
    let about = mail::about(caller.workspace, &mut tx, stored.number).await?;
    let (automatic, hidden) = about.map(|about| (about.automatic, about.hidden)).unwrap_or_default();
    let provenance = mail::provenance(caller.workspace, &mut tx, stored.number).await?;
    let summary_sentences = match &stored.entry.account_id {
        Some(account_id) => {
            let latest = summary::latest(caller.workspace, &mut tx, account_id, None).await?;
            let sentences = latest.into_iter().flat_map(|s| s.draft.paragraphs).flat_map(|p| p.sentences);
            sentences.filter(|s| s.citations.iter().any(|c| matches!(c, Citation::Quote { entry_id, .. } if *entry_id == id))).collect()
        }
        None => Vec::new(),
    };
    let readings = reading::of(caller.workspace, &mut tx, &[stored.number]).await?.into_values().collect();
    let full = Full {
        entry: shown(stored.entry),
        spans: stored.spans,
        flags: stored.flags,
        matched_by: stored.rule,
        automatic,
        hidden,
        internal: stored.internal,
        provenance,
        origin: stored.origin,
        readings,
        summary_sentences,
    };
    Ok((Extension(Version(stored.sequence)), Json(full)))
}

/// Edits the words of a note, or the subject and notes of a call or meeting; what rests on them is made again.
///
/// `If-Match` names the version that the editor saw, by the `ETag` of a read: 412 when it has changed since.
#[utoipa::path(
    patch, path = "/v1/entries/{id}", tag = "timeline", params(("id" = String, Path), ("If-Match" = String, Header), ("Idempotency-Key" = Option<String>, Header)), request_body = Edit,
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
    let edit: Edit = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_edit", e.to_string()))?;
    Ok(Json(correct::entry(&app.service, caller.workspace, &id, edit, seen, once).await?))
}

/// An entry as callers see it: attachments that are kept here say where to fetch them.
pub fn shown(mut entry: Entry) -> Entry {
    for (index, attachment) in entry.attachments.iter_mut().enumerate() {
        if attachment.url.is_none() && entry.r#type.is_email() && entry.id.starts_with("mail.") {
            attachment.url = Some(format!("/v1/entries/{}/attachments/{index}", entry.id));
        }
    }
    entry
}
