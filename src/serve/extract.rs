//! What a request carries, read so that bad input fails in our own format.

use std::time::Duration;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::App;
pub use super::access::Caller;
use super::problem::Problem;
use crate::ingest::email::MAX_MAIL;

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

/// The bytes of a request, up to the limit.
pub struct Body(pub axum::body::Bytes);

/// A body comes within this time.
const BODY_TIME: Duration = Duration::from_secs(20);

impl FromRequest<App> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Body, Problem> {
        // What it may take is set aside before the first byte is read.
        let size = request.headers().get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(MAX_MAIL);
        let kilobytes = u32::try_from(size.min(MAX_MAIL).div_ceil(1024)).unwrap_or(u32::MAX);
        let Ok(_room) = app.bodies.try_acquire_many(kilobytes) else {
            return Err(Problem::overloaded("the server is busy taking in other large requests"));
        };
        match tokio::time::timeout(BODY_TIME, axum::body::Bytes::from_request(request, app)).await {
            Ok(Ok(bytes)) => Ok(Body(bytes)),
            Ok(Err(BytesRejection::FailedToBufferBody(error))) if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large(format!("the body is over the limit of {MAX_MAIL} bytes")))
            }
            Ok(Err(_)) => Err(Problem::bad_request("bad_body", "the body ended before it was complete")),
            Err(_) => Err(Problem::slow_body()),
        }
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
