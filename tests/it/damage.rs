//! Damaged, cut or missing index files are noticed at start or while running, and the index is built again by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rapport::pipeline::verify::verify;
use reqwest::Method;
use serde_json::Value;

use crate::app::{App, account, note};

/// Every kind of file that an index is made of.
const KINDS: [&str; 7] = [".idx", ".pos", ".term", ".fast", ".fieldnorm", ".store", "meta.json"];

fn index_of(app: &App) -> PathBuf {
    app.service.index.directory(app.workspace)
}

async fn filled() -> App {
    let app = App::spawn().await;
    let notes = (0..40).map(|n| note(&format!("n{n}"), "acme", &format!("2026-01-{:02}T09:00:00Z", n % 28 + 1), &format!("depot word{n} discount")));
    let records: Vec<Value> = std::iter::once(account("acme", "acme.example")).chain(notes).collect();
    app.add(&records).await;
    app.settle().await;
    app
}

async fn ready(app: &App) {
    for _ in 0..400 {
        if app.send("/readyz").await.status().is_success() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never ready: {}", app.send("/readyz").await.text().await.unwrap());
}

/// What must be the same before and after.
async fn answers(app: &App) -> Vec<Value> {
    let mut answers = Vec::new();
    for query in ["q=depot&facets=true&limit=100", "q=word7", "q=%22depot%20word11%22", "q=disc*&sort=newest", "q=depot%20-word3&limit=100"] {
        let mut answer = app.get(&format!("/v1/search?{query}")).await;
        answer.as_object_mut().unwrap().remove("next_cursor");
        answers.push(answer);
    }
    answers
}

fn harm(index: &Path, kind: &str, how: &str) {
    let file = fs::read_dir(index).unwrap().map(|f| f.unwrap().path()).find(|p| p.to_str().unwrap().ends_with(kind)).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    match how {
        "flip" => {
            // In a description a digit of the position that it covers, elsewhere whatever lies in the middle.
            let at = if kind == "meta.json" {
                let text = String::from_utf8(bytes.clone()).unwrap();
                text.find("sequence").unwrap() + 12
            } else {
                bytes.len() / 2
            };
            bytes[at] ^= 1;
            fs::write(file, bytes).unwrap();
        }
        "truncate" => fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
        _ => fs::remove_file(file).unwrap(),
    }
}

#[tokio::test]
async fn each_damage_of_each_kind_of_file_is_found_at_start_and_mended() {
    let app = filled().await;
    let before = answers(&app).await;
    let index = index_of(&app);
    let mut directory = app.stop().await;
    let mut mended = 0;
    for kind in KINDS {
        for how in ["flip", "truncate", "delete"] {
            harm(&index, kind, how);
            let app = App::spawn_in(directory).await;
            ready(&app).await;
            assert_eq!(answers(&app).await, before, "{kind} {how}");
            let report = verify(&app.service, app.workspace, false).await.unwrap();
            assert!(report.findings.is_empty() && report.indexed == 40, "{kind} {how}: {report:?}");
            mended += 1;
            directory = app.stop().await;
        }
    }
    fs::remove_dir_all(&index).unwrap();
    fs::create_dir(directory.path().join("index-v0")).unwrap();
    let app = App::spawn_in(directory).await;
    ready(&app).await;
    assert_eq!(answers(&app).await, before, "the whole folder");
    assert!(!app.directory.path().join("index-v0").exists(), "an index of another version is removed");
    println!("{mended}/21 damages found and mended");
}

/// Files of deletions under every name that the next writer could choose, as if killed while it wrote one.
fn leave_deletions(index: &Path) {
    let managed = index.join(".managed.json");
    let mut names: Vec<String> = serde_json::from_slice(&fs::read(&managed).unwrap()).unwrap();
    let segments: Vec<String> = names.iter().filter_map(|name| name.strip_suffix(".idx").map(str::to_owned)).collect();
    assert!(!segments.is_empty());
    for segment in segments {
        for operation in 0..200 {
            let name = format!("{segment}.{operation}.del");
            if !index.join(&name).exists() {
                fs::write(index.join(&name), "half").unwrap();
                names.push(name);
            }
        }
    }
    fs::write(managed, serde_json::to_vec(&names).unwrap()).unwrap();
}

#[tokio::test]
async fn what_a_killed_writer_left_is_no_damage_and_stops_no_other() {
    let app = filled().await;
    let index = index_of(&app);
    let directory = app.stop().await;
    leave_deletions(&index);
    rapport::index::check::check(&index, |_| {}).unwrap();
    let app = App::spawn_in(directory).await;
    app.add(&[note("n7", "acme", "2026-01-08T09:00:00Z", "something else")]).await;
    app.settle().await;
    assert!(app.found("q=word7").await.is_empty());
    assert_eq!(app.found("q=something").await, ["n7"]);
}

#[tokio::test]
async fn damage_is_found_while_running_and_the_old_index_answers_meanwhile() {
    let app = filled().await;
    let before = answers(&app).await;
    for (kind, how) in [(".term", "flip"), (".pos", "delete"), ("meta.json", "delete")] {
        harm(&index_of(&app), kind, how);
        let mut found = false;
        for _ in 0..300 {
            // Whatever is going on, the answers are right.
            assert_eq!(app.found("q=word7").await, ["n7"], "{kind} {how}");
            let rebuilding = app.send("/readyz").await.json::<Value>().await.unwrap()["rebuilding"] == 1;
            found |= rebuilding;
            let whole = rapport::index::check::check(&index_of(&app), |_| {}).is_ok();
            if whole && !rebuilding {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ready(&app).await;
        assert_eq!(answers(&app).await, before, "{kind} {how}, noticed: {found}");
        rapport::index::check::check(&index_of(&app), |_| {}).unwrap();
    }
    app.add(&[note("n99", "acme", "2026-02-01T09:00:00Z", "written afterwards")]).await;
    app.settle().await;
    assert_eq!(app.found("q=afterwards").await, ["n99"], "the new index goes on following");
}

#[tokio::test]
async fn an_index_built_on_request_takes_over_without_a_gap() {
    let app = filled().await;
    let before = answers(&app).await;
    let rebuild = app.request(Method::POST, "/v1/reindex").send();
    let searches = async {
        for _ in 0..50 {
            assert_eq!(answers(&app).await, before);
        }
    };
    let (rebuilt, ()) = tokio::join!(rebuild, searches);
    assert_eq!(rebuilt.unwrap().json::<Value>().await.unwrap()["entries"], 40);
    app.add(&[note("n99", "acme", "2026-02-01T09:00:00Z", "written afterwards")]).await;
    app.settle().await;
    assert_eq!(app.found("q=afterwards").await, ["n99"], "the new index goes on following");
}

#[tokio::test]
async fn an_index_of_another_database_shows_none_of_its_words() {
    let (app, other) = (filled().await, App::spawn().await);
    other.add(&[account("acme", "acme.example"), note("x1", "acme", "2026-01-01T09:00:00Z", "other words")]).await;
    other.settle().await;
    let (index, others) = (index_of(&app), index_of(&other));
    let (directory, _other) = (app.stop().await, other.stop().await);
    fs::remove_dir_all(&index).unwrap();
    fs::rename(others, &index).unwrap();
    let app = App::spawn_in(directory).await;
    ready(&app).await;
    assert_eq!(app.found("q=other").await, Vec::<String>::new());
    assert_eq!(app.found("q=word7").await, ["n7"]);
}

#[tokio::test]
async fn what_does_not_hang_together_is_told_and_mended() {
    let app = filled().await;
    let workspace = app.workspace;
    // An entry vanishes from the store behind everybody's back.
    app.service
        .store
        .write(workspace, move |tx| {
            Box::pin(async move {
                let stored = rapport::store::entry::find(workspace, tx, "n7").await?.expect("it is there");
                rapport::store::entry::delete(workspace, tx, &stored, stored.entry.occurred_at).await
            })
        })
        .await
        .unwrap();
    let report: Value = app.request(Method::POST, "/v1/verify").send().await.unwrap().json().await.unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report}");
    assert!(report["findings"][0]["detail"].as_str().unwrap().contains("1 not in the store"), "{report}");
    assert_eq!(
        (report["entries"].as_u64(), report["indexed"].as_u64(), &report["findings"][0]["repaired"]),
        (Some(39), Some(40), &Value::Bool(false))
    );
    let report: Value = app.request(Method::POST, "/v1/verify?repair=true").send().await.unwrap().json().await.unwrap();
    assert_eq!(report["findings"][0]["repaired"], true, "{report}");
    let report: Value = app.request(Method::POST, "/v1/verify").send().await.unwrap().json().await.unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 0, "{report}");
    assert_eq!(report["indexed"], 39);
}
