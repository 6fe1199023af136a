//! Each source over HTTP: what goes in, whose it becomes, what is refused, and that a refusal changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, account, problem, raw_mail};

const CALL: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\n<v Jo Kern>Uhm, what is holding you back?\n\n\
    00:00:03.000 --> 00:00:05.000\n<v Ann Lee>The price of the skanner, to be honest.\n\n\
    00:00:05.000 --> 00:00:06.000\n<v Ann Lee>It is too high.\n\n00:00:07.000 --> 00:00:09.000\n<v Speaker 3>I agree.\n";

async fn app() -> App {
    let app = App::spawn().await;
    app.add(&[
        json!({ "kind": "workspace", "us_domains": ["us.example"] }),
        json!({ "kind": "team_member", "id": "u1", "name": "Jo Kern", "email": "jo@us.example" }),
        account("acme", "acme.example"),
        json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann Lee", "emails": ["ann@acme.example"] }),
    ])
    .await;
    app
}

impl App {
    async fn put(&self, path: &str, body: &str) -> (u16, Value) {
        let response = self.request(Method::POST, path).body(body.to_owned()).send().await.expect("an answer");
        match response.status().as_u16() {
            status if status < 400 => (status, response.json().await.expect("JSON")),
            _ => problem(response).await,
        }
    }

    async fn correct(&self, id: &str, correction: &Value) -> (u16, Value) {
        let response = self
            .request(Method::PATCH, &format!("/v1/entries/{id}/transcript"))
            .header("if-match", "*")
            .json(correction)
            .send()
            .await
            .expect("an answer");
        match response.status().as_u16() {
            status if status < 400 => (status, response.json().await.expect("JSON")),
            _ => problem(response).await,
        }
    }

    /// Entries in all accounts, as a measure of whether anything came in.
    async fn timeline(&self, account: &str) -> Vec<Value> {
        self.get(&format!("/v1/accounts/{account}/timeline?limit=100")).await["items"].as_array().unwrap().clone()
    }
}

