//! Records in: versions, deletions, entries that arise by themselves, and what is refused.

use serde_json::{Value, json};

use crate::app::{App, account, note, problem};

fn statuses(outcomes: &[Value]) -> Vec<&str> {
    outcomes.iter().map(|o| o["status"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn each_line_gets_its_own_answer_and_bad_ones_change_nothing() {
    let app = App::spawn().await;
    let outcomes = app
        .post_lines(concat!(
            r#"{"kind":"account","id":"acme","name":"Acme","domains":["acme.example"]}"#,
            "\n\n",
            r#"{"kind":"lead","id":"x"}"#,
            "\n",
            r#"{"kind":"account","id":"acme","name":"Acme","domains":["acme.example"]}"#,
            "\n",
            r#"{"kind":"account","id":"b","colour":"red"}"#,
            "\n",
            "not json\n",
            r#"{"kind":"account","id":"acme","name":"Acme Corp","domains":["acme.example"]}"#,
        ))
        .await;
    assert_eq!(statuses(&outcomes), ["added", "rejected", "unchanged", "rejected", "rejected", "updated"]);
    assert!(outcomes[1]["error"].as_str().unwrap().contains("none of: workspace"));
    assert!(outcomes[3]["error"].as_str().unwrap().contains("unknown field `colour`"));
    assert_eq!(outcomes[3]["id"], "b");
    assert_eq!(app.get("/v1/accounts").await["items"], json!([{ "id": "acme", "name": "Acme Corp", "last_activity_at": null }]));
    assert_eq!(app.problem("/v1/accounts/b").await.0, 404);

    let wrong_type = app.request(reqwest::Method::POST, "/v1/records").header("content-type", "text/plain").body("{}").send().await.unwrap();
    assert_eq!(problem(wrong_type).await.1["code"], "unsupported_media_type");
    let not_utf8 =
        app.request(reqwest::Method::POST, "/v1/records").header("content-type", "application/x-ndjson").body(vec![0xff, 0xfe]).send().await.unwrap();
    assert!(problem(not_utf8).await.1["detail"].as_str().unwrap().contains("not UTF-8 from byte 0"));
}

#[tokio::test]
async fn an_older_version_never_overwrites_a_newer_one() {
    let app = App::spawn().await;
    let deal = |stage: &str, at: &str| json!({ "kind": "deal", "id": "d1", "account_id": "acme", "name": "Depots", "stage": stage, "amount": 5000, "currency": "EUR", "updated_at": at });
    app.add(&[account("acme", "acme.example"), deal("Negotiation", "2026-02-01T00:00:00Z")]).await;
    let late = app.post(&[deal("Proposal", "2026-01-01T00:00:00Z")]).await;
    assert_eq!(statuses(&late), ["unchanged"]);
    let profile = app.get("/v1/accounts/acme/360").await;
    assert_eq!(profile["sections"]["deals"]["data"][0]["stage"], "Negotiation");
    // The late version is history all the same: the stage change it proves is told.
    let timeline = app.get("/v1/accounts/acme/timeline").await;
    assert_eq!(timeline["counts"], json!({ "deal_created": 1, "deal_stage_change": 1 }));
    let change = &timeline["items"][0];
    assert_eq!((change["type"].as_str(), change["body"].as_str()), (Some("deal_stage_change"), Some("Proposal → Negotiation")));
}

#[tokio::test]
async fn versions_without_dates_and_late_ones_of_any_kind_are_taken() {
    let app = App::spawn().await;
    let named = |name: &str, at: &str| json!({ "kind": "account", "id": "acme", "name": name, "updated_at": at });
    app.add(&[named("New", "2026-02-01T00:00:00Z")]).await;
    assert_eq!(statuses(&app.post(&[named("Old", "2026-01-01T00:00:00Z")]).await), ["unchanged"]);
    assert_eq!(app.get("/v1/accounts/acme").await["name"], "New");
    let deal = |stage: &str| json!({ "kind": "deal", "id": "d1", "account_id": "acme", "name": "Depots", "stage": stage });
    app.add(&[deal("Lead"), deal("Proposal"), deal("Lead"), deal("Won")]).await;
    let timeline = app.get("/v1/accounts/acme/timeline?type=deal_stage_change").await;
    let changes: Vec<_> = timeline["items"].as_array().unwrap().iter().rev().map(|e| e["body"].as_str().unwrap()).collect();
    assert_eq!(changes, ["Lead → Proposal", "Proposal → Lead", "Lead → Won"], "in the order they came");
}

#[tokio::test]
async fn every_record_tells_its_entries_by_itself() {
    let app = App::spawn().await;
    app.add(&[
        account("acme", "acme.example"),
        json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann", "emails": ["ann@acme.example"], "created_at": "2026-01-01T00:00:00Z" }),
        json!({ "kind": "deal", "id": "d1", "account_id": "acme", "stage": "Lead", "updated_at": "2026-01-02T00:00:00Z" }),
        json!({ "kind": "deal", "id": "d1", "account_id": "acme", "stage": "Proposal", "updated_at": "2026-01-03T00:00:00Z" }),
        json!({ "kind": "enrichment", "id": "x1", "account_id": "acme", "field": "title", "old_value": "COO", "new_value": "CEO", "occurred_at": "2026-01-04T00:00:00Z" }),
        json!({ "kind": "ticket", "id": "t1", "account_id": "acme", "subject": "Down", "body": "It is down", "created_at": "2026-01-05T00:00:00Z" }),
        json!({ "kind": "task", "id": "k1", "account_id": "acme", "subject": "Call back" }),
        json!({ "kind": "task", "id": "k2", "account_id": "acme", "subject": "Send offer", "completed_at": "2026-01-06T00:00:00Z" }),
        json!({ "kind": "quote", "id": "q1", "account_id": "acme", "number": "Q-7", "amount": 10, "currency": "EUR", "sent_at": "2026-01-07T00:00:00Z" }),
        json!({ "kind": "order", "id": "o1", "account_id": "acme", "number": "8", "placed_at": "2026-01-08T00:00:00Z" }),
        json!({ "kind": "invoice", "id": "i1", "account_id": "acme", "number": "9" }),
    ])
    .await;
    let counts = app.get("/v1/accounts/acme/timeline").await["counts"].clone();
    let expected = json!({ "contact_added": 1, "deal_created": 1, "deal_stage_change": 1, "enrichment_update": 1, "integration_event": 1,
        "order_placed": 1, "quote_sent": 1, "task_completed": 1 });
    assert_eq!(counts, expected);
    app.add(&[json!({ "kind": "ticket", "id": "t1", "deleted": true })]).await;
    let counts = app.get("/v1/accounts/acme/timeline").await["counts"].clone();
    assert_eq!(counts.get("integration_event"), None, "a deleted record takes its entries along");
}

#[tokio::test]
async fn deleting_leaves_a_tombstone_that_old_versions_cannot_lift() {
    let app = App::spawn().await;
    let entry = |body: &str, at: &str| {
        let mut entry = note("n1", "acme", "2026-01-01T00:00:00Z", body);
        entry["updated_at"] = at.into();
        entry
    };
    app.add(&[account("acme", "acme.example"), entry("the old words", "2026-01-01T00:00:00Z")]).await;
    app.settle().await;
    assert_eq!(app.found("q=words").await, ["n1"]);
    app.add(&[json!({ "kind": "entry", "id": "n1", "deleted": true, "updated_at": "2026-01-05T00:00:00Z" })]).await;
    assert_eq!(app.found("q=words").await, Vec::<String>::new(), "gone from results in the next request");
    assert_eq!(app.problem("/v1/entries/n1").await.0, 404);
    assert_eq!(statuses(&app.post(&[entry("the old words", "2026-01-02T00:00:00Z")]).await), ["unchanged"]);
    assert_eq!(app.problem("/v1/entries/n1").await.0, 404);
    assert_eq!(statuses(&app.post(&[entry("the new words", "2026-01-06T00:00:00Z")]).await), ["added"]);
    app.settle().await;
    assert_eq!(app.found("q=new").await, ["n1"]);
    // A late deletion deletes nothing newer.
    app.post(&[json!({ "kind": "entry", "id": "n1", "deleted": true, "updated_at": "2026-01-03T00:00:00Z" })]).await;
    assert_eq!(app.found("q=new").await, ["n1"]);
}

#[tokio::test]
async fn contacts_are_listed_and_found_by_any_of_their_words() {
    let app = App::spawn().await;
    let contact = |id: &str, account: &str, name: &str| json!({ "kind": "contact", "id": id, "account_id": account, "name": name, "emails": [format!("{id}@{account}.example")] });
    app.add(&[
        account("acme", "acme.example"),
        contact("c1", "acme", "Ann Lee"),
        contact("c2", "acme", "Bob Ray"),
        contact("c3", "other", "Ann Poe"),
    ])
    .await;
    let ids = |body: &Value| body["items"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&app.get("/v1/contacts?q=ann").await), ["c1", "c3"]);
    assert_eq!(ids(&app.get("/v1/contacts?account=acme").await), ["c1", "c2"]);
    let first = app.get("/v1/contacts?limit=2").await;
    assert_eq!((ids(&first), first["total"].as_i64()), (vec!["c1".to_owned(), "c2".to_owned()], Some(3)));
    let next = app.get(&format!("/v1/contacts?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&next), next["next_cursor"].as_str()), (vec!["c3".to_owned()], None));
}
