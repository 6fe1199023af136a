//! Whatever the order in which records and mails arrive, the state is the same.
//!
//! `RAPPORT_PERMUTATIONS` says how many orders are tried; `./test soak` tries 1,000.

use serde_json::{Value, json};

use crate::app::{App, account, note, raw_mail};

/// What callers can see, without what depends on arrival: sequence numbers, versions, and who found it first.
async fn state(app: &App) -> Value {
    app.settle().await;
    let mut timelines = Vec::new();
    for id in ["acme", "corp"] {
        let timeline = app.get(&format!("/v1/accounts/{id}/timeline?limit=100")).await;
        let mut items = timeline["items"].as_array().unwrap().clone();
        items.sort_by_key(|e| e["id"].as_str().unwrap().to_owned());
        timelines.push(json!([timeline["counts"], items]));
    }
    let profile = app.get("/v1/accounts/acme/360").await;
    let unmatched = app.get("/v1/unmatched").await["items"].clone();
    json!({ "timelines": timelines, "deals": profile["sections"]["deals"], "contacts": profile["sections"]["contacts"], "unmatched": unmatched })
}

#[derive(Clone)]
enum Item {
    Record(Value),
    Mail(String),
}

#[tokio::test]
async fn any_order_with_duplicates_gives_one_state() {
    let dated = |mut record: Value, at: &str| {
        record["updated_at"] = at.into();
        record
    };
    let deal = |stage: &str, at: &str| {
        dated(json!({ "kind": "deal", "id": "d1", "account_id": "acme", "name": "Depots", "stage": stage, "created_at": "2026-01-01T00:00:00Z" }), at)
    };
    let mail = |id: &str, from: &str, to: &str, day: u8, subject: &str, headers: &str| {
        raw_mail(id, from, to, &format!("{day} Jan 2026 09:00:00 +0000"), subject, headers, &format!("words of {id}"))
    };
    let items = vec![
        Item::Record(json!({ "kind": "workspace", "us_domains": ["us.example"], "updated_at": "2026-01-01T00:00:00Z" })),
        Item::Record(dated(account("acme", "acme.example"), "2026-01-01T00:00:00Z")),
        Item::Record(dated(account("corp", "corp.example"), "2026-01-01T00:00:00Z")),
        Item::Record(
            json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann", "emails": ["ann@corp.example"], "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z" }),
        ),
        Item::Record(deal("Lead", "2026-01-01T00:00:00Z")),
        Item::Record(deal("Proposal", "2026-01-05T00:00:00Z")),
        Item::Record(deal("Negotiation", "2026-01-09T00:00:00Z")),
        Item::Record(dated(note("n1", "acme", "2026-01-03T00:00:00Z", "first words"), "2026-01-03T00:00:00Z")),
        Item::Record(dated(note("n1", "acme", "2026-01-03T00:00:00Z", "better words"), "2026-01-04T00:00:00Z")),
        Item::Record(dated(note("n2", "acme", "2026-01-03T00:00:00Z", "to be deleted"), "2026-01-03T00:00:00Z")),
        Item::Record(json!({ "kind": "entry", "id": "n2", "deleted": true, "updated_at": "2026-01-06T00:00:00Z" })),
        Item::Mail(mail("1@c", "bob@corp.example", "jo@us.example", 10, "Outage", "")),
        Item::Mail(mail("2@u", "jo@us.example", "help@lists.us.example", 11, "Re: Outage", "In-Reply-To: <1@c>\r\n")),
        Item::Mail(mail("3@c", "ann@corp.example", "jo@us.example", 12, "Re: Outage", "References: <1@c> <2@u>\r\n")),
        Item::Mail(mail("4@u", "mia@us.example", "help@lists.us.example", 13, "Re: Outage", "References: <3@c>\r\n")),
        Item::Mail(mail("5@g", "eve@gmail.com", "jo@us.example", 14, "Hello", "")),
        Item::Mail(mail("6@c", "bob@corp.example", "jo@us.example", 15, "RE: outage", "")),
    ];
    let mut expected: Option<Value> = None;
    // A fixed generator: a failure can be repeated.
    let mut seed: u64 = 7360;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as usize) % below
    };
    let rounds: usize = std::env::var("RAPPORT_PERMUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    for round in 0..rounds {
        let mut order = items.clone();
        for _ in 0..round % 8 * 2 {
            order.push(items[random(items.len())].clone());
        }
        for i in (1..order.len()).rev() {
            order.swap(i, random(i + 1) * usize::from(round > 0) + i * usize::from(round == 0));
        }
        let app = App::spawn().await;
        for item in &order {
            match item {
                Item::Record(record) => app.add(std::slice::from_ref(record)).await,
                Item::Mail(raw) => drop(app.mail("jo", raw).await),
            }
        }
        let state = state(&app).await;
        match &expected {
            None => expected = Some(state),
            Some(expected) => assert_eq!(&state, expected, "round {round}"),
        }
    }
    println!("{rounds} orders with duplicates: one state");
}
