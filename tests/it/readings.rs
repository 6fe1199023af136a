//! What is read from entries: it appears by itself, follows their words, and everything works without it.

use std::time::Duration;

use rapport::config::{Config, ReaderFrom};
use rapport::store::{Scope, entry, reading};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, account, config, note, raw_mail};

pub async fn spawn(reader: ReaderFrom) -> App {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { reader, ..config(folder.path()).await };
    App::spawn_with(folder, config).await
}

/// Waits until everything is read: on a machine that is busy with other tests, for as long as they leave it.
pub async fn read(app: &App) {
    app.settle().await;
    for _ in 0..3_000 {
        if app.get("/v1/jobs").await["unread"] == 0 && app.get("/readyz").await["reader"] == "ready" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never read: {}, {}", app.get("/readyz").await, app.get("/v1/jobs").await);
}

/// An account with an unhappy customer's mail, our answer, a note of ours, and a call.
async fn filled(app: &App) {
    app.add(&[
        json!({ "kind": "workspace", "us_domains": ["tidemark.example"] }),
        account("acme", "acme.example"),
        note("n1", "acme", "2026-02-20T09:00:00Z", "They said it is too expensive. This is a terrible, awful mess."),
        json!({ "kind": "entry", "id": "call1", "account_id": "acme", "type": "call", "occurred_at": "2026-02-21T09:00:00Z", "transcript": [
            { "speaker": "Ann", "side": "us", "text": "This is terrible news, we are so sorry about the awful outage." },
            { "speaker": "Tom", "side": "customer", "text": "Honestly, the new dashboard is excellent and the team loves it." },
        ] }),
    ])
    .await;
    let unhappy = "Hello,\n\nwe are very disappointed, the sync is still broken and support is useless.\n\nOn Mon Ann wrote:\n> This is wonderful, excellent news!\n";
    app.mail("inbox", &raw_mail("m1@x", "tom@acme.example", "ann@tidemark.example", "Thu, 19 Feb 2026 09:00:00 +0000", "Sync", "", unhappy)).await;
    let sorry = "Dear Tom,\n\nthis is a terrible failure and I am awfully sorry.\n";
    app.mail("inbox", &raw_mail("m2@x", "ann@tidemark.example", "tom@acme.example", "Thu, 19 Feb 2026 10:00:00 +0000", "Re: Sync", "", sorry)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentiment_appears_with_the_sentences_that_carried_it() {
    let app = spawn(ReaderFrom::Shipped).await;
    filled(&app).await;
    read(&app).await;
    let sentiment = app.get("/v1/accounts/acme/sentiment").await;
    // Two messages are theirs: our mail and our note say how we feel, or how we think they do.
    assert_eq!(sentiment["messages"], 2, "{sentiment}");
    assert_eq!((&sentiment["trend"], &sentiment["points"][0]["entry_id"]), (&json!("unknown"), &json!("call1")));
    let (call, mail) = (&sentiment["points"][0], &sentiment["points"][1]);
    assert!(call["score"].as_f64().unwrap() > 0.3 && mail["score"].as_f64().unwrap() < -0.3, "{sentiment}");
    assert_eq!(call["carried_by"][0]["segment"], 1);
    assert_eq!(call["carried_by"][0]["quote"], "Honestly, the new dashboard is excellent and the team loves it.");
    assert!(mail["carried_by"][0]["quote"].as_str().unwrap().contains("disappointed"), "{mail}");
    assert_eq!(sentiment["signal"]["value"], sentiment["score"]);

    // The same in entry, timeline and profile.
    let entry = app.get(&format!("/v1/entries/{}", mail["entry_id"].as_str().unwrap())).await;
    let found = &entry["readings"][0];
    assert_eq!((found["engine"]["kind"].as_str(), found["sentiment"]["side"].as_str()), (Some("local"), Some("customer")));
    let carrier = &found["sentiment"]["carried_by"][0];
    let (start, end) = (carrier["start"].as_u64().unwrap(), carrier["end"].as_u64().unwrap());
    let body: Vec<char> = entry["body"].as_str().unwrap().chars().collect();
    let quoted: String = body[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].iter().collect();
    assert_eq!(carrier["quote"], quoted);
    let timeline = app.get("/v1/accounts/acme/timeline").await;
    let listed = timeline["items"].as_array().unwrap().iter().find(|item| item["id"] == mail["entry_id"]).unwrap();
    assert_eq!(listed["sentiment"]["score"], mail["score"]);
    let profile = app.get("/v1/accounts/acme/360").await;
    assert_eq!(profile["sections"]["sentiment"]["data"]["score"], sentiment["score"]);

    // A call in another language is not scored.
    let german = "Das ist eine schreckliche Katastrophe, und wir sind mit dem Produkt nicht zufrieden.";
    app.add(&[json!({ "kind": "entry", "id": "call2", "account_id": "acme", "type": "call", "occurred_at": "2026-02-22T09:00:00Z", "transcript": [
        { "speaker": "Tom", "side": "customer", "text": german },
    ] })])
    .await;
    read(&app).await;
    assert_eq!(app.get("/v1/entries/call2").await["readings"][0]["sentiment"], Value::Null);
    assert_eq!(app.get("/v1/accounts/acme/sentiment").await["messages"], 2);

    // A window that holds nothing, one that is none, an account that is not there.
    assert_eq!(app.get("/v1/accounts/acme/sentiment?window_days=1").await["score"], Value::Null);
    for (path, status) in [("acme/sentiment?window_days=0", 400), ("acme/sentiment?window_days=x", 400), ("nobody/sentiment", 404)] {
        assert_eq!(app.problem(&format!("/v1/accounts/{path}")).await.0, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_follows_the_words() {
    let app = spawn(ReaderFrom::Shipped).await;
    let said = |body: &str| json!({ "kind": "entry", "id": "e1", "account_id": "acme", "type": "call", "side": "customer", "occurred_at": "2026-02-20T09:00:00Z", "body": body });
    app.add(&[account("acme", "acme.example"), said("This is a terrible product and we are furious.")]).await;
    read(&app).await;
    let before = app.get("/v1/accounts/acme/sentiment").await;
    assert!(before["score"].as_f64().unwrap() < -0.3, "{before}");
    app.add(&[said("This is a wonderful product and we love it.")]).await;
    read(&app).await;
    let after = app.get("/v1/accounts/acme/sentiment").await;
    assert!(after["score"].as_f64().unwrap() > 0.3 && after["messages"] == 1, "{after}");
    app.add(&[json!({ "kind": "entry", "id": "e1", "deleted": true })]).await;
    assert_eq!(app.get("/v1/accounts/acme/sentiment").await["messages"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_readers_readings_serve_until_they_are_made_again_newest_first() {
    let app = spawn(ReaderFrom::Off).await;
    let mut records = vec![account("acme", "acme.example")];
    records.extend((1..=9).map(|n| note(&format!("n{n}"), "acme", &format!("2026-01-0{n}T09:00:00Z"), "We love it.")));
    app.add(&records).await;
    app.settle().await;
    let workspace = app.workspace;
    let order = |version: i64| {
        let store = app.service.store.clone();
        async move {
            let mut tx = store.read(Scope::All).await.unwrap();
            let mut waiting = reading::unread(workspace, &mut tx, version, 4).await.unwrap();
            waiting.sort_by_key(|stored| std::cmp::Reverse(stored.entry.occurred_at));
            waiting.into_iter().map(|stored| stored.entry.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(order(1).await, ["n9", "n8", "n7", "n6"]);
    // All but one were read by version 1.
    app.service
        .store
        .write(Scope::All, move |tx| {
            Box::pin(async move {
                for id in ["n1", "n2", "n3", "n4", "n5", "n6", "n8", "n9"] {
                    let stored = entry::find(workspace, tx, id).await?.expect("it is there");
                    reading::put(workspace, tx, stored.number, stored.sequence, 1, None).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    assert_eq!(order(1).await, ["n7"]);
    assert_eq!(order(2).await, ["n9", "n8", "n7", "n6"]);
}

#[tokio::test]
async fn without_a_reader_everything_else_works() {
    let folder = tempfile::tempdir().unwrap();
    for (reader, state) in [
        (ReaderFrom::Off, "off"),
        (ReaderFrom::Folder(folder.path().join("none")), "config.json"),
        (ReaderFrom::Folder(folder.path().to_owned()), "damaged"),
    ] {
        if state == "damaged" {
            for file in ["config.json", "tokenizer.json", "reader.safetensors"] {
                std::fs::copy(format!("models/reader/{file}"), folder.path().join(file)).unwrap();
            }
            std::fs::write(folder.path().join("reader.safetensors"), "not these").unwrap();
        }
        let app = spawn(reader).await;
        filled(&app).await;
        app.settle().await;
        let mut ready = app.get("/readyz").await;
        for _ in 0..100 {
            if ready["reader"] != "loading" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            ready = app.get("/readyz").await;
        }
        assert!(ready["ready"] == true && ready["reader"].as_str().unwrap().contains(state), "{ready}");
        assert_eq!(app.get("/v1/search?q=disappointed").await["total"], 1);
        let sentiment = app.get("/v1/accounts/acme/sentiment").await;
        assert_eq!((&sentiment["messages"], &sentiment["score"], &sentiment["signal"]["value"]), (&json!(0), &Value::Null, &Value::Null));
        assert_eq!(app.get("/v1/jobs").await["unread"], 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_persons_words_are_in_no_reading() {
    let app = spawn(ReaderFrom::Shipped).await;
    filled(&app).await;
    app.add(&[json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Tom Okafor", "emails": ["tom@acme.example"] })]).await;
    read(&app).await;
    assert_eq!(app.get("/v1/accounts/acme/sentiment").await["messages"], 2);
    let erased = app.request(Method::DELETE, "/v1/contacts/c1?erase=true").send().await.unwrap();
    assert!(erased.status().is_success(), "{}", erased.status());
    let sentiment = app.get("/v1/accounts/acme/sentiment").await;
    assert!(!sentiment.to_string().contains("disappointed"), "{sentiment}");
}
