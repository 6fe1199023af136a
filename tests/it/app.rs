//! A server for one test: its own directory, database, index and clock.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusBuilder;
use rapport::config::{Config, DatabaseUrl, ReaderFrom};
use rapport::domain::{Clock, WorkspaceId};
use rapport::pipeline::{Service, work};
use rapport::serve::Serving;
use rapport::store::{Scope, workspace};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::database;

/// The tests' "now": the day on which the demo customers' stories end.
pub const NOW: &str = "2026-03-02T12:00:00Z";

/// The secret of commands on the data directory.
pub const PASS: &str = "the pass of the tests";

pub struct App {
    pub base: String,
    pub client: reqwest::Client,
    pub service: Service,
    pub workspace: WorkspaceId,
    pub directory: TempDir,
    /// Dropped, it stops the server.
    stop: DropGuard,
    server: JoinHandle<std::io::Result<()>>,
}

impl App {
    pub async fn spawn() -> App {
        App::spawn_in(tempfile::tempdir().expect("a temporary directory")).await
    }

    pub async fn spawn_in(directory: TempDir) -> App {
        let config = config(directory.path()).await;
        App::spawn_with(directory, config).await
    }

    pub async fn spawn_with(directory: TempDir, config: Config) -> App {
        let clock = Clock::manual(NOW.parse().expect("a time"));
        let config = Config { quiet: jiff::SignedDuration::from_millis(300), ..config };
        let service = Service::open(directory.path(), config, clock.clone()).await.expect("the service opens");
        let now = clock.now();
        let workspace =
            service.store.write(Scope::All, move |tx| Box::pin(async move { workspace::open(tx, "local", now).await })).await.expect("a workspace");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let server = tokio::spawn(rapport::serve::run(Serving {
            listener,
            service: service.clone(),
            workspace,
            metrics,
            pass: PASS.to_owned(),
            stop: stop.clone(),
        }));
        App { base, client: reqwest::Client::new(), service, workspace, directory, stop: stop.drop_guard(), server }
    }

    /// Stops the server as SIGTERM would and hands back its directory.
    pub async fn stop(self) -> TempDir {
        self.stop.disarm().cancel();
        self.server.await.expect("the server task ends").expect("the server stops cleanly");
        self.directory
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn send(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    /// The JSON of a read that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let response = self.send(path).await;
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// A problem: its status and document.
    pub async fn problem(&self, path: &str) -> (u16, Value) {
        problem(self.send(path).await).await
    }

    /// Posts records and returns the outcomes.
    pub async fn post(&self, records: &[Value]) -> Vec<Value> {
        let response = self.request(Method::POST, "/v1/records").json(records).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let body: Value = response.json().await.expect("JSON");
        body["items"].as_array().expect("items").clone()
    }

    /// Posts records that must all be taken.
    pub async fn add(&self, records: &[Value]) {
        for outcome in self.post(records).await {
            assert_ne!(outcome["status"], "rejected", "{outcome}");
        }
    }

    /// Posts NDJSON as it stands.
    pub async fn post_lines(&self, lines: &str) -> Vec<Value> {
        let request = self.request(Method::POST, "/v1/records").header("content-type", "application/x-ndjson").body(lines.to_owned());
        let body: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        body["items"].as_array().unwrap_or_else(|| panic!("{body}")).clone()
    }

    /// Posts a raw mail found in a mailbox.
    pub async fn mail(&self, source: &str, raw: &str) -> Value {
        let path = format!("/v1/emails?source={source}");
        let response =
            self.request(Method::POST, &path).header("content-type", "message/rfc822").body(raw.to_owned()).send().await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        response.json().await.expect("JSON")
    }

    /// Does all waiting jobs but reading, and waits until everything is searchable.
    pub async fn settle(&self) {
        for _ in 0..200 {
            work::drain(&self.service).await.expect("jobs run");
            let jobs = self.get("/v1/jobs?limit=100").await;
            let under_way = |job: &Value| job["kind"] != "read" && (job["state"] == "queued" || job["state"] == "running");
            if !jobs["items"].as_array().expect("items").iter().any(under_way) {
                let last = *self.service.store.committed().borrow();
                assert_eq!(self.service.index.wait_for(last, Duration::from_secs(10)).await, last, "the index catches up");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the jobs never end: {}", self.get("/v1/jobs").await);
    }

    pub fn set_now(&self, now: &str) {
        self.service.clock.set(now.parse::<Timestamp>().expect("a time"));
    }

    /// Ids of the hits of a search, in order.
    pub async fn found(&self, query: &str) -> Vec<String> {
        let body = self.get(&format!("/v1/search?{query}")).await;
        let hits = body["hits"].as_array().expect("hits");
        hits.iter().map(|hit| hit["id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// The settings of tests for a data directory, with a PostgreSQL database of its own where the tests run on one.
pub async fn config(directory: &Path) -> Config {
    let database = database::url(directory).await.map(|url| DatabaseUrl::read(url).expect("a URL"));
    Config {
        database,
        scrub: Duration::from_secs(1),
        index_memory: 16 * 1024 * 1024,
        program: env!("CARGO_BIN_EXE_rapport").into(),
        // Reading is tested by itself: it would take the time of all others.
        reader: ReaderFrom::Off,
        ..Config::default()
    }
}

pub async fn problem(response: Response) -> (u16, Value) {
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(kind, "application/problem+json", "{body}");
    assert_eq!(body["status"], status.as_u16());
    for field in ["type", "title", "detail", "code"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {body}");
    }
    (status.as_u16(), body)
}

pub fn account(id: &str, domain: &str) -> Value {
    json!({ "kind": "account", "id": id, "name": format!("{id} Inc"), "domains": [domain] })
}

pub fn note(id: &str, account: &str, at: &str, body: &str) -> Value {
    json!({ "kind": "entry", "id": id, "account_id": account, "type": "note", "occurred_at": at, "subject": "Note", "body": body })
}

/// A plain mail.
pub fn raw_mail(id: &str, from: &str, to: &str, date: &str, subject: &str, more_headers: &str, body: &str) -> String {
    format!("Message-ID: <{id}>\r\nFrom: {from}\r\nTo: {to}\r\nDate: {date}\r\nSubject: {subject}\r\n{more_headers}\r\n{body}\r\n")
}
