//! HTTP: what callers may ask, each resource in its own file. The only home of axum.

mod accounts;
mod attachments;
mod calendars;
mod cursor;
mod emails;
mod entries;
mod events;
mod extract;
mod files;
mod guard;
mod health;
mod jobs;
mod problem;
mod profile;
mod records;
mod reindex;
mod search;
mod settings;
mod summaries;
mod threads;
mod timeline;
mod transcripts;
mod verify;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::domain::WorkspaceId;
use crate::ingest::email::MAX_MAIL;
use crate::pipeline::{Service, follow, work};
use problem::Problem;

/// A request takes at most this long; events stream without end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Requests under way get so long to finish when the server stops.
const GRACE: Duration = Duration::from_secs(8);

/// What handlers share.
#[derive(Clone)]
pub struct App {
    service: Service,
    /// Whom every caller speaks for: without keys there is one workspace, and only this machine can call.
    workspace: WorkspaceId,
    metrics: PrometheusHandle,
    stop: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rapport",
        description = "The insight service behind a Customer 360 page: every communication with a customer, kept, searchable, summarized with citations.\n\n\
            Lists are `{items, total, next_cursor}`; `limit` (1 to 100, default 20) and `cursor` page through them. Times are RFC 3339 in UTC, ranges `from ≤ t < to`. \
            Text offsets count Unicode scalar values. Errors are `application/problem+json` with a stable `code`. Reads carry an `ETag` and honour `If-None-Match`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "in", description = "Records and mail in"),
        (name = "accounts", description = "Accounts, contacts, and mail that is nobody's yet"),
        (name = "timeline", description = "Entries and search"),
        (name = "insights", description = "Summaries"),
        (name = "operations", description = "Jobs, events, health"),
    )
)]
struct Document;

/// Every route on one screen.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(records::post))
        .routes(routes!(emails::post))
        .routes(routes!(transcripts::post))
        .routes(routes!(transcripts::patch))
        .routes(routes!(calendars::post))
        .routes(routes!(files::table))
        .routes(routes!(files::cards))
        .routes(routes!(files::chat))
        .routes(routes!(settings::get))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::get))
        .routes(routes!(accounts::contacts))
        .routes(routes!(accounts::unmatched))
        .routes(routes!(accounts::assign))
        .routes(routes!(profile::get))
        .routes(routes!(timeline::get))
        .routes(routes!(entries::get))
        .routes(routes!(attachments::get))
        .routes(routes!(attachments::text))
        .routes(routes!(threads::merge))
        .routes(routes!(threads::split))
        .routes(routes!(search::get))
        .routes(routes!(summaries::get))
        .routes(routes!(summaries::refresh))
        .routes(routes!(summaries::versions))
        .routes(routes!(events::get))
        .routes(routes!(jobs::get))
        .routes(routes!(reindex::post))
        .routes(routes!(verify::post))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The API description, as served under `/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

fn router(app: App) -> Router {
    let (api, description) = routes().split_for_parts();
    let max_requests = app.service.config.max_requests;
    let overload = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_| async { Problem::overloaded("the server is busy with other requests") }))
        .load_shed()
        .concurrency_limit(max_requests);
    // Streams stay as they are: packing would hold events back.
    let packed = CompressionLayer::new().compress_when(SizeAbove::new(1024).and(NotForContentType::SSE));
    api.merge(SwaggerUi::new("/docs").url("/openapi.json", description))
        .fallback(|| async { Problem::not_found("there is nothing under this path; /docs lists what there is") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn(guard::etag))
        .layer(DefaultBodyLimit::max(MAX_MAIL))
        .layer(from_fn(guard::timeout))
        .layer(overload)
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(packed)
        .layer(from_fn(guard::local_only))
        .layer(from_fn_with_state(app.clone(), guard::observe))
        .with_state(app)
}

/// Answers requests and works jobs until `stop`; then finishes what is under way.
///
/// # Errors
/// When the listener or the index thread fails.
pub async fn run(
    listener: TcpListener,
    service: Service,
    workspace: WorkspaceId,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let stop_work = CancellationToken::new();
    let indexer = service.index.follow(service.store.clone(), stop_work.clone())?;
    let workers: Vec<_> = (0..service.config.workers).map(|_| tokio::spawn(work::run(service.clone(), stop_work.clone()))).collect();
    let scrub = tokio::spawn(follow::scrub(service.index.clone(), service.config.scrub, stop_work.clone()));
    let ahead = tokio::spawn(work::keep_ahead(service.clone(), stop_work.clone()));
    let app = App { service: service.clone(), workspace, metrics, stop: stop.clone() };
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    let mut server = tokio::spawn(server);
    tokio::select! {
        ended = &mut server => return ended.unwrap_or_else(|e| Err(std::io::Error::other(e))),
        () = stop.cancelled() => {}
    }
    if tokio::time::timeout(GRACE, &mut server).await.is_err() {
        tracing::warn!("requests were still under way when the time to stop was over");
        server.abort();
    }
    stop_work.cancel();
    for worker in workers.into_iter().chain([ahead, scrub]) {
        let _ = tokio::time::timeout(GRACE, worker).await;
    }
    service.store.close().await;
    let _ = tokio::task::spawn_blocking(move || indexer.join()).await;
    Ok(())
}

/// Whether only this machine can reach the address: without keys nothing else may be bound.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}
