//! Mail in: identity, provenance, whose it is, attachments, threads.

use reqwest::Method;
use serde_json::json;

use crate::app::{App, account, problem, raw_mail};

const DATE: &str = "Tue, 3 Feb 2026 09:12:00 +0000";

fn us() -> serde_json::Value {
    json!({ "kind": "workspace", "us_domains": ["us.example"] })
}

#[tokio::test]
async fn the_same_mail_through_three_mailboxes_is_one_entry_with_three_provenances() {
    let app = App::spawn().await;
    app.add(&[us(), account("acme", "acme.example")]).await;
    let mail = raw_mail("1@acme.example", "Ann <ann@acme.example>", "jo@us.example", DATE, "Hello", "", "It works.");
    let first = app.mail("jo", &mail).await;
    assert_eq!(first["status"], "added");
    for (mailbox, hop) in [("mia", "a"), ("archive", "b")] {
        let again = app.mail(mailbox, &format!("Received: from {hop} by mx; {DATE}\r\n{mail}")).await;
        assert_eq!((&again["status"], &again["id"]), (&json!("unchanged"), &first["id"]));
    }
    app.mail("jo", &mail).await;
    let entry = app.get(&format!("/v1/entries/{}", first["id"].as_str().unwrap())).await;
    let sources: Vec<_> = entry["provenance"].as_array().unwrap().iter().map(|p| p["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["archive", "jo", "mia"]);
    assert_eq!(
        (entry["account_id"].as_str(), entry["matched_by"].as_str(), entry["type"].as_str()),
        (Some("acme"), Some("domain"), Some("email_received"))
    );
    // The same Message-ID with other content is another mail, and says so.
    let other = app.mail("jo", &mail.replace("It works.", "It fails.")).await;
    assert_eq!(other["status"], "added");
    let other = app.get(&format!("/v1/entries/{}", other["id"].as_str().unwrap())).await;
    assert_eq!(other["flags"], json!(["message_id_reused"]));
    assert_eq!(app.get("/v1/accounts/acme/timeline").await["total"], 2);
}

#[tokio::test]
async fn unmatched_mail_waits_by_domain_and_joins_when_account_or_contact_appears() {
    let app = App::spawn().await;
    app.add(&[us()]).await;
    app.mail("jo", &raw_mail("1@a", "ann@acme.example", "jo@us.example", DATE, "One", "", "first")).await;
    app.mail("jo", &raw_mail("2@a", "Bob <bob@gmail.com>", "jo@us.example", DATE, "Two", "", "second")).await;
    app.mail("jo", &raw_mail("3@a", "jo@us.example", "ann@mail.acme.example", DATE, "Three", "", "third")).await;
    let waiting = app.get("/v1/unmatched").await;
    let domains: Vec<_> =
        waiting["items"].as_array().unwrap().iter().map(|d| (d["domain"].as_str().unwrap(), d["entries"].as_i64().unwrap())).collect();
    assert_eq!(domains, [("acme.example", 1), ("gmail.com", 1), ("mail.acme.example", 1)]);
    assert_eq!(waiting["items"][0]["first_seen"], "2026-02-03T09:12:00Z");

    app.add(&[account("acme", "acme.example")]).await;
    app.settle().await;
    assert_eq!(app.get("/v1/accounts/acme/timeline").await["total"], 2);
    assert_eq!(app.get("/v1/unmatched").await["total"], 1, "free mail stays");
    app.add(&[json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Bob", "emails": ["bob@gmail.com"] })]).await;
    app.settle().await;
    let timeline = app.get("/v1/accounts/acme/timeline").await;
    assert_eq!(timeline["counts"], json!({ "contact_added": 1, "email_received": 2, "email_sent": 1 }));
    assert_eq!(app.get("/v1/unmatched").await["entries"], 0);
    assert_eq!(app.found("q=second&account=acme").await.len(), 1, "found under its account");
    // And when the contact is gone, so is the reason.
    app.add(&[json!({ "kind": "contact", "id": "c1", "deleted": true })]).await;
    app.settle().await;
    assert_eq!(app.get("/v1/unmatched").await["items"][0]["domain"], "gmail.com");
}

#[tokio::test]
async fn our_own_list_mail_belongs_to_the_account_it_answers_in_either_order() {
    let question = raw_mail(
        "q@acme",
        "Ann via Users <users@lists.us.example>",
        "users@lists.us.example",
        DATE,
        "[users] Help",
        "Reply-To: Ann <ann@acme.example>\r\nList-Id: Users <users.lists.us.example>\r\n",
        "It fails.",
    );
    let answer = raw_mail(
        "r@us",
        "jo@us.example",
        "users@lists.us.example",
        "Tue, 3 Feb 2026 10:00:00 +0000",
        "Re: [users] Help",
        "In-Reply-To: <q@acme>\r\nList-Id: Users <users.lists.us.example>\r\n",
        "Try this.",
    );
    let again = raw_mail(
        "s@us",
        "mia@us.example",
        "users@lists.us.example",
        "Tue, 3 Feb 2026 11:00:00 +0000",
        "Re: [users] Help",
        "In-Reply-To: <r@us>\r\nList-Id: Users <users.lists.us.example>\r\n",
        "Or that.",
    );
    for order in [[&question, &answer, &again], [&again, &answer, &question]] {
        let app = App::spawn().await;
        app.add(&[us(), account("acme", "acme.example")]).await;
        for mail in order {
            app.mail("list", mail).await;
        }
        app.settle().await;
        let timeline = app.get("/v1/accounts/acme/timeline").await;
        assert_eq!(timeline["counts"], json!({ "email_received": 1, "email_sent": 2 }));
        let threads: std::collections::HashSet<_> =
            timeline["items"].as_array().unwrap().iter().map(|e| e["thread_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(threads.len(), 1);
        let people: Vec<_> = timeline["items"][2]["participants"].as_array().unwrap().iter().map(|p| p["email"].as_str().unwrap()).collect();
        assert_eq!(people, ["ann@acme.example"], "the author is in Reply-To, and a list is nobody");
    }
}

#[tokio::test]
async fn mail_without_references_joins_by_subject_people_and_time() {
    let app = App::spawn().await;
    app.add(&[us(), account("acme", "acme.example")]).await;
    let reply = raw_mail("2@acme", "ann@acme.example", "jo@us.example", "Wed, 4 Feb 2026 09:00:00 +0000", "RE: Scanner outage", "", "Any news?");
    let first = raw_mail("1@us", "jo@us.example", "ann@acme.example", DATE, "Scanner outage", "", "We look at it.");
    let unrelated = raw_mail("3@us", "jo@us.example", "someone@else.example", DATE, "Scanner outage", "", "Other people.");
    let late = raw_mail("4@acme", "ann@acme.example", "jo@us.example", "Wed, 15 Apr 2026 09:00:00 +0000", "RE: Scanner outage", "", "Again!");
    for mail in [&reply, &first, &unrelated, &late] {
        app.mail("jo", mail).await;
    }
    let timeline = app.get("/v1/accounts/acme/timeline").await;
    let thread = |i: usize| timeline["items"][i]["thread_id"].as_str().unwrap().to_owned();
    assert_eq!(thread(1), thread(2), "the reply and what it answers");
    assert_ne!(thread(0), thread(1), "ten weeks later is another conversation");
}

#[tokio::test]
async fn attachments_are_listed_and_come_back_as_downloads_only() {
    let app = App::spawn().await;
    let mail = "From: a@b.example\r\nDate: Tue, 3 Feb 2026 09:12:00 +0000\r\nSubject: List\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n\
        --x\r\nContent-Type: text/html; name=\"../evil.html\"\r\nContent-Disposition: attachment; filename=\"../evil.html\"\r\n\r\n<script>alert(1)</script>\r\n--x--\r\n";
    let id = app.mail("jo", mail).await["id"].as_str().unwrap().to_owned();
    let entry = app.get(&format!("/v1/entries/{id}")).await;
    let attachment = &entry["attachments"][0];
    assert_eq!((attachment["content_type"].as_str(), attachment["size"].as_u64()), (Some("text/html"), Some(25)));
    let response = app.send(attachment["url"].as_str().unwrap()).await;
    let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert!(header("content-disposition").starts_with("attachment; filename=\"_evil.html\""), "{}", header("content-disposition"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(response.text().await.unwrap(), "<script>alert(1)</script>");
    assert_eq!(app.problem(&format!("/v1/entries/{id}/attachments/1")).await.0, 404);
    assert_eq!(app.problem(&format!("/v1/entries/{id}/attachments/x")).await.0, 400);
    app.settle().await;
    assert_eq!(app.found("q=evil").await, [id], "found by the name of its file");
}

#[tokio::test]
async fn what_cannot_be_a_mail_is_refused_and_what_is_broken_is_kept() {
    let app = App::spawn().await;
    let post = |body: Vec<u8>| app.request(Method::POST, "/v1/emails").header("content-type", "message/rfc822").body(body).send();
    assert_eq!(problem(post(b"  \r\n".to_vec()).await.unwrap()).await.1["code"], "bad_mail");
    assert_eq!(problem(post(vec![b'x'; 26 * 1024 * 1024]).await.unwrap()).await.0, 413);
    let nested: String = (0..3_000).map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n")).collect();
    let bomb = app.mail("x", &format!("Subject: bomb\n{nested}")).await;
    let entry = app.get(&format!("/v1/entries/{}", bomb["id"].as_str().unwrap())).await;
    assert_eq!(entry["flags"], json!(["too_complex", "date_unknown"]));
    let garbage = post(vec![0xff, 0x00, 0x80, 0x0a]).await.unwrap();
    assert!(garbage.status().is_success());
    let bad = app.request(Method::POST, "/v1/emails?colour=red").body("x").send().await.unwrap();
    assert!(problem(bad).await.1["detail"].as_str().unwrap().contains("unknown field `colour`"));
}

#[tokio::test]
async fn discovered_accounts_are_business_domains_only() {
    let app = App::spawn().await;
    app.add(&[us()]).await;
    for (id, from) in [("1@x", "ann@mail.acme.co.uk"), ("2@x", "bob@gmail.com"), ("3@x", "mailer-daemon@corp.example"), ("4@x", "jo@us.example")] {
        let mail = raw_mail(id, from, "jo@us.example", DATE, "Hi", "", "words");
        let response = app.request(Method::POST, "/v1/emails?discover_accounts=true").body(mail).send().await.unwrap();
        assert!(response.status().is_success());
    }
    let accounts = app.get("/v1/accounts").await;
    let ids: Vec<_> = accounts["items"].as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["acme.co.uk"]);
    // An account that somebody sends has its domain before one that was only made of it, and is never overwritten.
    app.add(&[
        json!({ "kind": "account", "id": "zeta", "domains": ["acme.co.uk"] }),
        json!({ "kind": "account", "id": "beta.example", "tier": "gold" }),
    ])
    .await;
    let mail = raw_mail("5@x", "eve@beta.example", "jo@us.example", DATE, "Hi", "", "words");
    app.request(Method::POST, "/v1/emails?discover_accounts=true").body(mail).send().await.unwrap();
    app.settle().await;
    assert_eq!(app.get("/v1/accounts/zeta/timeline").await["total"], 1);
    assert_eq!(app.get("/v1/accounts/beta.example").await["tier"], "gold");
}
