//! Server-sent events: heard as they happen, and caught up with after an absence.

use std::time::Duration;

use reqwest::Response;

use crate::app::{App, account, note, problem};

/// Reads events until `count` have come: id, name, data.
async fn listen(mut response: Response, count: usize) -> Vec<(i64, String, serde_json::Value)> {
    let mut text = String::new();
    let mut events = Vec::new();
    while events.len() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(10), response.chunk()).await.expect("an event in time").unwrap().expect("more events");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n").map(|(e, r)| (e.to_owned(), r.to_owned())) {
            text = rest;
            let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
            if let Some(data) = field("data:") {
                events.push((field("id:").unwrap().parse().unwrap(), field("event:").unwrap(), serde_json::from_str(&data).unwrap()));
            }
        }
    }
    events
}

#[tokio::test]
async fn a_listener_that_was_away_goes_on_where_it_stopped() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example"), account("corp", "corp.example")]).await;
    let live = app.send("/v1/events?account=acme").await;
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    app.add(&[note("n1", "acme", "2026-01-01T09:00:00Z", "one"), note("c1", "corp", "2026-01-01T09:00:00Z", "other")]).await;
    app.add(&[note("n2", "acme", "2026-01-02T09:00:00Z", "two")]).await;
    app.settle().await;
    let heard = listen(live, 3).await;
    let told: Vec<_> = heard.iter().map(|(_, name, data)| (name.as_str(), data["entry_id"].as_str())).collect();
    assert_eq!(told, [("entry.added", Some("n1")), ("entry.added", Some("n2")), ("summary.ready", None)]);
    assert_eq!(heard[2].2["version"], 1);

    let resumed = app.request(reqwest::Method::GET, "/v1/events?account=acme").header("last-event-id", heard[0].0.to_string()).send().await.unwrap();
    assert_eq!(listen(resumed, 2).await, heard[1..]);
    let bad = app.request(reqwest::Method::GET, "/v1/events").header("last-event-id", "yesterday").send().await.unwrap();
    assert_eq!(problem(bad).await.1["code"], "bad_header");
}
