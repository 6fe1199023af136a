//! Errors as callers see them: RFC 9457 problem documents with stable codes. What went wrong inside goes to the log.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::index::IndexError;
use crate::index::query::QueryError;
use crate::pipeline::PipelineError;
use crate::store::StoreError;

/// A problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Names the code as a URI.
    r#type: String,
    title: &'static str,
    status: u16,
    /// Says what failed, for which input, and what to do.
    detail: String,
    /// Stable; programs tell problems apart by it.
    code: &'static str,
    /// 0-based character of a query at which it goes wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    /// Seconds after which it is worth trying again.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem {
            r#type: format!("urn:rapport:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            position: None,
            retry_after: None,
        }
    }

    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, "The request cannot be understood", detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    pub fn method_not_allowed() -> Problem {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            "this path does not take this method; /docs lists what it takes",
        )
    }

    pub fn too_large(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large", detail)
    }

    pub fn unsupported_media_type(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The content type is not taken here", detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    pub fn unauthorized() -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Who asks?",
            "send a key as `Authorization: Bearer rk_…`, or sign in at /session; `rapport keys create` makes a key",
        )
    }

    pub fn too_many(detail: impl Into<String>, seconds: u32) -> Problem {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests", detail);
        Problem { retry_after: Some(seconds), ..problem }
    }

    pub fn precondition_required() -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition_required",
            "Which version?",
            "send If-Match with the ETag of GET /v1/entries/{id}, so that nobody's edit is lost; * edits whatever is there",
        )
    }

    pub fn slow_body() -> Problem {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", "The request took too long", "the body did not arrive within 20 seconds")
    }

    pub fn timeout() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "The answer took too long",
            "the request was given up after 30 seconds; ask for less, or try again",
        )
    }

    pub fn overloaded(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too busy", format!("{}; try again in a moment", detail.into()))
    }

    fn internal() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong",
            "the server failed to answer; its log says why under this request's id",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What was given up after a while may have been done: it is not to be sent again without a thought.
        let busy = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE) && self.code != "timeout";
        if let Some(seconds) = self.retry_after.or(busy.then_some(1)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<PipelineError> for Problem {
    fn from(error: PipelineError) -> Problem {
        match error {
            PipelineError::NotFound(what) => Problem::not_found(format!("{what} was not found")),
            PipelineError::Changed(why) => Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", "Changed since", why),
            error @ PipelineError::StillRunning => {
                let problem = Problem::new(StatusCode::CONFLICT, "still_running", "Still under way", error.to_string());
                Problem { retry_after: Some(1), ..problem }
            }
            error @ PipelineError::OtherRequest => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The key belongs to another request", error.to_string())
            }
            PipelineError::Invalid(why) => Problem::bad_request("invalid", why),
            PipelineError::Refused(why) => Problem::new(StatusCode::CONFLICT, "refused", "Not possible now", why),
            PipelineError::Store(StoreError::Busy) => Problem::overloaded("too many writes are waiting"),
            PipelineError::Store(StoreError::Closed) => Problem::overloaded("the server is stopping"),
            PipelineError::Store(error @ (StoreError::DiskFull | StoreError::DiskFault(_) | StoreError::ReadOnly(_))) => {
                tracing::error!(%error, "writing");
                let code = if matches!(error, StoreError::DiskFull) { "disk_full" } else { "disk_fault" };
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, code, "Nothing can be stored", error.to_string())
            }
            PipelineError::Store(error @ (StoreError::Unreachable(_) | StoreError::Uncommitted)) => {
                tracing::error!(%error, "asking the database");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_unreachable", "The database does not answer", error.to_string())
            }
            PipelineError::Store(error @ StoreError::Damaged(_)) => {
                tracing::error!(%error, "asking the database");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_damaged", "The database is damaged", error.to_string())
            }
            PipelineError::Index(error @ IndexError::Building(_)) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "index_building", "Search is not ready", error.to_string())
            }
            PipelineError::Index(error @ IndexError::TooBroad(_)) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_broad", "The search took too long", error.to_string())
            }
            error => {
                tracing::error!(%error, "answering a request");
                Problem::internal()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        PipelineError::Store(error).into()
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        let mut problem = Problem::bad_request("bad_query", format!("q: {error}"));
        problem.position = Some(error.position);
        problem
    }
}

/// A handler that panicked fails its own request only.
pub(super) fn of_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    // The panic hook has logged it already.
    Problem::internal().into_response()
}
