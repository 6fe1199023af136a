//! Each operator of the query language on a small corpus whose answers are known.

use rapport::config::ReaderFrom;
use serde_json::json;

use crate::app::{App, account, note, raw_mail};
use crate::readings::{read, spawn};

async fn filled() -> App {
    let app = App::spawn().await;
    app.add(&[
        json!({ "kind": "workspace", "us_domains": ["us.example"], "timezone": "Europe/Berlin" }),
        account("acme", "acme.example"),
        json!({ "kind": "account", "id": "c-7", "name": "Corp & Sons", "domains": ["corp.example"] }),
        note("n1", "acme", "2026-01-05T09:00:00Z", "The renewal price: they want a discount, then the usual approval of the board."),
        // In Berlin it is the first of February already.
        note("n2", "c-7", "2026-01-31T23:30:00Z", "The board gave its approval for more scanners."),
        json!({ "kind": "entry", "id": "k1", "account_id": "acme", "type": "call", "occurred_at": "2025-11-11T09:00:00Z", "subject": "Renewal talk",
            "deal_id": "d1", "recording_url": "https://rec.example/1", "participants": [{ "role": "attendee", "name": "Zoë Quist" }],
            "transcript": [{ "speaker": "Jo", "side": "us", "text": "Let us talk about scanners." }] }),
        json!({ "kind": "entry", "id": "m1", "account_id": "acme", "type": "meeting", "occurred_at": "2024-06-01T09:00:00Z", "subject": "Kickoff",
            "body": "Who does what.", "attachments": [{ "name": "warranty terms.pdf" }], "thread_id": "t9" }),
    ])
    .await;
    let quoting = "Fine with us, discounts included.\r\n\r\nOn 1 Feb 2026, Jo wrote:\r\n> the warranty is two years";
    let mail = raw_mail(
        "1@a",
        "Ann Lee <ann@acme.example>",
        "Jo <jo@us.example>",
        "Tue, 3 Feb 2026 09:12:00 +0000",
        "Renewal",
        "Cc: legal@acme.example\r\n",
        quoting,
    );
    app.mail("jo", &mail).await;
    app.settle().await;
    app
}

/// What is found, newest first, mails by the word `mail`.
async fn found(app: &App, query: &str) -> Vec<String> {
    let ids = app.found(&format!("sort=newest&q={}", urlencode(query))).await;
    ids.into_iter().map(|id| if id.starts_with("mail.") { "mail".to_owned() } else { id }).collect()
}

