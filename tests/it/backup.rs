//! Backups made while writing, restored elsewhere, into the other database, and after an erasure; data of older versions.

use std::io::Read;

use rapport::pipeline::verify::verify;
use serde_json::Value;

use crate::app::{App, account, note};
use crate::cli::{Served, last_line, rapport, text};
use crate::erase::{CANARIES, bring, erase, every_answer, files_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_writing_is_whole_up_to_its_change() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("backup.db");
    let writing = async {
        for n in 0..300 {
            app.add(&[note(&format!("n{n}"), "acme", "2026-01-01T09:00:00Z", &format!("word{n}"))]).await;
        }
    };
    let backup = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        app.service.store.backup(&file).await.unwrap()
    };
    let ((), made) = tokio::join!(writing, backup);
    assert!(app.service.store.backup(&file).await.is_err(), "an older backup is never written over");
    let restored = rapport(elsewhere.path(), &["restore", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert!(last_line(&restored).contains("0 erasures hold"), "{}", last_line(&restored));
    let other = App::spawn_in(elsewhere).await;
    other.settle().await;
    let mut tx = app.service.store.read(app.workspace).await.unwrap();
    let expected =
        rapport::store::entry::ids(app.workspace, &mut tx).await.unwrap().into_iter().filter(|(number, _)| *number <= made.sequence).count();
    assert_eq!(other.get("/v1/accounts/acme/timeline").await["total"], expected as i64);
    assert!(expected > 0 && expected < 300, "{expected}");
    let report = verify(&other.service, other.workspace, false).await.unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    // What comes next gets numbers of its own.
    other.add(&[note("later", "acme", "2026-01-02T09:00:00Z", "later word")]).await;
    other.settle().await;
    assert_eq!(other.found("q=later").await, ["later"]);
}

#[test]
fn a_backup_is_taken_beside_a_server_and_put_where_nothing_else_is() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    assert!(rapport(&data, &["import", "fixtures/export", "--us", "tidemark.example"]).status.success());
    let file = folder.path().join("backup.db");
    let path = file.to_str().unwrap();
    let served = Served::start(&data);
    let made = rapport(&data, &["backup", path]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let refused = rapport(&data, &["restore", path, "--replace"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("stop that server first"), "{}", text(&refused.stderr));
    drop(served);
    let refused = rapport(&data, &["restore", path]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("--replace"), "{}", text(&refused.stderr));
    let before = text(&rapport(&data, &["account", "1001", "--json"]).stdout);
    for (broken, says) in [("Cargo.toml", "no backup"), ("nowhere.db", "No such file")] {
        let refused = rapport(&data, &["restore", broken, "--replace"]);
        assert!(!refused.status.success() && text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
    let same = |a: &str, b: &str| {
        let read = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            value.as_object_mut().unwrap().remove("as_of");
            value
        };
        assert_eq!(read(a), read(b));
    };
    same(&text(&rapport(&data, &["account", "1001", "--json"]).stdout), &before);
    let restored = rapport(elsewhere.path(), &["restore", path]);
    assert!(last_line(&restored).starts_with("restored 1"), "{}{}", last_line(&restored), text(&restored.stderr));
    same(&text(&rapport(elsewhere.path(), &["account", "1001", "--json"]).stdout), &before);
}

#[tokio::test]
async fn a_restored_backup_does_not_bring_back_who_was_erased() {
    let app = App::spawn().await;
    bring(&app).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    app.service.store.backup(&file).await.unwrap();
    erase(&app).await;
    app.settle().await;
    let directory = app.stop().await;
    let restored = rapport(directory.path(), &["restore", file.to_str().unwrap(), "--replace"]);
    assert!(last_line(&restored).contains("1 erasures hold"), "{} {}", last_line(&restored), text(&restored.stderr));
    let app = App::spawn_in(directory).await;
    app.settle().await;
    let answers = every_answer(&app).await;
    for canary in CANARIES {
        assert!(!answers.contains(canary), "{canary}: {}", answers.lines().find(|line| line.contains(canary)).unwrap());
    }
    let mut found = Vec::new();
    files_with(app.directory.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
    let outcomes = bring(&app).await;
    assert_eq!(outcomes.iter().filter(|o| *o == "rejected").count(), 2, "and the marks hold: {outcomes:?}");
}

#[test]
fn data_of_every_older_version_opens() {
    let formats = std::path::Path::new("fixtures/formats");
    let mut opened = 0;
    for file in std::fs::read_dir(formats).unwrap().map(|f| f.unwrap().path()) {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_end(&mut bytes).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("old.db");
        std::fs::write(&backup, bytes).unwrap();
        let data = folder.path().join("data");
        // As a backup, which is how it gets into either database; and, on SQLite, as a data directory of that version.
        let restored = rapport(&data, &["restore", backup.to_str().unwrap()]);
        assert!(last_line(&restored).starts_with("restored 17 entries"), "{}: {}", file.display(), text(&restored.stderr));
        let found = text(&rapport(&data, &["search", "budget OR comparison", "--json"]).stdout);
        assert!(serde_json::from_str::<Value>(&found).unwrap()["total"].as_u64().unwrap() > 0, "{found}");
        if crate::database::server().is_none() {
            let old = folder.path().join("as it was");
            std::fs::create_dir(&old).unwrap();
            std::fs::rename(&backup, old.join("rapport.db")).unwrap();
            let again = rapport(&old, &["import", "fixtures/export", "--us", "tidemark.example"]);
            assert_eq!(last_line(&again), "added 0, updated 0, unchanged 21, unmatched 0, rejected 0", "{}", text(&again.stderr));
            let verified = rapport(&old, &["verify"]);
            assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
        }
        opened += 1;
    }
    assert!(opened >= 1);
}
