//! Requests that are sent again have one effect and one answer; edits of what has changed since are turned away.

use std::collections::BTreeSet;

use rapport::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::access::key;
use crate::app::{App, account, note, problem, raw_mail};

async fn post(app: &App, path: &str, key: &str, body: &str) -> Response {
    let json = if path.starts_with("/v1/emails") { "message/rfc822" } else { "application/json" };
    app.request(Method::POST, path).header("idempotency-key", key).header("content-type", json).body(body.to_owned()).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_equal_requests_at_once_have_one_effect_and_one_answer() {
    let app = App::spawn().await;
    let body = json!([account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "once")]).to_string();
    let all = futures_util::future::join_all((0..50).map(|_| post(&app, "/v1/records", "k1", &body))).await;
    let mut answers = BTreeSet::new();
    let mut under_way = 0;
    for response in all {
        if response.status() == 409 {
            assert_eq!(response.headers()["retry-after"], "1");
            under_way += 1;
        } else {
            assert_eq!(response.status(), 200);
            answers.insert(response.text().await.unwrap());
        }
    }
    assert_eq!(answers.len(), 1, "{under_way} were told to come back; {answers:?}");
    let answer = answers.pop_first().unwrap();
    assert_eq!(answer.matches("\"added\"").count(), 2, "{answer}");
    for _ in 0..3 {
        assert_eq!(post(&app, "/v1/records", "k1", &body).await.text().await.unwrap(), answer);
    }
    assert_eq!(app.get("/v1/accounts/acme/timeline").await["total"], 1);
    // Without the key the same is nothing new.
    let plain = app.request(Method::POST, "/v1/records").header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(plain.json::<Value>().await.unwrap()["items"][0]["status"], "unchanged");
}

#[tokio::test]
async fn a_key_belongs_to_its_request_its_route_and_its_workspace_for_72_hours() {
    let app = App::spawn().await;
    let first = json!([account("acme", "acme.example")]).to_string();
    let answer = post(&app, "/v1/records", "k1", &first).await.text().await.unwrap();
    let (status, other) = problem(post(&app, "/v1/records", "k1", "[]").await).await;
    assert_eq!((status, other["code"].as_str()), (422, Some("idempotency_key_reused")));
    for bad in ["", &"k".repeat(256), "with space", "k\u{e9}"] {
        let request = app.request(Method::POST, "/v1/records").header("idempotency-key", bad.as_bytes()).json(&json!([]));
        assert_eq!(problem(request.send().await.unwrap()).await.0, 400, "{bad:?}");
    }
    let mail = raw_mail("1@a", "ann@acme.example", "jo@us.example", "Tue, 3 Feb 2026 09:12:00 +0000", "Hello", "", "words");
    let sent = post(&app, "/v1/emails", "k1", &mail).await;
    assert_eq!(sent.status(), 201, "the same key on another route is another request");
    let once = sent.text().await.unwrap();
    let again = post(&app, "/v1/emails", "k1", &mail).await;
    assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (201, once), "as new as the first time");
    assert_eq!(post(&app, "/v1/emails?source=other", "k1", &mail).await.status(), 422, "parameters are part of the request");

    let secret = key(&app, "other", Role::Admin).await;
    let request = app.request(Method::POST, "/v1/records").bearer_auth(&secret).header("idempotency-key", "k1").json(&json!([]));
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(body["items"], json!([]), "another workspace's key is its own");

    app.service.clock.set(app.service.clock.now() + rapport::store::idempotency::KEPT);
    let ours = key(&app, "local", Role::Admin).await;
    let later = app.request(Method::POST, "/v1/records").bearer_auth(ours).header("idempotency-key", "k1").header("content-type", "application/json");
    let later = later.body(first).send().await.unwrap().text().await.unwrap();
    assert!(later != answer && later.contains("unchanged"), "{later}");
}

