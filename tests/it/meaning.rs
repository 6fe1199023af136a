//! Search by meaning: what says the same in other words is found, explained, and left alone where nothing was read.

use rapport::config::ReaderFrom;

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
