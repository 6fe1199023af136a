//! A person who is erased is in no answer any more, in no byte on the disk, and does not come back.

use std::path::Path;

use base64::Engine;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{App, account, note, problem, raw_mail};

/// Words that stand nowhere but with the person who is erased.
const NAME: &str = "Zyxwora Quibblex";
const ADDRESS: &str = "zyx.quibblex@acme.example";
const SAID: &str = "flumadiddle";
pub const CANARIES: [&str; 4] = ["zyxwora", "quibblex", "flumadiddle", "gobbledegook"];

fn mails() -> Vec<String> {
    let said = format!("Our {SAID} budget is approved for the depots.");
    let attachment = base64::engine::general_purpose::STANDARD.encode("gobbledegook figures");
    let with_file = format!(
        "Message-ID: <1@acme>\r\nFrom: {NAME} <{ADDRESS}>\r\nTo: jo@us.example, bob@acme.example\r\nDate: Tue, 3 Feb 2026 09:12:00 +0000\r\nSubject: The {SAID} plan\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{said}\r\n--b\r\nContent-Type: text/plain; name=\"quibblex.txt\"\r\nContent-Disposition: attachment; filename=\"quibblex.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attachment}\r\n--b--\r\n"
    );
    let answer = raw_mail(
        "2@us",
        "Jo <jo@us.example>",
        &format!("{NAME} <{ADDRESS}>, Bob <bob@acme.example>"),
        "Wed, 4 Feb 2026 09:12:00 +0000",
        "Re: The plan",
        "In-Reply-To: <1@acme>\r\n",
        &format!("Thank you both, we deliver in March.\r\n\r\nOn Tuesday {NAME} wrote:\r\n> {said}\r\n"),
    );
    let between_us = raw_mail(
        "3@us",
        "jo@us.example",
        &format!("{NAME} <{ADDRESS}>"),
        "Thu, 5 Feb 2026 09:12:00 +0000",
        "Lunch",
        "",
        "See you at noon, quibblex.",
    );
    vec![with_file, answer, between_us]
}

fn records() -> Vec<Value> {
    vec![
        json!({ "kind": "workspace", "us_domains": ["us.example"] }),
        account("acme", "acme.example"),
        json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": NAME, "title": "CFO", "emails": [ADDRESS] }),
        json!({ "kind": "contact", "id": "c2", "account_id": "acme", "name": "Bob Low", "emails": ["bob@acme.example"], "reports_to_id": "c1" }),
        json!({ "kind": "deal", "id": "d1", "account_id": "acme", "name": "Depots", "stage": "Proposal", "next_step": format!("call {NAME}"), "created_at": "2026-01-01T00:00:00Z" }),
        json!({ "kind": "ticket", "id": "t1", "account_id": "acme", "contact_id": "c1", "subject": SAID, "body": "gobbledegook", "status": "open", "created_at": "2026-01-05T00:00:00Z" }),
        note("n1", "acme", "2026-01-06T09:00:00Z", &format!("{NAME} asked for a price; Bob agreed.")),
        json!({ "kind": "entry", "id": "call1", "account_id": "acme", "type": "call", "occurred_at": "2026-01-07T09:00:00Z", "transcript": [
            { "speaker": NAME, "email": ADDRESS, "text": format!("The {SAID} is ours.") },
            { "speaker": "Bob Low", "email": "bob@acme.example", "text": "I agree with Zyxwora Quibblex about March." }] }),
    ]
}

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260110T090000Z\r\nDTEND:20260110T100000Z\r\nSUMMARY:Review with Zyxwora Quibblex\r\nATTENDEE;CN=Zyxwora Quibblex:mailto:zyx.quib\r\n blex@acme.example\r\nATTENDEE;CN=Bob Low:mailto:bob@acme.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

pub async fn bring(app: &App) -> Vec<String> {
    let mut outcomes: Vec<String> = app.post(&records()).await.iter().map(|o| o["status"].as_str().unwrap().to_owned()).collect();
    for mail in mails() {
        outcomes.push(app.mail("jo", &mail).await["status"].as_str().unwrap().to_owned());
    }
    let response = app.request(Method::POST, "/v1/calendars?account=acme").body(CALENDAR).send().await.unwrap();
    outcomes.extend(response.json::<Value>().await.unwrap()["items"].as_array().unwrap().iter().map(|o| o["status"].as_str().unwrap().to_owned()));
    app.settle().await;
    outcomes
}

