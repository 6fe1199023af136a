//! What a request carries, read so that bad input fails in our own format.

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, IF_MATCH};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::App;
pub use super::access::Caller;
use super::problem::Problem;
use crate::ingest::email::MAX_MAIL;
use crate::pipeline::correct::Seen;
use crate::pipeline::once::Once;

/// Put there by `access::authenticate`, without which no handler that speaks for somebody runs.
impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// Query parameters; unknown and repeated ones are refused by name.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let text = error.body_text();
                let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::bad_request("bad_parameter", reason.to_owned()))
            }
            Err(other) => Err(Problem::bad_request("bad_parameter", other.body_text())),
        }
    }
}

/// Parts of the path.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Segments<T>, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(Problem::bad_request("bad_path", error.body_text())),
            Err(_) => Err(Problem::not_found("there is nothing under this path")),
        }
    }
}

/// The bytes of a request, up to the limit; and, with an Idempotency-Key, what makes its effect happen once.
pub struct Body(pub axum::body::Bytes, pub Option<Once>);

/// A body comes within this time.
const BODY_TIME: Duration = Duration::from_secs(20);

impl FromRequest<App> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Body, Problem> {
        let sent_again = SentAgain::of(&request)?;
        match axum::body::Bytes::from_request(request, app).await {
            Ok(bytes) => {
                let once = sent_again.map(|sent| sent.once(app, &bytes)).transpose()?;
                Ok(Body(bytes, once))
            }
            Err(BytesRejection::FailedToBufferBody(error)) if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(_) => Err(broken_off()),
        }
    }
}

/// Reads all of a request's body, so that no place inside waits for it. What it may take is set aside before the first
/// byte is read; the room is the request's until it is answered.
pub async fn whole(app: &App, request: Request) -> Result<(Request, Option<OwnedSemaphorePermit>), Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok((Request::from_parts(parts, body), None));
    }
    let size = parts.headers.get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(MAX_MAIL);
    if size > MAX_MAIL {
        return Err(too_large());
    }
    let kilobytes = u32::try_from(size.div_ceil(1024)).unwrap_or(u32::MAX);
    let Ok(room) = app.bodies.clone().try_acquire_many_owned(kilobytes) else {
        return Err(Problem::overloaded("the server is busy taking in other large requests"));
    };
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MAX_MAIL)).await {
        Ok(Ok(bytes)) => Ok((Request::from_parts(parts, bytes.into()), Some(room))),
        Ok(Err(error)) if std::error::Error::source(&error).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) => Err(too_large()),
        Ok(Err(_)) => Err(broken_off()),
        Err(_) => Err(Problem::slow_body()),
    }
}

fn too_large() -> Problem {
    Problem::too_large(format!("the body is over the limit of {MAX_MAIL} bytes"))
}

fn broken_off() -> Problem {
    Problem::bad_request("bad_body", "the body ended before it was complete")
}

/// The few bytes of a request from somebody who is not known yet.
pub struct SmallBody(pub axum::body::Bytes);

/// Enough for a key.
const SMALL: usize = 4 * 1024;

impl FromRequest<App> for SmallBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<SmallBody, Problem> {
        match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(request.into_body(), SMALL)).await {
            Ok(Ok(bytes)) => Ok(SmallBody(bytes)),
            Ok(Err(_)) => Err(Problem::too_large(format!("the body is over the limit of {SMALL} bytes"))),
            Err(_) => Err(Problem::slow_body()),
        }
    }
}

/// A request that may be sent again with the same key.
struct SentAgain {
    caller: Caller,
    route: String,
    key: String,
    /// Path and parameters.
    target: String,
}

impl SentAgain {
    fn of(request: &Request) -> Result<Option<SentAgain>, Problem> {
        let Some(key) = request.headers().get("idempotency-key") else { return Ok(None) };
        let Some(caller) = request.extensions().get::<Caller>().cloned() else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        let Some(key) = key else {
            return Err(Problem::bad_request("bad_header", "Idempotency-Key is not 1 to 255 visible ASCII characters"));
        };
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        Ok(Some(SentAgain { caller, route: format!("{} {path}", request.method()), key: key.to_owned(), target }))
    }

    fn once(self, app: &App, body: &[u8]) -> Result<Once, Problem> {
        let mut hash = Sha256::new();
        hash.update((self.target.len() as u64).to_le_bytes());
        hash.update(&self.target);
        hash.update(body);
        let request = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Once::begin(&app.service, self.caller.workspace, self.route, self.key, request)?)
    }
}

/// Which version of an entry the caller has seen: `If-Match` with the `ETag` of a read.
pub struct IfMatch(pub Seen);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<IfMatch, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Err(Problem::precondition_required()) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(Seen::Any));
        }
        let mut versions = Vec::new();
        for tag in text.split(',').map(str::trim) {
            // Weak tags are for reading; here they match nothing.
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            let Some(inside) = strong.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) else {
                return Err(Problem::bad_request("bad_header", format!("If-Match: {tag:?} is not the ETag of a read, or *")));
            };
            if strong.len() == tag.len() {
                versions.extend(inside.split('.').next().and_then(|version| version.parse::<i64>().ok()));
            }
        }
        Ok(IfMatch(Seen::Versions(versions)))
    }
}

/// How much of a list, and where to go on.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Items on the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The number of items asked for.
pub fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    match limit.unwrap_or(20) {
        limit @ 1..=100 => Ok(limit),
        other => Err(Problem::bad_request("bad_parameter", format!("limit is {other}; it must be from 1 to 100"))),
    }
}

/// Reads a comma-separated list of contract words.
pub fn words<T: std::str::FromStr<Err = String>>(name: &str, text: Option<&str>) -> Result<Vec<T>, Problem> {
    let parts = text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|e| Problem::bad_request("bad_parameter", format!("{name}: {e}")))).collect()
}

/// Refuses an empty range, which is a mistake rather than a question.
pub fn range(from: Option<jiff::Timestamp>, to: Option<jiff::Timestamp>) -> Result<(), Problem> {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(Problem::bad_request("bad_parameter", format!("from {from} is not before to {to}"))),
        _ => Ok(()),
    }
}
