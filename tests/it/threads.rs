//! Conversations: put together in any order, repaired when a parent arrives late, split and merged by hand.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, account, problem, raw_mail};

async fn ready() -> App {
    let app = App::spawn().await;
    app.add(&[json!({ "kind": "workspace", "us_domains": ["us.example"] }), account("acme", "acme.example")]).await;
    app
}

fn day(day: u32) -> String {
    format!("{day} Feb 2026 09:00:00 +0000")
}

/// A mail of a customer: id, day, subject, the mails it names.
fn mail(id: &str, on: u32, subject: &str, names: &[&str]) -> String {
    let named = names.iter().map(|n| format!("<{n}>")).collect::<Vec<_>>().join(" ");
    let headers = if names.is_empty() { String::new() } else { format!("References: {named}\r\n") };
    raw_mail(id, "Ann <ann@acme.example>", "jo@us.example", &day(on), subject, &headers, &format!("words of {id}"))
}

/// Which mails lie together.
async fn together(app: &App) -> BTreeSet<BTreeSet<String>> {
    let timeline = app.get("/v1/accounts/acme/timeline?limit=100").await;
    let mut threads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in timeline["items"].as_array().unwrap() {
        let body = entry["body"].as_str().or(entry["preview"].as_str()).unwrap_or_default().trim().trim_start_matches("words of ").to_owned();
        threads.entry(entry["thread_id"].as_str().unwrap().to_owned()).or_default().insert(body);
    }
    threads.into_values().collect()
}

fn sets(groups: &[&[&str]]) -> BTreeSet<BTreeSet<String>> {
    groups.iter().map(|group| group.iter().map(|id| (*id).to_owned()).collect()).collect()
}

#[tokio::test]
async fn every_order_of_arrival_gives_the_same_conversations() {
    let mails = [
        mail("a1", 1, "Pump order", &[]),
        mail("a2", 2, "Re: Pump order", &["a1"]),
        // Another subject, but it names the conversation.
        mail("a3", 3, "Delivery date", &["a1", "a2"]),
        // Its references point to mails that nobody has: the subject tells.
        mail("a4", 4, "Re: Pump order", &["x1", "x2"]),
        // The same subject once more, answering nothing: a conversation of its own.
        mail("b1", 5, "Pump order", &[]),
        // Passed on: a conversation of its own, and so are the answers to it.
        mail("f1", 6, "Fwd: Pump order", &["a1", "a2"]),
        mail("f2", 7, "Re: Fwd: Pump order", &["a1", "a2", "f1"]),
    ];
    let wanted = sets(&[&["a1", "a2", "a3", "a4"], &["b1"], &["f1", "f2"]]);
    let orders: [[usize; 7]; 4] = [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 6, 0, 5, 2, 4, 1], [6, 3, 1, 4, 5, 0, 2]];
    for order in orders {
        let app = ready().await;
        for at in order {
            app.mail("inbox", &mails[at]).await;
        }
        assert_eq!(together(&app).await, wanted, "{order:?}");
    }
}

#[tokio::test]
async fn a_parent_that_arrives_late_takes_its_answer_from_where_it_was_guessed() {
    let app = ready().await;
    app.mail("inbox", &mail("a1", 1, "Pump order", &[])).await;
    app.mail("inbox", &mail("r1", 4, "Re: Pump order", &["p1"])).await;
    assert_eq!(together(&app).await, sets(&[&["a1", "r1"]]));
    app.mail("inbox", &mail("p1", 3, "Pump order, second", &[])).await;
    assert_eq!(together(&app).await, sets(&[&["a1"], &["p1", "r1"]]));
}

async fn post(app: &App, path: &str, body: Value) -> Value {
    let response = app.request(Method::POST, path).json(&body).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    response.json().await.unwrap()
}

#[tokio::test]
async fn what_is_split_or_merged_by_hand_stays_so() {
    let app = ready().await;
    app.mail("inbox", &mail("a1", 1, "Pump order", &[])).await;
    app.mail("inbox", &mail("a2", 2, "Re: Pump order", &["a1"])).await;
    let a3 = app.mail("inbox", &mail("a3", 3, "Re: Pump order", &["a1", "a2"])).await;
    app.mail("inbox", &mail("b1", 3, "Invoice 7", &[])).await;
    let split = post(&app, "/v1/threads/split", json!({ "entries": [a3["id"]] })).await;
    assert_eq!(split["entries"], 1);
    // Answers follow the mail they answer; the rest goes on as before.
    app.mail("inbox", &mail("a4", 4, "Re: Pump order", &["a1", "a2", "a3"])).await;
    app.mail("inbox", &mail("a5", 5, "Re: Pump order", &["a1", "a2"])).await;
    assert_eq!(together(&app).await, sets(&[&["a1", "a2", "a5"], &["a3", "a4"], &["b1"]]));

    let thread = |entry: &Value| entry["thread_id"].as_str().unwrap().to_owned();
    let timeline = app.get("/v1/accounts/acme/timeline?limit=100").await;
    let of = |name: &str| thread(timeline["items"].as_array().unwrap().iter().find(|e| e.to_string().contains(&format!("words of {name}"))).unwrap());
    post(&app, "/v1/threads/merge", json!({ "threads": [of("a3"), of("b1")] })).await;
    app.mail("inbox", &mail("b2", 6, "Re: Invoice 7", &["b1"])).await;
    assert_eq!(together(&app).await, sets(&[&["a1", "a2", "a5"], &["a3", "a4", "b1", "b2"]]));

    for (path, body, status) in [
        ("/v1/threads/merge", json!({ "threads": ["one"] }), 400),
        ("/v1/threads/merge", json!({ "threads": ["one", "two"] }), 404),
        ("/v1/threads/split", json!({ "entries": [] }), 400),
        ("/v1/threads/split", json!({ "entries": ["nobody"] }), 404),
        ("/v1/threads/split", json!({ "mails": [] }), 400),
    ] {
        let response = app.request(Method::POST, path).json(&body).send().await.unwrap();
        assert_eq!(problem(response).await.0, status, "{path} {body}");
    }
}