fn urlencode(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn each_operator_finds_what_it_says() {
    let app = filled().await;
    for (query, ids) in [
        // People.
        ("from:ann", vec!["mail"]),
        ("from:acme.example renewal", vec!["mail"]),
        ("from:jo", vec![]),
        ("to:jo@us.example", vec!["mail"]),
        ("cc:legal", vec!["mail"]),
        ("to:legal", vec![]),
        ("with:\"Ann Lee\"", vec!["mail"]),
        ("with:zoe", vec!["k1"]),
        ("with:(zoe OR legal)", vec!["mail", "k1"]),
        // Places.
        ("subject:renewal", vec!["mail", "k1"]),
        ("body:renewal", vec!["n1"]),
        ("in:quoted warranty", vec!["mail"]),
        ("in:attachment warranty", vec!["m1"]),
        ("warranty -(in:quoted years)", vec!["m1"]),
        // What an entry is and has.
        ("side:us scanners", vec!["k1"]),
        ("side:customer", vec!["mail"]),
        ("type:call,meeting", vec!["k1", "m1"]),
        ("type:email", vec!["mail"]),
        ("has:attachment", vec!["m1"]),
        ("has:recording", vec!["k1"]),
        ("has:transcript", vec!["k1"]),
        ("deal:d1", vec!["k1"]),
        ("thread:t9", vec!["m1"]),
        ("account:acme renewal", vec!["mail", "n1", "k1"]),
        ("account:\"corp & sons\"", vec!["n2"]),
        ("account:corp.example", vec!["n2"]),
        ("account:nobody", vec![]),
        ("scanners -account:acme", vec!["n2"]),
        // When: in the zone of the workspace.
        ("on:2026-02-01", vec!["n2"]),
        ("during:\"jan 2026\"", vec!["n1"]),
        ("during:2025", vec!["k1"]),
        ("before:2025", vec!["m1"]),
        ("after:2026-02", vec!["mail", "n2"]),
        ("(before:2025 OR after:2026-02-02) -nothing", vec!["mail", "m1"]),
        ("-after:2025 kickoff", vec!["m1"]),
        ("older_than:1h renewal", vec!["mail", "n1", "k1"]),
        ("newer_than:1h renewal", vec![]),
        // Words in order, near each other, as they stand.
        ("\"price want\"~2", vec!["n1"]),
        ("\"want price\"~2", vec![]),
        ("approval NEAR/4 board", vec!["n2", "n1"]),
        ("approval NEAR/2 board", vec![]),
        ("=discount", vec!["n1"]),
        ("renew* -subject:renewal", vec!["n1"]),
    ] {
        assert_eq!(found(&app, query).await, ids, "{query}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place() {
    let app = filled().await;
    for (query, position) in [("renewal has:money", 12), ("type:fax", 5), ("during:soon", 7), ("from:", 5), ("a NEAR/0 b", 7), ("subject:(a", 0)] {
        let response = app.send(&format!("/v1/search?q={}", urlencode(query))).await;
        assert_eq!(response.status().as_u16(), 400, "{query}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["code"], "bad_query", "{query}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(&format!("at character {position}")), "{query}: {body}");
    }
    assert_eq!(app.get("/v1/search?q=from:ann%20has:attachment").await["query"], "from ann and with an attachment");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_reader_finds_becomes_findable_by_itself() {
    let app = spawn(ReaderFrom::Shipped).await;
    app.add(&[
        account("acme", "acme.example"),
        json!({ "kind": "entry", "id": "e1", "account_id": "acme", "type": "email_received", "side": "customer", "occurred_at": "2026-02-01T09:00:00Z",
            "body": "Could you tell me when the second unit will be delivered?" }),
        json!({ "kind": "entry", "id": "e2", "account_id": "acme", "type": "email_received", "side": "customer", "occurred_at": "2026-02-02T09:00:00Z",
            "body": "This is terrible. Your useless sync lost all of our work again." }),
        json!({ "kind": "entry", "id": "e3", "account_id": "acme", "type": "email_sent", "side": "us", "occurred_at": "2026-02-03T09:00:00Z",
            "body": "I will send you the signed contract by Friday." }),
        json!({ "kind": "entry", "id": "e4", "account_id": "acme", "type": "email_received", "side": "customer", "occurred_at": "2026-02-04T09:00:00Z",
            "body": "We cannot afford 800 dollars a month, that is far too expensive for us." }),
        json!({ "kind": "entry", "id": "e5", "account_id": "acme", "type": "email_received", "side": "customer", "occurred_at": "2026-02-05T09:00:00Z",
            "body": "The budget for twenty licences has been approved." }),
    ])
    .await;
    read(&app).await;
    app.settle().await;
    for (query, id) in [("has:question", "e1"), ("sentiment:<-0.3", "e2"), ("has:commitment", "e3"), ("has:objection", "e4"), ("has:signal", "e5")] {
        let ids = found(&app, query).await;
        assert!(ids.contains(&id.to_owned()), "{query}: {ids:?}");
    }
    assert_eq!(found(&app, "has:commitment type:email_received").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_query_is_completed_as_it_is_typed() {
    let app = filled().await;
    app.add(&[json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann Lee", "emails": ["ann@acme.example"] })]).await;
    for (typed, start, expected) in [
        ("ren", 0, "renewal"),
        ("price fr", 6, "from:"),
        ("price -has:qu", 7, "has:question"),
        ("type:call,mee", 0, "type:call,meeting"),
        ("during:\"last q", 0, "during:\"last quarter\""),
        ("account:cor", 0, "account:\"Corp & Sons\""),
        ("(from:le", 1, "from:\"Ann Lee\""),
        ("subject:kick", 0, "subject:kickoff"),
    ] {
        let body = app.get(&format!("/v1/search/suggest?q={}", urlencode(typed))).await;
        assert_eq!(body["start"], start, "{typed}: {body}");
        assert!(body["items"].as_array().unwrap().iter().any(|item| item["text"] == expected), "{typed}: {body}");
        // Whatever it offers for an operator can be asked.
        if let Some(item) = body["items"].as_array().unwrap().iter().find(|item| item["means"].is_null()) {
            app.get(&format!("/v1/search?q={}", urlencode(&format!("scanners {}", item["text"].as_str().unwrap())))).await;
        }
    }
    assert_eq!(app.problem(&format!("/v1/search/suggest?q={}", "a".repeat(1_025))).await.0, 400);
}

#[tokio::test]
async fn an_empty_answer_says_what_keeps_entries_out() {
    let app = filled().await;
    let body = app.get("/v1/search?q=renewal%20has:attachment&account=acme&type=call,email_received").await;
    assert_eq!(body["total"], 0, "{body}");
    assert_eq!(body["excluded"], json!([{ "by": "with an attachment", "entries": 2 }]), "{body}");
    let body = app.get("/v1/search?q=kickoff&from=2025-01-01T00:00:00Z").await;
    assert_eq!(body["excluded"], json!([{ "by": "kickoff", "entries": 4 }, { "by": "from and to", "entries": 1 }]), "{body}");
    assert!(app.get("/v1/search?q=nowhere").await["excluded"].is_null());
    assert!(app.get("/v1/search?q=renewal").await["excluded"].is_null());
}

#[tokio::test]
async fn of_two_that_say_the_same_the_newer_comes_first() {
    let app = App::spawn().await;
    app.add(&[
        account("acme", "acme.example"),
        note("old", "acme", "2019-01-05T09:00:00Z", "the depot"),
        note("new", "acme", "2026-01-05T09:00:00Z", "the depot"),
    ])
    .await;
    app.add(&[note("more", "acme", "2024-01-05T09:00:00Z", "depot, depot and depot")]).await;
    app.settle().await;
    assert_eq!(app.found("q=depot").await, ["more", "new", "old"], "gently: who says more of it is still first");
}

#[tokio::test]
async fn forms_come_behind_the_word_and_other_spellings_last() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    let said = |id: &str, text: &str| note(id, "acme", "2026-01-05T09:00:00Z", text);
    app.add(&[
        said("form", "Three invoices, invoices, invoices."),
        said("word", "About the weather of that week, of which nobody says anything more than the usual: one invoice."),
        said("other", "Nothing of that kind."),
        said("c1", "calibration"),
        said("c2", "calibration"),
        said("c3", "the calibration"),
    ])
    .await;
    app.settle().await;
    assert_eq!(app.found("q=invoice").await, ["word", "form"]);
    assert_eq!(app.found("q=%3Dinvoice").await, ["word"]);
    assert_eq!(app.found("q=%22invoice%22").await, ["word"]);
    // Nobody wrote it so; what was meant is marked.
    let body = app.get("/v1/search?q=calibrtaion").await;
    assert_eq!(body["total"], 3, "{body}");
    assert!(body["hits"][0]["snippet"].as_str().unwrap().contains("<mark>calibration</mark>"), "{body}");
    assert_eq!(app.found("q=%3Dcalibrtaion").await, Vec::<String>::new());
    // What is excluded is what is written.
    assert_eq!(app.found("q=invoice%20-invoices").await, ["word"]);
    assert!(app.get("/v1/search?q=invoices").await["hits"][1]["snippet"].as_str().unwrap().contains("<mark>invoice</mark>"));
}

#[tokio::test]
async fn a_competitor_is_found_by_any_of_its_names() {
    let app = App::spawn().await;
    app.add(&[
        account("acme", "acme.example"),
        json!({ "kind": "competitor", "id": "h", "name": "HackRF", "aliases": ["Great Scott Gadgets", "GSG"], "domains": [] }),
        note("n1", "acme", "2026-01-01T09:00:00Z", "They compare us with Great Scott Gadgets."),
        note("n2", "acme", "2026-01-02T09:00:00Z", "A hackrf would do."),
        note("n3", "acme", "2026-01-03T09:00:00Z", "What a great gadget."),
    ])
    .await;
    app.settle().await;
    assert_eq!(app.found("q=gsg&sort=newest").await, ["n2", "n1"]);
    assert_eq!(app.found("q=HackRF&sort=newest").await, ["n2", "n1"]);
    assert_eq!(app.found("q=%3Dhackrf").await, ["n2"]);
    assert_eq!(app.get("/v1/search?q=gsg").await["query"], "gsg or \"great scott gadgets\" or exactly hackrf");
}

/// The README's search page has a line for each operator.
#[test]
fn the_readme_names_each_operator() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    for operator in &rapport::index::query::operator::OPERATORS {
        assert!(readme.contains(&format!("`{}:", operator.name)), "{} is missing", operator.name);
    }
}

#[tokio::test]
async fn hostile_queries_are_refused_or_answered_and_the_server_lives() {
    let app = filled().await;
    let words = |count: usize| vec!["a"; count].join(" ");
    let nested = format!("{}a{}", "(".repeat(20), ")".repeat(20));
    for (query, status) in [
        (nested.as_str(), 200),
        (&"(".repeat(20), 400),
        (&"(+".repeat(20), 400),
        (&"(".repeat(800), 400),
        (&"(".repeat(5_000), 400),
        (&"NOT ".repeat(3_000), 400),
        (&vec!["a"; 2_000].join(" OR "), 400),
        (&format!("\"{}\"~1000", words(100)), 400),
        (&format!("\"{}\"~100", words(20)), 200),
        ("/.*a.{30}/", 200),
        ("a*", 400),
        ("scanners tenant:other", 200),
        (") OR (", 400),
        ("a\0b", 400),
        ("subject:subject:subject:", 200),
        ("from:(from:(from:(a)))", 200),
        ("\u{202e}scanners\u{feff}", 200),
    ] {
        let response = app.send(&format!("/v1/search?q={}", urlencode(query))).await;
        assert_eq!(response.status().as_u16(), status, "{}: {}", &query[..query.len().min(60)], response.text().await.unwrap());
    }
    for raw in ["q=%ed%a0%80", "q=%c0%af", "q=a&offset=1000000", "q=a&cursor=x", "q=a&limit=101"] {
        assert_eq!(app.problem(&format!("/v1/search?{raw}")).await.0, 400, "{raw}");
    }
    assert_eq!(app.found("q=scanners").await.len(), 2);
}
