//! Mail that lies about its sender, or says the same a thousand times, is kept and shown for what it is.

use serde_json::{Value, json};

use crate::app::{App, account, raw_mail};

async fn ready() -> App {
    let app = App::spawn().await;
    app.add(&[json!({ "kind": "workspace", "us_domains": ["us.example"] }), account("acme", "acme.example")]).await;
    app
}

fn mail(id: &str, from: &str, on: u32, headers: &str, body: &str) -> String {
    raw_mail(id, from, "Ann <ann@acme.example>, jo@us.example", &format!("{on} Feb 2026 09:00:00 +0000"), &format!("About {id}"), headers, body)
}

/// Entries by subject: type, side, flags.
async fn timeline(app: &App) -> Vec<Value> {
    let timeline = app.get("/v1/accounts/acme/timeline?limit=100").await;
    timeline["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_forged_sender_is_nobody_and_says_nothing() {
    let app = ready().await;
    let failed = "Authentication-Results: mx.acme.example; spf=fail (no (nested) match) smtp.mailfrom=evil.example;\r\n dkim=none; dmarc=fail action=none header.from=us.example\r\n";
    let passed = "Authentication-Results: mx.acme.example; dkim=pass header.d=us.example; spf=softfail; dmarc=pass\r\nAuthentication-Results: evil.example; dmarc=fail\r\n";
    let listed = "Authentication-Results: mx.acme.example; dkim=fail; dmarc=fail; arc=pass\r\n";
    for (id, from, headers) in [
        ("forged", "Jo <jo@us.example>", failed),
        ("named", "\"Jo (jo@us.example)\" <jo.us@evil.example>", ""),
        ("spf", "Ann <ann@acme.example>", "Received-SPF: Fail (evil.example is not allowed)\r\n"),
        ("true", "Jo <jo@us.example>", passed),
        ("list", "Ann <ann@acme.example>", listed),
        ("plain", "Ann <ann@acme.example>", "Received-SPF: softfail\r\n"),
    ] {
        app.mail("inbox", &mail(id, from, 3, headers, &format!("We will pay the invoice number {id} on Friday."))).await;
    }
    let seen: Vec<(String, Value, Value, Value)> = timeline(&app)
        .await
        .into_iter()
        .map(|e| (e["subject"].as_str().unwrap().replace("About ", ""), e["type"].clone(), e["side"].clone(), e["flags"].clone()))
        .collect();
    let doubted = json!(["unverified_sender"]);
    let expected = [
        ("forged", json!("email_received"), Value::Null, doubted.clone()),
        ("spf", json!("email_received"), Value::Null, doubted.clone()),
        ("true", json!("email_sent"), json!("us"), json!([])),
        ("list", json!("email_received"), json!("customer"), json!([])),
        ("plain", json!("email_received"), json!("customer"), json!([])),
    ];
    for (id, r#type, side, flags) in expected {
        assert!(seen.contains(&(id.to_owned(), r#type, side, flags)), "{id}: {seen:?}");
    }
    // The stranger behind the name is nobody's customer, and waits.
    assert_eq!(seen.len(), 5, "{seen:?}");
    let waiting = app.get("/v1/unmatched").await;
    assert_eq!(waiting["items"][0]["domain"], "evil.example", "{waiting}");
    app.settle().await;
    let summary = app.get("/v1/accounts/acme/summary").await;
    assert_eq!(summary["coverage"]["total"], 3, "{summary}");
    assert!(!summary.to_string().contains("number forged"), "{summary}");
}

#[tokio::test]
async fn near_equal_mails_of_a_week_count_once_in_any_order() {
    let complaint = |ticket: u32| {
        format!(
            "We are very unhappy with the service of the last three weeks: ticket {ticket} is still open, nobody called back,\r\n\
             and the machine in hall two stands still. Please tell us today what you are going to do about it."
        )
    };
    let ann = "Ann <ann@acme.example>";
    let mails = [
        mail("first", ann, 3, "", &complaint(1)),
        mail("again", ann, 5, "", &complaint(2)),
        mail("chain", ann, 11, "", &complaint(3)),
        mail("later", ann, 20, "", &complaint(4)),
        mail("other", "Bob <bob@acme.example>", 4, "", &complaint(5)),
        mail("thanks-1", ann, 6, "", "Thanks, Jo!"),
        mail("thanks-2", ann, 7, "", "Thanks, Jo!"),
    ];
    for order in [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [1, 3, 6, 0, 2, 4, 5]] {
        let app = ready().await;
        for at in order {
            app.mail("inbox", &mails[at]).await;
        }
        let repeated: Vec<String> = timeline(&app)
            .await
            .iter()
            .filter(|e| e["flags"] == json!(["repeated"]))
            .map(|e| e["subject"].as_str().unwrap().replace("About ", ""))
            .collect();
        assert_eq!(repeated, ["chain", "again"], "{order:?}");
    }
}

#[tokio::test]
async fn what_repeated_a_deleted_mail_counts_again() {
    let app = ready().await;
    let words = "Please cancel our contract by the end of this quarter and confirm in writing, as agreed in the meeting of last Tuesday.";
    app.mail("inbox", &mail("first", "Ann <ann@acme.example>", 3, "", words)).await;
    app.mail("inbox", &mail("again", "Ann <ann@acme.example>", 4, "", words)).await;
    let entries = timeline(&app).await;
    assert_eq!((&entries[0]["flags"], &entries[1]["flags"]), (&json!(["repeated"]), &json!([])));
    app.add(&[json!({ "kind": "entry", "id": entries[1]["id"], "deleted": true })]).await;
    assert_eq!(timeline(&app).await[0]["flags"], json!([]));
}

#[tokio::test]
async fn nothing_is_counted_twice_when_an_account_appears_later() {
    let app = App::spawn().await;
    app.add(&[json!({ "kind": "workspace", "us_domains": ["us.example"] })]).await;
    let words = "Please cancel our contract by the end of this quarter and confirm in writing, as agreed in the meeting of last Tuesday.";
    for (id, on) in [("second", 4), ("first", 3), ("third", 5)] {
        app.mail("inbox", &mail(id, "Ann <ann@acme.example>", on, "", words)).await;
    }
    app.add(&[account("acme", "acme.example")]).await;
    app.settle().await;
    let flags: Vec<Value> = timeline(&app).await.iter().map(|e| e["flags"].clone()).collect();
    assert_eq!(flags, [json!(["repeated"]), json!(["repeated"]), json!([])]);
}

#[tokio::test]
async fn mail_of_programs_says_why_it_does_not_count() {
    let app = ready().await;
    let invitation = "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n";
    let parts = "--b\r\nContent-Type: text/plain\r\n\r\nWhen: Friday 10:00\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n--b--\r\n";
    for (id, headers, body, reason) in [
        ("invitation", invitation, parts, "calendar"),
        ("away", "Auto-Submitted: auto-replied\r\n", "I am away.", "auto_reply"),
        ("news", "List-Unsubscribe: <https://acme.example/u>\r\n", "Our news.", "newsletter"),
        ("bounce", "Content-Type: multipart/report; boundary=b\r\n", "--b\r\n\r\nNo such user.\r\n--b--\r\n", "bounce"),
    ] {
        let taken = app.mail("inbox", &mail(id, "Ann <ann@acme.example>", 3, headers, body)).await;
        let entry = app.get(&format!("/v1/entries/{}", taken["id"].as_str().unwrap())).await;
        assert_eq!(entry["automatic"], reason, "{entry}");
        assert!(entry["spans"].as_array().unwrap().iter().all(|span| span["kind"] == "automatic"), "{entry}");
    }
}

#[tokio::test]
async fn each_span_says_its_language() {
    let app = ready().await;
    let body = "Vielen Dank für das schnelle Angebot, wir prüfen es bis Freitag.\r\n\r\nAm 02.02.2026 um 10:00 schrieb Jo <jo@us.example>:\r\n> Please find our quotation for the twelve pumps attached.\r\n";
    let taken = app.mail("inbox", &mail("spans", "Ann <ann@acme.example>", 3, "", body)).await;
    let entry = app.get(&format!("/v1/entries/{}", taken["id"].as_str().unwrap())).await;
    let spans: Vec<(&Value, &Value)> = entry["spans"].as_array().unwrap().iter().map(|s| (&s["kind"], &s["language"])).collect();
    assert_eq!(spans, [(&json!("new"), &json!("de")), (&json!("quoted"), &json!("en"))]);
}
