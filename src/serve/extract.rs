//! What a request carries, read so that bad input fails in our own format.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::App;
use super::problem::Problem;
use crate::domain::WorkspaceId;

/// Whom a request speaks for.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub workspace: WorkspaceId,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Caller, Problem> {
        Ok(Caller { workspace: app.workspace })
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

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        match axum::body::Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Body(bytes)),
            Err(BytesRejection::FailedToBufferBody(error)) if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large(format!("the body is over the limit of {} bytes", crate::ingest::email::MAX_MAIL)))
            }
            Err(_) => Err(Problem::bad_request("bad_body", "the body ended before it was complete")),
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
