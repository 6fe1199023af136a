//! What every request passes: a time limit, an ETag on reads, a log line without contents; and which requests come from
//! this machine, and from pages of this server.

use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::{App, TIMEOUT};

/// Whether a request reaches the server under a name of this machine, and from no page of another site: pages of other
/// sites that reach it through the browser are told by the names they use for it.
pub fn is_local_request(parts: &Parts) -> bool {
    let host = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok()).or_else(|| parts.uri.authority().map(|a| a.as_str()));
    let origin = parts.headers.get(header::ORIGIN).and_then(|h| h.to_str().ok());
    host.is_none_or(is_local) && origin.is_none_or(|origin| is_local(host_of(origin)))
}

/// Whether a browser says that a page of this very server sends the request.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => host_of(origin).eq_ignore_ascii_case(host),
        _ => false,
    }
}

fn host_of(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Gives a request up after a while.
pub async fn timeout(request: Request, next: Next) -> Response {
    // Events are meant to last; what looks at everything takes as long as it takes.
    let path = request.uri().path();
    if matches!(path, "/v1/events" | "/v1/verify" | "/v1/reindex") || request.method() == Method::DELETE && path.starts_with("/v1/contacts/") {
        return next.run(request).await;
    }
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timeout().into_response(),
    }
}

/// Largest answer that is hashed; downloads are larger and change only with their address.
const MAX_TAGGED: u64 = 8 * 1024 * 1024;

/// The version of what an answer shows, by which an edit says what the editor saw; handlers put it beside the answer.
#[derive(Debug, Clone, Copy)]
pub struct Version(pub i64);

/// Marks JSON answers with a hash of their content, and answers 304 to who has it already.
pub async fn etag(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let has = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    let small = http_body_size(&response).is_some_and(|size| size <= MAX_TAGGED);
    if response.status() != StatusCode::OK || !is_json || !small {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Problem::timeout().into_response() };
    let hash: String = Sha256::digest(&bytes)[..12].iter().map(|b| format!("{b:02x}")).collect();
    let tag = match parts.extensions.get::<Version>() {
        Some(Version(version)) => format!("\"{version}.{hash}\""),
        None => format!("W/\"{hash}\""),
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if has.is_some_and(|has| matches(&has, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn http_body_size(response: &Response) -> Option<u64> {
    axum::body::HttpBody::size_hint(response.body()).exact()
}

fn matches(has: &HeaderValue, tag: &str) -> bool {
    let Ok(has) = has.to_str() else { return false };
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    has.trim() == "*" || has.split(',').any(|known| plain(known) == plain(tag))
}

/// Counts and times each request, and logs it by its route: never its words, ids or addresses.
pub async fn observe(State(_): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |p| p.as_str()).to_owned();
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS].contains(&method);
    let label = if known { method.to_string() } else { "other".to_owned() };
    metrics::counter!("rapport_requests_total", "method" => label, "route" => route.clone(), "status" => status.to_string()).increment(1);
    metrics::histogram!("rapport_request_seconds", "route" => route.clone()).record(seconds);
    tracing::info!(request = %id, %method, route, status, milliseconds = seconds * 1_000.0, "request");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    response
}

/// The caller's own id when it is a plain word, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|v| v.to_str().ok());
    match given.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')) {
        Some(id) => id.to_owned(),
        None => {
            use std::sync::atomic::{AtomicU64, Ordering};
            static NEXT: AtomicU64 = AtomicU64::new(1);
            format!("{:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for local in ["localhost", "localhost:7360", "127.0.0.1:7360", "[::1]:7360", "127.8.8.8"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["rapport.example", "10.0.0.1:7360", "127.0.0.1.evil.example", "localhost.evil.example:80", ""] {
            assert!(!is_local(other), "{other}");
        }
    }
}