/// Everything that callers can read.
pub async fn every_answer(app: &App) -> String {
    let mut paths: Vec<String> = [
        "/v1/accounts",
        "/v1/accounts/acme",
        "/v1/accounts/acme/360",
        "/v1/accounts/acme/timeline?limit=100",
        "/v1/accounts/acme/timeline?group=type",
        "/v1/contacts",
        "/v1/unmatched",
        "/v1/accounts/acme/summary",
        "/v1/accounts/acme/summary/versions",
        "/v1/jobs",
        "/v1/workspace",
        "/v1/erasures",
        "/v1/audit",
        "/v1/search?q=march&facets=true&limit=100",
        "/v1/search?q=depots%20OR%20price%20OR%20agree&facets=true",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(CANARIES.iter().map(|canary| format!("/v1/search?q={canary}&facets=true")));
    let timeline = app.get("/v1/accounts/acme/timeline?limit=100").await;
    for entry in timeline["items"].as_array().unwrap() {
        let id = entry["id"].as_str().unwrap();
        paths.push(format!("/v1/entries/{id}"));
        paths.push(format!("/v1/entries/{id}/attachments/0/text"));
    }
    let mut answers = String::new();
    for path in paths {
        answers.push_str(
            &app.send(&path)
                .await
                .text()
                .await
                .unwrap()
                .replace(&format!("\"query\":\"{}\"", path.split("q=").nth(1).unwrap_or("-").split('&').next().unwrap()), ""),
        );
        answers.push('\n');
    }
    answers.to_lowercase()
}

/// Files under a folder that hold a canary, in upper or lower case or in base64.
pub fn files_with(folder: &Path, found: &mut Vec<String>) {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text).trim_end_matches('=').to_owned().into_bytes();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, found);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let lower = bytes.to_ascii_lowercase();
        for canary in CANARIES {
            let plain = lower.windows(canary.len()).any(|w| w == canary.as_bytes());
            let base64 = encode(canary);
            let encoded = bytes.windows(base64.len() - 1).any(|w| w == &base64[..base64.len() - 1]);
            if plain || encoded {
                found.push(format!("{canary} in {}", path.display()));
            }
        }
    }
}

