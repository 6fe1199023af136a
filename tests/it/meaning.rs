//! Search by meaning: what says the same in other words is found, explained, and left alone where nothing was read.

use rapport::config::ReaderFrom;
use serde_json::json;

use crate::app::{App, account, note};
use crate::readings::{read, spawn};

async fn filled(app: &App) {
    app.add(&[
        account("acme", "acme.example"),
        note("n1", "acme", "2026-02-18T09:00:00Z", "The invoices arrive twice every month and nobody in accounting can match them."),
        note("n2", "acme", "2026-02-19T09:00:00Z", "The forklift in hall three lost a wheel this morning."),
        note("n3", "acme", "2026-02-20T09:00:00Z", "Lunch with the new intern was at the harbour, the weather was lovely."),
        account("other", "other.example"),
        note("o1", "other", "2026-02-20T09:00:00Z", "Their invoices are wrong as well."),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_it_in_other_words_is_found_and_explained() {
    let app = spawn(ReaderFrom::Shipped).await;
    filled(&app).await;
    read(&app).await;
    assert_eq!(app.get("/v1/search?q=billing+problems&account=acme").await["total"], 0);
    for mode in ["meaning", "both"] {
        let found = app.get(&format!("/v1/search?q=billing+problems&account=acme&mode={mode}")).await;
        let first = &found["hits"][0];
        assert_eq!((&first["id"], &first["why"]["meaning"], &first["why"]["words"]), (&"n1".into(), &1.into(), &serde_json::Value::Null), "{found}");
        assert!(first["matched"].as_array().unwrap().contains(&"meaning".into()), "{found}");
        assert!(first["snippet"].as_str().unwrap().contains("invoices arrive twice"), "{found}");
        assert!(found["hits"].as_array().unwrap().iter().all(|hit| hit["account_id"] == "acme"), "{found}");
    }
    // Words rank, filters and quotation marks are required.
    let ranked = app.get("/v1/search?q=what+about+the+forklift+billing&account=acme&mode=both").await;
    assert_eq!((&ranked["hits"][0]["id"], &ranked["hits"][0]["why"]["words"], &ranked["total"]), (&"n2".into(), &1.into(), &1.into()), "{ranked}");
    let required = app.get("/v1/search?q=billing+%22forklift+in+hall%22&account=acme&mode=meaning").await;
    assert_eq!((required["hits"].as_array().unwrap().len(), &required["hits"][0]["id"]), (1, &"n2".into()), "{required}");

    // It follows what changes.
    app.add(&[note("n1", "acme", "2026-02-18T09:00:00Z", "The roof of the chapel is being painted.")]).await;
    read(&app).await;
    let found = app.get("/v1/search?q=billing+problems&account=acme&mode=meaning").await;
    assert!(!found["hits"].to_string().contains("invoices"), "{found}");
    assert_eq!(found["hits"].as_array().unwrap().len(), 3, "{found}");
    let pages = app.get("/v1/search?q=billing+problems&account=acme&mode=meaning&limit=2").await;
    let rest = format!("/v1/search?q=billing+problems&account=acme&mode=meaning&limit=2&cursor={}", pages["next_cursor"].as_str().unwrap());
    assert_eq!(app.get(&rest).await["hits"].as_array().unwrap().len(), 1);
    // Everything is the scope where no account is named.
    let all = app.get("/v1/search?q=billing+problems&mode=meaning").await;
    assert_eq!(all["hits"][0]["id"], "o1", "{all}");
}

#[tokio::test]
async fn without_a_reader_words_rank_and_the_answer_says_so() {
    let app = spawn(ReaderFrom::Off).await;
    filled(&app).await;
    app.settle().await;
    let found = app.get("/v1/search?q=invoices+trouble&account=acme&mode=both").await;
    assert_eq!((&found["hits"][0]["id"], &found["total"]), (&"n1".into(), &1.into()), "{found}");
    assert!(found["note"].as_str().unwrap().starts_with("words only"), "{found}");
    assert_eq!(app.problem("/v1/search?q=a&mode=both&sort=newest").await.1["code"], "bad_parameter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_by_quotations_or_not_in_the_record() {
    let app = spawn(ReaderFrom::Shipped).await;
    filled(&app).await;
    read(&app).await;
    let found = app.get("/v1/search/answer?q=how+often+do+the+invoices+arrive%3F&account=acme").await;
    let first = &found["quotations"][0];
    assert_eq!((&found["answered"], &first["entry_id"], &first["account_id"]), (&true.into(), &"n1".into(), &"acme".into()), "{found}");
    assert!(first["quote"].as_str().unwrap().starts_with("The invoices arrive twice every month"), "{found}");
    assert!(first["snippet"].as_str().unwrap().contains("<mark>invoices</mark>"), "{found}");
    assert!(found["says"].as_str().unwrap().contains("2026-02-18"), "{found}");
    let nothing = app.get("/v1/search/answer?q=who+signed+the+lease+of+the+airport+hangar%3F&account=acme").await;
    assert_eq!((&nothing["answered"], &nothing["says"]), (&false.into(), &"not in the record".into()), "{nothing}");
    // What comes nearest is shown for what it is.
    assert_eq!((&nothing["quotations"], &found["nearest"]), (&json!([]), &json!([])), "{nothing}");
    let nearest: Vec<f64> = nothing["nearest"].as_array().unwrap().iter().map(|one| one["score"].as_f64().unwrap()).collect();
    assert!(!nearest.is_empty() && nearest.is_sorted_by(|a, b| a >= b), "{nothing}");
    assert!(nearest[0] < first["score"].as_f64().unwrap(), "{nothing}");
    let searched = &nothing["searched"];
    assert_eq!(
        (&searched["entries"], &searched["from"], &searched["to"]),
        (&3.into(), &"2026-02-18T09:00:00Z".into(), &"2026-02-20T09:00:00Z".into()),
        "{nothing}"
    );
    // What is asked with operators is looked for there alone.
    let elsewhere = app.get("/v1/search/answer?q=how+often+do+the+invoices+arrive+after%3A2026-02-19&account=acme").await;
    assert!(!elsewhere.to_string().contains("twice every month"), "{elsewhere}");
    assert_eq!(elsewhere["searched"]["entries"], 2, "{elsewhere}");
    assert_eq!(app.problem("/v1/search/answer?q=from%3Aann").await.1["code"], "bad_query");
    assert_eq!(app.problem("/v1/search/answer?q=why&account=nobody").await.0, 404);
}