fn turns(entry: &Value) -> Vec<(&str, &str, f64, &str)> {
    let list = entry["transcript"].as_array().unwrap().iter();
    list.map(|t| {
        (t["speaker"].as_str().unwrap_or("-"), t["side"].as_str().unwrap_or("-"), t["start"].as_f64().unwrap_or(-1.0), t["text"].as_str().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn a_transcript_makes_a_call_whose_people_say_whose_it_is() {
    let app = app().await;
    let (status, taken) = app.put("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z&title=Price%20talk", CALL).await;
    assert_eq!((status, taken["status"].as_str()), (201, Some("added")), "{taken}");
    let id = taken["id"].as_str().unwrap();
    let entry = app.get(&format!("/v1/entries/{id}")).await;
    assert_eq!((entry["account_id"].as_str(), entry["subject"].as_str()), (Some("acme"), Some("Price talk")));
    assert_eq!(
        turns(&entry),
        [
            ("Jo Kern", "us", 1.0, "Uhm, what is holding you back?"),
            ("Ann Lee", "customer", 3.0, "The price of the skanner, to be honest. It is too high."),
            ("Speaker 3", "-", 7.0, "I agree."),
        ]
    );
    assert_eq!(app.put("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z&title=Price%20talk", CALL).await.1["status"], "unchanged");
    app.settle().await;
    let hit = &app.get("/v1/search?q=%22too+high%22").await["hits"][0];
    assert_eq!((hit["segment"].as_u64(), hit["speaker"].as_str(), hit["side"].as_str()), (Some(1), Some("Ann Lee"), Some("customer")));
}

#[tokio::test]
async fn a_transcript_attaches_to_the_meeting_that_was_planned() {
    let app = app().await;
    app.add(&[
        json!({ "kind": "entry", "id": "m1", "account_id": "acme", "type": "meeting", "occurred_at": "2026-02-03T09:00:00Z", "subject": "Kick-off" }),
    ])
    .await;
    let (status, taken) = app.put("/v1/transcripts?entry=m1", CALL).await;
    assert_eq!((status, taken["id"].as_str(), taken["status"].as_str()), (200, Some("m1"), Some("updated")), "{taken}");
    let entry = app.get("/v1/entries/m1").await;
    assert_eq!((entry["type"].as_str(), entry["subject"].as_str(), turns(&entry).len()), (Some("meeting"), Some("Kick-off"), 3));
    assert_eq!(app.put("/v1/transcripts?entry=nobody", CALL).await.0, 404);
    assert_eq!(app.put("/v1/transcripts?entry=m1&account=acme", CALL).await.1["code"], "bad_parameter");
}

#[tokio::test]
async fn a_corrected_transcript_says_what_changed_and_what_rests_on_it() {
    let app = app().await;
    let (_, taken) = app.put("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z", CALL).await;
    let id = taken["id"].as_str().unwrap().to_owned();
    app.settle().await;
    let correction = json!({
        "speakers": { "Speaker 3": { "name": "Bo Fox", "email": "bo@acme.example" } },
        "segments": { "1": { "text": "The price of the scanner, to be honest. It is too high." } },
    });
    let (status, corrected) = app.correct(&id, &correction).await;
    assert_eq!(status, 200, "{corrected}");
    let mut changes: Vec<String> =
        corrected["changes"].as_array().unwrap().iter().map(|c| format!("{} {}", c["segment"], c["field"].as_str().unwrap())).collect();
    changes.sort();
    assert_eq!(changes, ["1 text", "2 email", "2 side", "2 speaker"]);
    assert_eq!(corrected["summary_refresh"], true);
    let entry = app.get(&format!("/v1/entries/{id}")).await;
    assert_eq!(turns(&entry)[2], ("Bo Fox", "customer", 7.0, "I agree."));
    app.settle().await;
    assert_eq!((app.found("q=scanner").await, app.found("q=%3Dskanner").await.len()), (vec![id.clone()], 0));
    // The same correction has nothing left to change; wrong ones change nothing.
    let again = json!({ "segments": { "1": { "text": "The price of the scanner, to be honest. It is too high." } } });
    assert_eq!(app.correct(&id, &again).await.1["changes"], json!([]));
    for wrong in [
        json!({ "speakers": { "Nobody": { "name": "X" } } }),
        json!({ "segments": { "9": { "text": "x" } } }),
        json!({ "speakers": { "Bo Fox": { "email": "no address" } } }),
        json!({ "segment": {} }),
    ] {
        assert_eq!(app.correct(&id, &wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(app.correct("nobody", &again).await.0, 404);
    assert_eq!(app.get(&format!("/v1/entries/{id}")).await["transcript"], entry["transcript"]);
}

#[tokio::test]
async fn a_calendar_in_any_order_gives_one_timeline() {
    let file = |name: &str| std::fs::read_to_string(format!("fixtures/calendars/{name}.ics")).unwrap();
    let (invite, update, cancel) = (file("outlook-invite"), file("outlook-update"), file("outlook-cancel"));
    for order in [[&invite, &update], [&update, &invite]] {
        let app = App::spawn().await;
        app.add(&[json!({ "kind": "workspace", "us_domains": ["brightlane.example"] }), account("halvorsen", "halvorsen-marine.example")]).await;
        for calendar in order {
            assert_eq!(app.put("/v1/calendars", calendar).await.0, 200);
        }
        let meetings = app.timeline("halvorsen").await;
        assert_eq!(meetings.len(), 1);
        assert_eq!(
            (meetings[0]["occurred_at"].as_str(), meetings[0]["subject"].as_str()),
            (Some("2025-09-18T08:00:00Z"), Some("Halvorsen renewal, options (new time)"))
        );
        app.put("/v1/calendars", &cancel).await;
        assert!(app.timeline("halvorsen").await.is_empty());
        // The old invitation again brings nothing back.
        app.put("/v1/calendars", &invite).await;
        assert!(app.timeline("halvorsen").await.is_empty());
    }
}

#[tokio::test]
async fn accounts_of_business_domains_are_made_when_asked_for() {
    let app = app().await;
    let call = CALL.replace("<v Ann Lee>", "<v kim@new.example>").replace("Speaker 3", "pat@gmail.com");
    let (_, taken) = app.put("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z&discover_accounts=true", &call).await;
    assert_eq!(app.get(&format!("/v1/entries/{}", taken["id"].as_str().unwrap())).await["account_id"], "new.example");
    let event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260203T100000Z\nORGANIZER:mailto:jo@us.example\nATTENDEE:mailto:lee@other.example\nEND:VEVENT\nEND:VCALENDAR\n";
    app.put("/v1/calendars?discover_accounts=true", event).await;
    assert_eq!(app.timeline("other.example").await.len(), 1);
    assert_eq!(app.get("/v1/accounts").await["total"], 3, "ours and free-mail providers are no accounts");
}

#[tokio::test]
async fn tables_cards_and_chats_become_records_and_entries() {
    let app = app().await;
    let (_, taken) = app.put("/v1/tables", "First Name,Last Name,Email\nBo,Fox,bo@acme.example\nCy,Day\n").await;
    assert_eq!((taken["items"].as_array().unwrap().len(), taken["left_out"][0]["line"].as_u64()), (1, Some(3)), "{taken}");
    let mapping = "%7B%22kind%22%3A%22account%22%2C%22columns%22%3A%7B%22Wer%22%3A%22name%22%2C%22Wo%22%3A%22domains%22%7D%7D";
    let (status, taken) = app.put(&format!("/v1/tables?mapping={mapping}"), "Wer,Wo\nOther,other.example\n").await;
    assert_eq!(
        (status, taken["items"][0]["kind"].as_str(), taken["items"][0]["id"].as_str()),
        (200, Some("account"), Some("other.example")),
        "{taken}"
    );
    let (_, taken) = app.put("/v1/cards", "BEGIN:VCARD\nVERSION:3.0\nFN:Di Ray\nEMAIL:di@acme.example\nEND:VCARD\n").await;
    assert_eq!(taken["items"][0]["status"], "added", "{taken}");
    let contacts = app.get("/v1/contacts?account=acme").await;
    let mut names: Vec<&str> = contacts["items"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ann Lee", "Bo Fox", "Di Ray"]);
    let (_, taken) = app
        .put(
            "/v1/chats?account=acme",
            "12/02/2026, 10:15 - Ann Lee: Good morning\n12/02/2026, 10:16 - Jo Kern: Hello Ann\n13/02/2026, 09:00 - Ann Lee: One more\n",
        )
        .await;
    assert_eq!(taken["items"].as_array().unwrap().len(), 2, "one a day: {taken}");
    let chats: Vec<Value> = app.timeline("acme").await.into_iter().filter(|e| e["type"] == "integration_event").collect();
    assert_eq!(turns(&chats[1])[1], ("Jo Kern", "us", 60.0, "Hello Ann"));
}

#[tokio::test]
async fn unmatched_mail_finds_its_owner_by_one_call() {
    let app = app().await;
    for (id, from) in [("1@n", "kim@new.example"), ("2@n", "lee@new.example"), ("3@g", "pat@gmail.com")] {
        app.mail(
            "inbox",
            &raw_mail(id, from, "jo@us.example", "Tue, 3 Feb 2026 09:12:00 +0000", &format!("Terms {id}"), "", &format!("About the terms of {id}.")),
        )
        .await;
    }
    let waiting = app.get("/v1/unmatched").await;
    let first = &waiting["items"].as_array().unwrap().iter().find(|d| d["domain"] == "new.example").cloned().unwrap();
    assert_eq!((first["entries"].as_i64(), first["first_seen"].as_str()), (Some(2), Some("2026-02-03T09:12:00Z")), "{first}");
    let (status, assigned) = app.put("/v1/unmatched/new.example", r#"{"name":"New Ltd"}"#).await;
    assert_eq!((status, assigned["account_id"].as_str(), assigned["waiting"].as_i64()), (200, Some("new.example"), Some(2)), "{assigned}");
    let (_, person) = app.put("/v1/unmatched/gmail.com", r#"{"account_id":"acme","contact":"pat@gmail.com","contact_name":"Pat"}"#).await;
    assert_eq!(person["account_id"], "acme", "{person}");
    app.settle().await;
    assert_eq!(app.timeline("new.example").await.len(), 2);
    assert_eq!(app.timeline("acme").await.iter().filter(|e| e["type"] == "email_received").count(), 1);
    assert_eq!(app.get("/v1/unmatched").await["total"], 0);
    // Many at once: none takes back what another did.
    let many: Vec<String> = (0..12).map(|i| format!("/v1/unmatched/d{i}.example")).collect();
    let assigned = futures_util::future::join_all(many.iter().map(|path| app.put(path, r#"{"account_id":"acme"}"#))).await;
    assert!(assigned.iter().all(|(status, _)| *status == 200), "{assigned:?}");
    assert_eq!(app.get("/v1/accounts/acme").await["domains"].as_array().unwrap().len(), 13);
    app.add(&[account("gone", "gone.example"), json!({ "kind": "account", "id": "gone", "deleted": true })]).await;
    for (domain, wrong) in [
        ("gmail.com", "{}"),
        ("no domain", "{}"),
        ("left.example", r#"{"account_id":"gone"}"#),
        ("left.example", r#"{"account_id":""}"#),
        ("left.example", r#"{"name":"a\u0001"}"#),
        ("new.example", r#"{"contact":"x"}"#),
        ("new.example", "[]"),
        ("new.example", r#"{"owner":"x"}"#),
    ] {
        assert_eq!(app.put(&format!("/v1/unmatched/{domain}"), wrong).await.0, 400, "{domain} {wrong}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_reason_and_changes_nothing() {
    let app = app().await;
    app.settle().await;
    let before = *app.service.store.committed().borrow();
    for (path, body, code) in [
        ("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z", "", "bad_transcript"),
        ("/v1/transcripts?occurred_at=2026-02-03T09:00:00Z", "WEBVTT\n", "bad_transcript"),
        ("/v1/transcripts", CALL, "bad_transcript"),
        ("/v1/transcripts?occurred_at=yesterday", CALL, "bad_parameter"),
        ("/v1/transcripts?type=note&occurred_at=2026-02-03T09:00:00Z", CALL, "bad_parameter"),
        ("/v1/calendars", "Dear Sir", "bad_calendar"),
        ("/v1/calendars?acount=x", "BEGIN:VCALENDAR", "bad_parameter"),
        ("/v1/tables", "Foo,Bar\n1,2\n", "bad_table"),
        ("/v1/tables", "", "bad_table"),
        ("/v1/tables?mapping=x", "Foo,Bar\n1,2\n", "bad_parameter"),
        ("/v1/cards", "Dear Sir", "bad_cards"),
        ("/v1/chats", "Dear Sir", "bad_chat"),
    ] {
        let (status, told) = app.put(path, body).await;
        assert_eq!((status, told["code"].as_str()), (400, Some(code)), "{path}: {told}");
    }
    assert_eq!(*app.service.store.committed().borrow(), before, "nothing was written");
    assert!(app.timeline("acme").await.iter().all(|e| e["type"] == "contact_added"));
}