pub async fn erase(app: &App) -> Value {
    let response = app.request(Method::DELETE, "/v1/contacts/c1?erase=true").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

#[tokio::test]
async fn an_erased_person_is_in_no_answer_and_in_no_byte_and_stays_away() {
    let app = App::spawn().await;
    bring(&app).await;
    let before = every_answer(&app).await;
    for canary in CANARIES {
        assert!(before.contains(canary), "{canary} is there to be erased");
    }
    let asked = problem(app.request(Method::DELETE, "/v1/contacts/c1").send().await.unwrap()).await;
    assert!(asked.0 == 400 && asked.1["detail"].as_str().unwrap().contains("erase=true"));
    assert_eq!(app.request(Method::DELETE, "/v1/contacts/nobody?erase=true").send().await.unwrap().status(), 404);

    let receipt = erase(&app).await;
    let after = every_answer(&app).await;
    for canary in CANARIES {
        assert!(!after.contains(canary), "{canary} at once: {}", after.lines().find(|line| line.contains(canary)).unwrap());
    }
    // The mail of hers, the one to her alone, her ticket's and her own entry go; the rest stays without her.
    assert_eq!((&receipt["entries_deleted"], &receipt["entries_redacted"]), (&json!(4), &json!(4)), "{receipt}");
    assert_eq!((&receipt["records_deleted"], &receipt["records_redacted"]), (&json!(2), &json!(1)), "{receipt}");
    let answer = app.found("q=deliver").await;
    assert_eq!(answer.len(), 1, "what others said is still found");
    let body = app.get(&format!("/v1/entries/{}", answer[0])).await["body"].as_str().unwrap().to_owned();
    assert!(body.starts_with("Thank you both, we deliver in March.") && body.contains("█"), "{body}");

    app.settle().await;
    let receipt = app.get(&format!("/v1/erasures/{}", receipt["id"].as_str().unwrap())).await;
    assert!(receipt["purged_at"].is_string(), "{receipt}");
    let summary = app.get("/v1/accounts/acme/summary").await;
    assert!(!summary["paragraphs"].as_array().unwrap().is_empty(), "it was written anew: {summary}");
    let mut found = Vec::new();
    files_with(app.directory.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");

    // The same data again: what went stays away, what stayed is nothing new.
    let outcomes = bring(&app).await;
    assert!(!outcomes.contains(&"added".to_owned()), "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|o| *o == "rejected").count(), 2, "the contact and the ticket: {outcomes:?}");
    let again = every_answer(&app).await;
    for canary in ["quibblex", "flumadiddle", "gobbledegook"] {
        assert!(!again.contains(canary), "{canary} came back: {}", again.lines().find(|line| line.contains(canary)).unwrap());
    }
    // Under another id, without a date: the address is known.
    let other = json!({ "kind": "contact", "id": "c9", "account_id": "acme", "name": NAME, "emails": [ADDRESS] });
    assert_eq!(app.post(std::slice::from_ref(&other)).await[0]["status"], "rejected");
    // From another mailbox, a mail of hers from before that nobody had seen.
    let unseen = raw_mail("9@acme", ADDRESS, "jo@us.example", "Fri, 6 Feb 2026 09:12:00 +0000", "More", "", "more flumadiddle");
    assert_eq!(app.mail("mia", &unseen).await["status"], "unchanged");
    // Whoever writes after the erasure is a new acquaintance.
    app.set_now("2026-04-01T09:00:00Z");
    let later = raw_mail("10@acme", ADDRESS, "jo@us.example", "Wed, 1 Apr 2026 08:00:00 +0000", "Hello again", "", "I am back");
    assert_eq!(app.mail("jo", &later).await["status"], "added");
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_goes_on_after_a_start() {
    let app = App::spawn().await;
    bring(&app).await;
    let receipt = erase(&app).await;
    let directory = app.stop().await;
    let app = App::spawn_in(directory).await;
    // What was cut off waits for its next try.
    app.set_now("2026-03-02T12:10:00Z");
    app.settle().await;
    let receipt = app.get(&format!("/v1/erasures/{}", receipt["id"].as_str().unwrap())).await;
    assert!(receipt["purged_at"].is_string(), "{receipt}");
    let mut found = Vec::new();
    files_with(app.directory.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn the_person_goes_wherever_they_are_and_nobody_else_does() {
    let app = App::spawn().await;
    bring(&app).await;
    app.add(&[
        account("beta", "beta.example"),
        // Others whose address or name is a piece of hers, or hers a piece of theirs.
        json!({ "kind": "contact", "id": "c3", "account_id": "acme", "name": "Cy", "emails": ["the.zyx.quibblex@acme.example", "zyx.quibblex@acme.example.org"] }),
        json!({ "kind": "contact", "id": "c4", "account_id": "beta", "name": NAME, "emails": ["namesake@beta.example"] }),
        // The same person under another id, and in another account's words, records and earlier versions.
        json!({ "kind": "contact", "id": "c5", "account_id": "beta", "name": "Z. Quibblex", "emails": [ADDRESS] }),
        note("n2", "beta", "2026-01-08T09:00:00Z", &format!("forwarded to {ADDRESS}; flumadiddle stays a word")),
        json!({ "kind": "ticket", "id": "t2", "account_id": "beta", "contact_id": "c1", "subject": "gobbledegook", "status": "open", "created_at": "2026-01-05T00:00:00Z" }),
        json!({ "kind": "deal", "id": "d2", "account_id": "beta", "name": "Ports", "stage": "Proposal", "next_step": format!("write to {ADDRESS}"), "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z" }),
        json!({ "kind": "deal", "id": "d2", "account_id": "beta", "name": "Ports", "stage": "Won", "next_step": "nothing", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-03T00:00:00Z" }),
    ])
    .await;
    app.settle().await;
    erase(&app).await;
    app.settle().await;
    let contacts = app.get("/v1/contacts?limit=100").await.to_string();
    assert!(contacts.contains("the.zyx.quibblex@acme.example") && contacts.contains("zyx.quibblex@acme.example.org"), "{contacts}");
    assert!(contacts.contains("namesake@beta.example") && contacts.contains(NAME), "a namesake stays: {contacts}");
    assert!(!contacts.contains("\"id\":\"c1\"") && !contacts.contains("\"id\":\"c5\""), "{contacts}");
    let note = app.get("/v1/entries/n2").await;
    assert!(note["body"].as_str().unwrap().starts_with("forwarded to ████") && note["body"].as_str().unwrap().contains("stays a word"), "{note}");
    assert_eq!(app.get("/v1/accounts/beta/360").await["sections"]["tickets"]["state"], "empty");
    let mut found = Vec::new();
    files_with(app.directory.path(), &mut found);
    // Of the words that are looked for, the namesake, the others' addresses and the word in the note may stay in the database.
    let mut tx = app.service.store.read(app.workspace).await.unwrap();
    for (kind, id) in [("deal", "d2"), ("deal", "d1")] {
        for (_, _, body) in rapport::store::erasure::versions(app.workspace, &mut tx, kind, id).await.unwrap() {
            assert!(!body.contains(ADDRESS) && !body.contains(NAME), "{kind} {id}: {body}");
        }
    }
    drop(tx);
    // Sent again with other words: what is known by address stays out.
    let call = json!({ "kind": "entry", "id": "call1", "account_id": "acme", "type": "call", "occurred_at": "2026-01-07T09:00:00Z", "subject": "Renamed", "transcript": [
        { "speaker": NAME, "email": ADDRESS, "text": "The flumadiddle is ours." },
        { "speaker": "Bob Low", "email": "bob@acme.example", "text": "I agree with Zyxwora Quibblex about March." }] });
    app.add(&[call]).await;
    let later = CALENDAR.replace("DTSTAMP:20260101", "DTSTAMP:20260301");
    let response = app.request(Method::POST, "/v1/calendars?account=acme").body(later).send().await.unwrap();
    assert!(response.status().is_success());
    app.settle().await;
    let acme = app.get("/v1/accounts/acme/timeline?limit=100").await.to_string().to_lowercase();
    for canary in ["zyxwora", "flumadiddle"] {
        assert!(!acme.contains(canary), "{canary}: {acme}");
    }
    let mut tx = app.service.store.read(app.workspace).await.unwrap();
    let events = rapport::store::erasure::events(app.workspace, &mut tx).await.unwrap();
    assert!(events.iter().all(|(_, _, ics)| !ics.to_lowercase().contains("zyx")), "{events:?}");
}
