//! Whether the process lives, whether it is ready, and its figures.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::App;
use super::extract::Caller;
use super::problem::Problem;
use crate::store::{Scope, change, job, reading, workspace};

#[derive(Serialize, ToSchema)]
pub struct Alive {
    status: &'static str,
    version: &'static str,
}

/// Answers while the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Alive)))]
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    /// The last change in the store.
    sequence: i64,
    /// The last change that searches see.
    indexed: i64,
    /// Search indexes that are built again at the moment.
    rebuilding: usize,
    /// Whether what comes in is read by the local model: `loading`, `ready`, `off`, or why it cannot be used. Everything
    /// else works without it.
    reader: String,
}

/// The index may be this many changes behind and the server still counts as ready.
const MAX_LAG: i64 = 5_000;

/// Whether requests are answered in full: the store can be read, and the index has caught up.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    let mut tx = app.service.store.read(Scope::All).await?;
    let sequence = change::last(&mut tx).await?;
    let indexed = *app.service.index.indexed().borrow();
    let rebuilding = app.service.index.building().len();
    let ready = sequence - indexed <= MAX_LAG && rebuilding == 0 && !app.stop.is_cancelled();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(Readiness { ready, sequence, indexed, rebuilding, reader: app.service.reader.state() })).into_response())
}

/// Figures of the whole server for Prometheus, for admins of the workspace that it was started with.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    if caller.workspace != app.workspace {
        return Err(Problem::forbidden("figures are those of the whole server: they are for admins of the workspace that it was started with"));
    }
    let mut tx = app.service.store.read(Scope::All).await?;
    let sequence = change::last(&mut tx).await?;
    for state in ["queued", "running", "failed", "dead"] {
        metrics::gauge!("rapport_jobs", "state" => state).set(0.0);
    }
    for (state, count) in job::counts(None, &mut tx).await? {
        metrics::gauge!("rapport_jobs", "state" => state).set(count as f64);
    }
    if let Some(reader) = app.service.reader.workers() {
        let mut unread = 0;
        for (workspace, _) in workspace::all(&mut tx).await? {
            unread += reading::backlog(workspace, &mut tx, reader.version()).await?;
        }
        metrics::gauge!("rapport_unread_entries").set(unread as f64);
    }
    metrics::gauge!("rapport_index_lag_changes").set((sequence - *app.service.index.indexed().borrow()) as f64);
    metrics::gauge!("rapport_index_entries").set(app.service.index.len() as f64);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response())
}

/// How often single measurements become sums; until then each takes its place in memory.
const SUM_UP: Duration = Duration::from_secs(5);

/// Keeps the figures small until told to stop.
pub(super) async fn sum_up(metrics: PrometheusHandle, stop: CancellationToken) {
    while tokio::time::timeout(SUM_UP, stop.cancelled()).await.is_err() {
        metrics.run_upkeep();
    }
}
