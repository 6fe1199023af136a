//! The demo customers, whole: their stories come in, are found, and are summarized with citations.

use rapport::pipeline::demo::{ACCOUNTS, WORKSPACE};
use serde_json::Value;

use crate::app::App;
use crate::summary::assert_cited;

async fn told() -> App {
    let app = App::spawn().await;
    for (name, records) in std::iter::once(&("workspace", WORKSPACE)).chain(ACCOUNTS) {
        for outcome in app.post_lines(records).await {
            assert_ne!(outcome["status"], "rejected", "{name}: {outcome}");
        }
    }
    app.settle().await;
    app
}

fn truth(name: &str) -> Value {
    let path = format!("fixtures/accounts/{name}/truth.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn every_customer_has_a_cited_summary_over_the_whole_history() {
    let app = told().await;
    for (name, _) in ACCOUNTS {
        let summary = app.get(&format!("/v1/accounts/{name}/summary")).await;
        assert_cited(&app, &summary).await;
        let text = summary["text"].as_str().unwrap();
        let profile = app.get(&format!("/v1/accounts/{name}/360")).await;
        let sections = &profile["sections"];
        for deal in sections["deals"]["data"].as_array().into_iter().flatten().filter(|d| d["status"] == "open") {
            for field in ["name", "stage"] {
                assert!(text.contains(deal[field].as_str().unwrap()), "{name}: {field} of {deal} in {text}");
            }
            let amount = rapport::domain::money::format(deal["amount"].as_f64().unwrap(), deal["currency"].as_str());
            assert!(text.contains(&amount), "{name}: {amount} in {text}");
        }
        assert!(text.contains("We have been in touch") && text.contains("The last contact was"), "{name}: {text}");
        assert!((2..=3).contains(&summary["paragraphs"].as_array().unwrap().len()), "{name}");
        assert_eq!(summary["dropped_sentences"], 0, "{name}");
        let cited: std::collections::HashSet<&str> = summary["paragraphs"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|p| p["sentences"].as_array().unwrap())
            .flat_map(|s| s["citations"].as_array().unwrap())
            .filter_map(|c| c["entry_id"].as_str())
            .collect();
        assert!(cited.len() >= 5, "{name}: passages of several communications, not of the newest alone: {cited:?}");
        let coverage = &summary["coverage"];
        assert_eq!(coverage["read"], coverage["total"]);
    }
}

#[tokio::test]
async fn what_a_rep_would_look_up_is_found_by_its_words() {
    let app = told().await;
    let (mut asked, mut found) = (0, 0);
    for (name, _) in ACCOUNTS {
        for question in truth(name)["rep_questions"].as_array().unwrap() {
            let Some(quote) = question["quote"].as_str().filter(|q| !q.is_empty()) else { continue };
            let entries: Vec<&str> = question["entries"].as_array().unwrap().iter().filter_map(|e| e.as_str()).collect();
            if entries.is_empty() {
                continue;
            }
            // The rep remembers the exact words: as a phrase they lead to the entry, and to their place in it.
            let words: Vec<&str> = quote.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(8).collect();
            let path = format!("/v1/search?account={name}&q=%22{}%22&sort=relevance&limit=5", words.join("%20"));
            let body = app.get(&path).await;
            asked += 1;
            let hit = body["hits"].as_array().unwrap().iter().any(|h| entries.contains(&h["id"].as_str().unwrap()));
            found += u32::from(hit);
            assert!(hit, "{name}: {quote} in {body}");
        }
    }
    assert!(asked >= 80, "{asked} questions with an answer");
    assert_eq!(asked, found);
}
