//! The manners of the API: problems, ETags, descriptions, this machine only.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::app::{App, account, note, problem};
use rapport::pipeline::meaning::Mode;
use rapport::store::Scope;

#[tokio::test]
async fn errors_are_problem_documents_with_stable_codes() {
    let app = App::spawn().await;
    assert_eq!(app.problem("/v1/nothing").await.1["code"], "not_found");
    assert_eq!(app.problem("/nothing").await.0, 404);
    let (status, wrong) = problem(app.request(Method::DELETE, "/v1/accounts").send().await.unwrap()).await;
    assert_eq!((status, wrong["code"].as_str()), (405, Some("method_not_allowed")));
    assert_eq!(app.problem("/v1/accounts?sort=colour").await.0, 400);
    assert_eq!(app.problem("/v1/entries/nobody").await.0, 404);
    assert_eq!(app.problem("/v1/accounts?cursor=7b7d").await.1["code"], "bad_cursor");
}

#[tokio::test]
async fn who_has_the_answer_already_gets_304() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    let first = app.send("/v1/accounts").await;
    let tag = first.headers()["etag"].clone();
    let conditional = || app.request(Method::GET, "/v1/accounts").header("if-none-match", tag.clone());
    let again = conditional().send().await.unwrap();
    assert_eq!((again.status(), again.text().await.unwrap().as_str()), (StatusCode::NOT_MODIFIED, ""));
    app.add(&[account("corp", "corp.example")]).await;
    assert_eq!(conditional().send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn the_description_lists_every_route_and_the_reference_needs_no_other_host() {
    let app = App::spawn().await;
    let description = app.get("/openapi.json").await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    for path in [
        "/v1/records",
        "/v1/emails",
        "/v1/accounts",
        "/v1/accounts/{id}/360",
        "/v1/accounts/{id}/timeline",
        "/v1/contacts",
        "/v1/unmatched",
        "/v1/entries/{id}",
        "/v1/entries/{id}/attachments/{n}",
        "/v1/search",
        "/v1/accounts/{id}/summary",
        "/v1/accounts/{id}/summary/refresh",
        "/v1/accounts/{id}/summary/versions",
        "/v1/events",
        "/v1/jobs",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        assert!(paths.iter().any(|p| *p == path), "{path} in {paths:?}");
    }
    let docs = app.send("/docs/").await.text().await.unwrap();
    assert!(docs.contains("swagger") && !docs.contains("https://"), "{docs}");
}

#[tokio::test]
async fn health_readiness_and_figures() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "one")]).await;
    app.settle().await;
    assert_eq!(app.get("/healthz").await["status"], "ok");
    let ready = app.get("/readyz").await;
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["sequence"], ready["indexed"]);
    let response = app.send("/metrics").await;
    assert!(response.status().is_success());
}

#[tokio::test]
async fn pages_of_other_sites_cannot_reach_it_through_the_browser() {
    let app = App::spawn().await;
    for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")] {
        let response = app
            .request(Method::POST, "/v1/records")
            .header("content-type", "application/json")
            .header(header, value)
            .body("[]")
            .send()
            .await
            .unwrap();
        assert_eq!(problem(response).await.1["code"], "forbidden", "{header}: {value}");
    }
    let local = app.request(Method::GET, "/v1/accounts").header("origin", "http://localhost:3000").send().await.unwrap();
    assert_eq!(local.status(), StatusCode::OK);
}

#[tokio::test]
async fn another_workspace_sees_nothing() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "secret words")]).await;
    app.settle().await;
    let now = app.service.clock.now();
    let other = app
        .service
        .store
        .write(Scope::All, move |tx| Box::pin(async move { rapport::store::workspace::open(tx, "other", now).await }))
        .await
        .unwrap();
    let mut tx = app.service.store.read(other).await.unwrap();
    assert!(rapport::store::entry::find(other, &mut tx, "n1").await.unwrap().is_none());
    assert!(rapport::store::account::find(other, &mut tx, "acme").await.unwrap().is_none());
    let request = rapport::index::Request::newest(rapport::index::query::Query::Exact("secret".into()), 10);
    assert_eq!(rapport::pipeline::search::search(&app.service, other, request.clone(), Mode::Words).await.unwrap().total, 0);
    assert_eq!(rapport::pipeline::search::search(&app.service, app.workspace, request, Mode::Words).await.unwrap().total, 1);
}

#[tokio::test]
async fn jobs_show_what_never_worked() {
    let app = App::spawn().await;
    let (workspace, now) = (app.workspace, app.service.clock.now());
    app.service
        .store
        .write(workspace, move |tx| {
            Box::pin(async move { rapport::store::job::enqueue(workspace, tx, "nonsense", "x", "{}", rapport::store::job::When::NOW, now).await })
        })
        .await
        .unwrap();
    rapport::pipeline::work::drain(&app.service).await.unwrap();
    for _ in 0..100 {
        let jobs: Value = app.get("/v1/jobs").await;
        if jobs["counts"]["dead"] == 1 {
            assert_eq!(jobs["items"][0]["error"], "nobody knows how to do a job of kind \"nonsense\"");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{}", app.get("/v1/jobs").await);
}
