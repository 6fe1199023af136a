//! The summary: cited, refreshed for the contract's reasons only, and always served with its age.

use rapport::domain::span::slice;
use serde_json::{Value, json};

use crate::app::{App, account, note};

fn deal(stage: &str, at: &str) -> Value {
    json!({ "kind": "deal", "id": "d1", "account_id": "acme", "name": "Depots", "stage": stage, "amount": 186000, "currency": "EUR", "updated_at": at })
}

async fn versions(app: &App) -> Vec<(i64, String, Option<String>)> {
    app.settle().await;
    let body = app.get("/v1/accounts/acme/summary/versions").await;
    let version = |v: &Value| {
        let cause = &v["refreshed_because"];
        (v["version"].as_i64().unwrap(), cause["trigger"].as_str().unwrap().to_owned(), cause["detail"].as_str().map(str::to_owned))
    };
    body["items"].as_array().unwrap().iter().map(version).collect()
}

#[tokio::test]
async fn it_refreshes_for_the_reasons_of_the_contract_and_no_others() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    assert_eq!(app.problem("/v1/accounts/acme/summary").await.1["detail"], "a summary of account \"acme\" was not found");
    app.add(&[
        deal("Proposal", "2026-01-01T00:00:00Z"),
        note("n1", "acme", "2026-01-10T09:00:00Z", "We agreed on a pilot in Leeds with four scanners."),
    ])
    .await;
    assert_eq!(versions(&app).await, [(1, "first".to_owned(), None)]);

    // A communication within the usual rhythm refreshes nothing; it is counted as not seen.
    app.add(&[note("n2", "acme", "2026-01-15T09:00:00Z", "The pilot in Leeds goes well so far.")]).await;
    assert_eq!(versions(&app).await.len(), 1);
    let summary = app.get("/v1/accounts/acme/summary").await;
    assert_eq!((summary["stale"].as_bool(), summary["newer_entries"].as_u64()), (Some(true), Some(1)));

    // Back-fill, however far from its neighbours, refreshes nothing.
    app.add(&[note("n0", "acme", "2025-06-01T09:00:00Z", "First phone call about warehouses.")]).await;
    assert_eq!(versions(&app).await.len(), 1);

    app.add(&[note("n3", "acme", "2026-02-20T09:00:00Z", "They are back and want to go on.")]).await;
    assert_eq!(versions(&app).await[0], (2, "communication_after_gap".to_owned(), Some("after 36 days without contact".to_owned())));

    app.add(&[deal("Negotiation", "2026-02-21T00:00:00Z")]).await;
    assert_eq!(versions(&app).await[0], (3, "deal_stage_change".to_owned(), Some("Proposal → Negotiation".to_owned())));
    let summary = app.get("/v1/accounts/acme/summary").await;
    assert_eq!(
        (summary["stale"].as_bool(), summary["newer_entries"].as_u64(), &summary["coverage"]),
        (Some(false), Some(0), &json!({ "read": 4, "total": 4 }))
    );
    assert!(summary["text"].as_str().unwrap().contains("EUR 186,000 is open in stage Negotiation"), "{}", summary["text"]);
    app.set_now("2026-03-03T12:00:00Z");
    assert_eq!(app.get("/v1/accounts/acme/summary?as_of=2026-03-02T12:00:00Z").await["version"], 3);
    assert_eq!(app.problem("/v1/accounts/acme/summary?as_of=2020-01-01T00:00:00Z").await.0, 404);
}

#[tokio::test]
async fn a_burst_costs_one_refresh_and_equal_input_none() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    for n in 0..200 {
        app.add(&[note(
            &format!("n{n}"),
            "acme",
            &format!("2026-01-{:02}T{:02}:00:00Z", 1 + n / 20, n % 20),
            "They wrote again about the outage in Leeds.",
        )])
        .await;
    }
    assert_eq!(versions(&app).await, [(1, "first".to_owned(), None)]);
    assert_eq!(app.get("/v1/accounts/acme/summary").await["coverage"], json!({ "read": 200, "total": 200 }));

    let refresh = |query: &'static str| app.request(reqwest::Method::POST, &format!("/v1/accounts/acme/summary/refresh{query}")).send();
    let unchanged = refresh("").await.unwrap();
    assert_eq!(unchanged.status(), 200);
    assert_eq!(unchanged.json::<Value>().await.unwrap()["version"], 1);
    assert_eq!(refresh("?force=true").await.unwrap().status(), 202);
    assert_eq!(versions(&app).await[0], (2, "manual".to_owned(), None));
    app.add(&[note("more", "acme", "2026-01-11T10:00:00Z", "One more word.")]).await;
    assert_eq!(refresh("").await.unwrap().status(), 202);
    assert_eq!(versions(&app).await.len(), 3);
}

#[tokio::test]
async fn internal_and_automatic_words_are_not_summarized() {
    let app = App::spawn().await;
    let mut secret = note("n1", "acme", "2026-01-10T09:00:00Z", "We agreed to cancel their discount of 40 % next quarter.");
    secret["visibility"] = "internal".into();
    app.add(&[
        account("acme", "acme.example"),
        secret,
        note("n2", "acme", "2026-01-11T09:00:00Z", "Internal only: their CFO decided to leave the company soon."),
        note("n3", "acme", "2026-01-12T09:00:00Z", "They decided to roll out the scanners in two additional sites."),
    ])
    .await;
    app.settle().await;
    let summary = app.get("/v1/accounts/acme/summary").await;
    let text = summary["text"].as_str().unwrap();
    assert!(text.contains("two additional sites") && !text.contains("discount") && !text.contains("CFO"), "{text}");
    assert_eq!(summary["coverage"], json!({ "read": 1, "total": 1 }));
    assert_eq!(app.found("q=discount").await, ["n1"], "the team still finds it");
    assert_eq!(app.get("/v1/entries/n2").await["internal"], true);
    let cited = app.get("/v1/entries/n3").await;
    assert!(!cited["summary_sentences"].as_array().unwrap().is_empty());
}

/// Every quote of a summary is exactly the slice that it names; every field citation names a value.
pub async fn assert_cited(app: &App, summary: &Value) {
    let sentences: Vec<&Value> = summary["paragraphs"].as_array().unwrap().iter().flat_map(|p| p["sentences"].as_array().unwrap()).collect();
    assert!(!sentences.is_empty());
    for sentence in sentences {
        let citations = sentence["citations"].as_array().unwrap();
        assert!(!citations.is_empty(), "{sentence}");
        for citation in citations {
            let Some(entry_id) = citation["entry_id"].as_str() else {
                assert!(citation["record"].is_string() && citation["field"].is_string() && citation["value"].is_string(), "{citation}");
                continue;
            };
            let entry = app.get(&format!("/v1/entries/{entry_id}")).await;
            let text = match citation["segment"].as_u64() {
                Some(segment) => entry["transcript"][segment as usize]["text"].as_str().unwrap().to_owned(),
                None => entry["body"].as_str().unwrap().to_owned(),
            };
            let (start, end) = (citation["start"].as_u64().unwrap() as usize, citation["end"].as_u64().unwrap() as usize);
            assert_eq!(slice(&text, start, end), citation["quote"].as_str(), "{sentence}");
        }
    }
}
