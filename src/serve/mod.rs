//! HTTP: what callers may ask, each resource in its own file. The only home of axum.

pub mod access;
mod accounts;
mod answer;
mod attachments;
mod audit;
mod calendars;
mod connections;
mod contacts;
mod cursor;
mod description;
mod emails;
mod entries;
mod events;
mod extract;
mod files;
mod gate;
mod guard;
mod health;
mod jobs;
mod keys;
mod problem;
mod profile;
mod records;
mod reindex;
mod search;
mod sentiment;
mod session;
mod settings;
mod suggest;
mod summaries;
mod threads;
mod timeline;
mod transcripts;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::domain::WorkspaceId;
use crate::ingest::email::MAX_MAIL;
use crate::pipeline::{Service, follow, read, work};
use crate::store::job::Line;
use access::Door;
use events::Listeners;
use gate::Gate;
use problem::Problem;

/// A request takes at most this long; events stream without end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Requests under way get so long to finish when the server stops,
const GRACE: Duration = Duration::from_secs(6);
/// and the rest, one after the other, so long each.
const LAST: Duration = Duration::from_secs(1);

/// Kilobytes of bodies that are taken in at the same time.
const BODIES: usize = 128 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    service: Service,
    /// Whom callers speak for while there are no keys.
    workspace: WorkspaceId,
    door: Arc<Door>,
    gate: Gate,
    listeners: Listeners,
    bodies: Arc<Semaphore>,
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
        (name = "insights", description = "Summaries and sentiment"),
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
        .routes(routes!(contacts::delete))
        .routes(routes!(contacts::erasures))
        .routes(routes!(contacts::erasure))
        .routes(routes!(accounts::unmatched))
        .routes(routes!(accounts::assign))
        .routes(routes!(profile::get))
        .routes(routes!(timeline::get))
        .routes(routes!(entries::get))
        .routes(routes!(entries::patch))
        .routes(routes!(attachments::get))
        .routes(routes!(attachments::text))
        .routes(routes!(threads::merge))
        .routes(routes!(threads::split))
        .routes(routes!(search::get))
        .routes(routes!(suggest::get))
        .routes(routes!(answer::get))
        .routes(routes!(summaries::get))
        .routes(routes!(summaries::refresh))
        .routes(routes!(summaries::versions))
        .routes(routes!(sentiment::get))
        .routes(routes!(session::post))
        .routes(routes!(session::get))
        .routes(routes!(session::delete))
        .routes(routes!(keys::list))
        .routes(routes!(keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(events::get))
        .routes(routes!(jobs::get))
        .routes(routes!(reindex::post))
        .routes(routes!(verify::post))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

fn described(routes: OpenApiRouter<App>) -> (Router<App>, utoipa::openapi::OpenApi) {
    let (api, mut description) = routes.split_for_parts();
    description::complete(&mut description);
    (api, description)
}

/// The API description, as served under `/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described(routes()).1
}

fn router(app: App) -> Router {
    let (api, description) = described(routes());
    // Streams stay as they are: packing would hold events back.
    let packed = CompressionLayer::new().compress_when(SizeAbove::new(1024).and(NotForContentType::SSE));
    api.merge(SwaggerUi::new("/docs").url("/openapi.json", description))
        .fallback(|| async { Problem::not_found("there is nothing under this path; /docs lists what there is") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn(guard::etag))
        .layer(DefaultBodyLimit::max(MAX_MAIL))
        .layer(from_fn(guard::timeout))
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(packed)
        // What is too much goes no further than here.
        .layer(from_fn_with_state(app.clone(), gate::pass))
        .layer(from_fn_with_state(app.clone(), access::authenticate))
        .layer(from_fn_with_state(app.clone(), guard::observe))
        .with_state(app)
}

/// What a server needs to run.
pub struct Serving {
    pub listener: TcpListener,
    pub service: Service,
    /// Whom callers speak for while there are no keys.
    pub workspace: WorkspaceId,
    pub metrics: PrometheusHandle,
    /// The secret of commands on the same data directory.
    pub pass: String,
    pub stop: CancellationToken,
}

/// Answers requests and works jobs until told to stop; then finishes what is under way, within ten seconds.
///
/// # Errors
/// When the index thread cannot be started.
pub async fn run(serving: Serving) -> std::io::Result<()> {
    let Serving { listener, service, workspace, metrics, pass, stop } = serving;
    let stop_work = CancellationToken::new();
    // Also when nobody waits for the end: the index thread would hold the database open for ever.
    let _stopped_for_certain = stop_work.clone().drop_guard();
    let indexer = service.index.follow(service.store.clone(), stop_work.clone())?;
    let mut workers: Vec<_> = (0..service.config.workers).map(|_| tokio::spawn(work::run(service.clone(), Line::Jobs, stop_work.clone()))).collect();
    workers.push(tokio::spawn(read::watch(service.clone(), stop_work.clone())));
    workers.push(tokio::spawn(work::run(service.clone(), Line::Reading, stop_work.clone())));
    workers.push(tokio::spawn(follow::scrub(service.index.clone(), service.config.scrub, stop_work.clone())));
    workers.push(tokio::spawn(health::sum_up(metrics.clone(), stop_work.clone())));
    workers.push(tokio::spawn(work::keep_house(service.clone(), stop_work.clone())));
    let app = App {
        door: Arc::new(Door::new(is_loopback(&listener.local_addr()?), &pass)),
        gate: Gate::new(service.config.max_requests),
        listeners: Listeners::default(),
        bodies: Arc::new(Semaphore::new(BODIES)),
        service: service.clone(),
        workspace,
        metrics,
        stop: stop.clone(),
    };
    // Jobs end while the last answers are given: both have the same few seconds.
    let on_stop = stop.clone();
    let work_ends = tokio::spawn(async move {
        on_stop.cancelled().await;
        stop_work.cancel();
    });
    connections::serve(listener, router(app), stop, GRACE).await;
    let _ = work_ends.await;
    let ended = futures_util::future::join_all(workers.iter_mut().map(|worker| tokio::time::timeout(LAST, worker)));
    let _ = ended.await;
    // What does not end is put back when the lease is over, or at the next start.
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    let _ = tokio::time::timeout(LAST, tokio::task::spawn_blocking(move || indexer.join())).await;
    let _ = tokio::time::timeout(LAST, service.store.close()).await;
    Ok(())
}

/// Whether only this machine can reach the address: without keys nothing else may be bound.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}
