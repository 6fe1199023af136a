//! `GET /v1/entries/{id}/attachments/{n}`: an attachment as a download, never as something a browser shows.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::extract::{Caller, Segments};
use super::problem::Problem;
use crate::ingest::email;
use crate::pipeline::blocking;
use crate::store::{attachment, entry, mail};

/// The bytes of an attachment of a mail; `n` counts from 0.
#[utoipa::path(
    get, path = "/v1/entries/{id}/attachments/{n}", tag = "timeline", params(("id" = String, Path), ("n" = usize, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = String), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(State(app): State<App>, caller: Caller, Segments((id, n)): Segments<(String, usize)>) -> Result<Response, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let missing = || Problem::not_found(format!("attachment {n} of entry {id:?} was not found"));
    let number = entry::number(caller.workspace, &mut tx, &id).await?.ok_or_else(missing)?;
    let raw = mail::raw(caller.workspace, &mut tx, number).await?.ok_or_else(missing)?;
    drop(tx);
    let (about, bytes) = blocking(move || email::attachment(&raw, n)).await?.ok_or_else(missing)?;
    let name = about.name.unwrap_or_else(|| format!("attachment-{n}"));
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    if let Ok(value) = HeaderValue::from_str(&disposition(&name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

#[derive(Serialize, ToSchema)]
pub struct Words {
    /// What passages and citations with this `attachment` count their offsets in.
    text: String,
}

/// The words of an attachment, as they were read from it.
#[utoipa::path(
    get, path = "/v1/entries/{id}/attachments/{n}/text", tag = "timeline", params(("id" = String, Path), ("n" = usize, Path)),
    responses((status = 200, body = Words), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn text(State(app): State<App>, caller: Caller, Segments((id, n)): Segments<(String, usize)>) -> Result<Json<Words>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let missing = || Problem::not_found(format!("words of attachment {n} of entry {id:?} were not found"));
    let number = entry::number(caller.workspace, &mut tx, &id).await?.ok_or_else(missing)?;
    let texts = attachment::of(caller.workspace, &mut tx, &[number]).await?.remove(&number).unwrap_or_default();
    let text = texts.into_iter().find(|(position, _)| *position == n).map(|(_, text)| text).ok_or_else(missing)?;
    Ok(Json(Words { text }))
}

/// `attachment` with a plain name for old clients and the real one in RFC 8187 form.
fn disposition(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    let plain: String = name.chars().take(150).map(safe).collect();
    let encoded: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(150)
        .collect::<String>()
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    format!("attachment; filename=\"{}\"; filename*=UTF-8''{encoded}", plain.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn hostile_names_are_only_shown() {
        assert_eq!(disposition("Preis \"ü\".pdf"), "attachment; filename=\"Preis ___.pdf\"; filename*=UTF-8''Preis%20%22%C3%BC%22.pdf");
        assert_eq!(
            disposition("../../etc/passwd\r\nX: y"),
            "attachment; filename=\"_.._etc_passwd__X_ y\"; filename*=UTF-8''..%2F..%2Fetc%2FpasswdX%3A%20y"
        );
    }
}