#[tokio::test]
async fn every_effect_that_takes_a_key_answers_the_same_again() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "words")]).await;
    for (n, name) in [(1, "a"), (2, "b")] {
        app.mail("jo", &raw_mail(&format!("{n}@a"), "ann@acme.example", "jo@us.example", "Tue, 3 Feb 2026 09:12:00 +0000", name, "", "words")).await;
    }
    app.settle().await;
    let timeline = app.get("/v1/accounts/acme/timeline?type=email_received").await;
    let threads: Vec<Value> = timeline["items"].as_array().unwrap().iter().map(|e| e["thread_id"].clone()).collect();
    let vtt = "WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>Hello there\n";
    let ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nSUMMARY:Review\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    for (path, body) in [
        ("/v1/transcripts?account=acme&type=call&occurred_at=2026-01-05T09:00:00Z", vtt.to_owned()),
        ("/v1/calendars?account=acme", ics.to_owned()),
        ("/v1/tables", "Name,Email,Company\nBob,bob@new.example,New\n".to_owned()),
        ("/v1/cards", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Cy Low\r\nEMAIL:cy@acme.example\r\nEND:VCARD\r\n".to_owned()),
        ("/v1/unmatched/later.example", json!({ "name": "Later" }).to_string()),
        ("/v1/threads/merge", json!({ "threads": threads }).to_string()),
        ("/v1/accounts/acme/summary/refresh?force=true", String::new()),
    ] {
        let first = post(&app, path, "k", &body).await;
        assert!(first.status().is_success(), "{path}: {}", first.text().await.unwrap());
        let (status, first) = (first.status(), first.text().await.unwrap());
        app.settle().await;
        let again = post(&app, path, "k", &body).await;
        assert_eq!((again.status(), again.text().await.unwrap()), (status, first), "{path}");
        assert_eq!(post(&app, path, "k", &format!("{body} ")).await.status(), 422, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_editors_of_one_version_one_is_told() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "start")]).await;
    let edits = |who: &'static str| {
        let app = &app;
        async move {
            let (mut accepted, mut refused) = (0, 0);
            for n in 0..100 {
                let tag = app.send("/v1/entries/n1").await.headers()["etag"].clone();
                let edit = json!({ "body": format!("{who} {n}") });
                let response = app.request(Method::PATCH, "/v1/entries/n1").header("if-match", tag).json(&edit).send().await.unwrap();
                match response.status().as_u16() {
                    200 => accepted += 1,
                    412 => refused += 1,
                    other => panic!("{other}"),
                }
            }
            (accepted, refused)
        }
    };
    let (one, two) = tokio::join!(edits("one"), edits("two"));
    assert_eq!(one.0 + one.1 + two.0 + two.1, 200);
    let mut tx = app.service.store.read(app.workspace).await.unwrap();
    let changes = rapport::store::change::of_entries(app.workspace, &mut tx, 0, 10_000).await.unwrap();
    let versions = changes.iter().filter(|c| c.what == "entry" && c.id == "n1" && c.action == "updated").count();
    assert_eq!(versions, one.0 + two.0, "as many versions as were accepted, and no edit lost");
}

#[tokio::test]
async fn an_edit_says_what_it_saw() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), note("n1", "acme", "2026-01-01T09:00:00Z", "start")]).await;
    app.mail("jo", &raw_mail("1@a", "ann@acme.example", "jo@us.example", "Tue, 3 Feb 2026 09:12:00 +0000", "Hello", "", "words")).await;
    let tag = app.send("/v1/entries/n1").await.headers()["etag"].to_str().unwrap().to_owned();
    let edit = |tag: Option<String>, path: &str, body: Value| {
        let request = app.request(Method::PATCH, path).json(&body);
        tag.map_or_else(|| request.try_clone().unwrap(), |tag| request.try_clone().unwrap().header("if-match", tag)).send()
    };
    let body = || json!({ "body": "better", "subject": "A note" });
    for (tag, status) in [(None, 428), (Some("W/".to_owned() + &tag), 412), (Some("\"0.x\"".to_owned()), 412), (Some("garbage".to_owned()), 400)] {
        assert_eq!(problem(edit(tag.clone(), "/v1/entries/n1", body()).await.unwrap()).await.0, status, "{tag:?}");
    }
    let edited: Value = edit(Some(format!("\"1.a\", {tag}")), "/v1/entries/n1", body()).await.unwrap().json().await.unwrap();
    let fields: Vec<&str> = edited["changes"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["subject", "body"]);
    assert_eq!(app.get("/v1/entries/n1").await["body"], "better");
    assert_eq!(edit(Some(tag), "/v1/entries/n1", body()).await.unwrap().status(), 412);
    let mail = app.get("/v1/accounts/acme/timeline?type=email_received").await["items"][0]["id"].as_str().unwrap().to_owned();
    let refused = problem(edit(Some("*".to_owned()), &format!("/v1/entries/{mail}"), body()).await.unwrap()).await;
    assert!(refused.0 == 400 && refused.1["detail"].as_str().unwrap().contains("stays as it came in"), "{refused:?}");
    assert_eq!(edit(Some("*".to_owned()), "/v1/entries/nobody", body()).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_person_is_erased_once_and_the_receipt_is_shown_again() {
    let app = App::spawn().await;
    let contact = json!({"kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann Lee", "emails": ["ann@acme.example"]});
    app.post(&[account("acme", "acme.example"), contact]).await;
    let erase = || app.request(Method::DELETE, "/v1/contacts/c1?erase=true");
    let receipt = erase().header("idempotency-key", "e1").send().await.unwrap();
    assert_eq!(receipt.status(), 200);
    let receipt = receipt.text().await.unwrap();
    assert_eq!(erase().header("idempotency-key", "e1").send().await.unwrap().text().await.unwrap(), receipt);
    assert_eq!(erase().send().await.unwrap().status(), 404, "without the key it is asked for somebody who is not there");
    assert_eq!(app.get("/v1/erasures").await["total"], 1);
    let made = app.request(Method::POST, "/v1/keys").header("idempotency-key", "e1").json(&json!({"role": "viewer"})).send().await.unwrap();
    let (status, refused) = problem(made).await;
    assert!(status == 400 && refused["detail"].as_str().unwrap().contains("shown once"), "{refused}");
}
