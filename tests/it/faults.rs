//! Disks that are full, failing or read-only, processes killed at any write, databases of other versions: a clear
//! sentence, reads go on, nothing acknowledged is lost, and all is well once the cause is gone.
//!
//! The disk's faults are the database file's here, so these tests are SQLite's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{account, note};
use crate::cli::{Served, last_line, text};

/// The library that makes disks fail, built on first use.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--package", "rapport-faults", "--message-format=json"])
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo builds tests/faults");
        let messages = text(&built.stdout);
        let files = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|m| m["target"]["name"] == "rapport_faults");
        let names: Vec<String> =
            files.flat_map(|m| m["filenames"].as_array().cloned().unwrap_or_default()).filter_map(|f| f.as_str().map(str::to_owned)).collect();
        names.into_iter().find(|name| name.ends_with(".so")).expect("a library").into()
    })
}

/// The program on the file in its data directory, whatever the other tests run on.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    command.env_remove("DATABASE_URL").env("RAPPORT_READER", "off");
    command
}

fn rapport(data: &Path, arguments: &[&str]) -> Output {
    program().args(arguments).arg("--data").arg(data).output().expect("the program runs")
}

/// A data directory on a disk that can be told to fail.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Disk {
        Disk { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn set(&self, fault: &str) {
        std::fs::write(self.folder.path().join("fault"), fault).unwrap();
    }

    fn program(&self) -> Command {
        let mut command = program();
        command.env("LD_PRELOAD", library()).env("RAPPORT_FAULT", self.folder.path().join("fault")).env("RAPPORT_FAULT_DIR", self.data());
        command
    }

    fn serve(&self) -> Served {
        Served::launch(self.program(), &self.data())
    }
}

async fn write(base: &str, n: usize) -> (StatusCode, Value) {
    let record = json!([note(&format!("n{n}"), "acme", "2026-01-01T09:00:00Z", &format!("word{n}"))]);
    let request = reqwest::Client::new().post(format!("{base}/v1/records")).header("idempotency-key", format!("k{n}")).json(&record);
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn get(base: &str, path: &str) -> (StatusCode, Value) {
    let response = reqwest::get(format!("{base}{path}")).await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// Waits until a search finds the one entry that has a word, five seconds at most.
async fn searchable(base: &str, word: &str, since: Instant) {
    while get(base, &format!("/v1/search?q={word}")).await.1["total"] != 1 {
        assert!(since.elapsed() < Duration::from_secs(5), "{word} is not searchable after five seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Lets the disk fail in a running server, and checks what a caller is told, what goes on, and how soon all is well.
async fn while_the_disk(fault: &str, code: &str, says: &str) {
    let disk = Disk::new();
    let served = disk.serve();
    let base = format!("http://{}", served.address);
    let known = reqwest::Client::new().post(format!("{base}/v1/records")).json(&json!([account("acme", "acme.example")])).send().await.unwrap();
    assert_eq!(known.status(), 200);
    for n in 0..20 {
        assert_eq!(write(&base, n).await.1["items"][0]["status"], "added");
    }
    searchable(&base, "word19", Instant::now()).await;
    disk.set(fault);
    let (status, problem) = write(&base, 20).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (507, Some(code)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    for path in ["/v1/accounts/acme/timeline?limit=5", "/v1/search?q=word7", "/v1/entries/n7", "/healthz"] {
        assert_eq!(get(&base, path).await.0, 200, "{path} goes on");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    disk.set("");
    let since = Instant::now();
    // The one that was turned away, sent again: one effect, whether it had reached the disk or not.
    loop {
        let (status, body) = write(&base, 20).await;
        if status == 200 {
            assert_eq!(body["items"][0]["status"], "added", "{body}");
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "not well after five seconds: {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    searchable(&base, "word20", since).await;
    let report: Value = reqwest::Client::new().post(format!("{base}/v1/verify")).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (report["entries"].as_u64(), report["indexed"].as_u64(), report["findings"].as_array().map(Vec::len)),
        (Some(21), Some(21), Some(0)),
        "{report}"
    );
    println!("{fault}: well again {:.1} s after the cause was gone", since.elapsed().as_secs_f64());
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_reads_go_on() {
    while_the_disk("full", "disk_full", "disk of the data directory is full").await;
}

#[tokio::test]
async fn a_disk_that_does_not_keep_what_is_written_is_told_of() {
    while_the_disk("io", "disk_fault", "reports faults").await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_takes_nothing_and_reads_go_on() {
    while_the_disk("readonly", "disk_fault", "").await;
}

#[test]
fn a_folder_that_cannot_be_written_to_and_a_second_server_are_refused_with_a_sentence() {
    let disk = Disk::new();
    let served = disk.serve();
    let run = |arguments: &[&str]| disk.program().args(arguments).arg("--data").arg(disk.data()).output().unwrap();
    let second = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains(&format!("is already served on http://{}", served.address)), "{}", text(&second.stderr));
    drop(served);
    disk.set("readonly");
    let refused = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("needs to write there") && text(&refused.stderr).contains("Read-only file system"),
        "{}",
        text(&refused.stderr)
    );
}

/// Kills a command at several of its writes, and checks after each that the same command, run again, does its work.
fn killed_at_any_write(prepare: impl Fn(&Path), arguments: &[&str], done: impl Fn(&Path)) {
    let count = {
        let disk = Disk::new();
        prepare(&disk.data());
        let counted = disk.program().env("RAPPORT_FAULT_COUNT", "1").args(arguments).arg("--data").arg(disk.data()).output().unwrap();
        let errors = text(&counted.stderr);
        errors.lines().rev().find_map(|line| line.strip_prefix("writes: ")?.parse::<u64>().ok()).unwrap_or_else(|| panic!("{errors}"))
    };
    assert!(count > 10, "{arguments:?} writes {count} times");
    let mut kills = 0;
    for step in 1..=8_u64 {
        let disk = Disk::new();
        prepare(&disk.data());
        // The last writes are not the same in every run.
        let at = (count * step / 11).max(1).to_string();
        let killed = disk.program().env("RAPPORT_FAULT_KILL", &at).args(arguments).arg("--data").arg(disk.data()).output().unwrap();
        // Merges write more or less, as they come: a run may end before the write at which it would be killed.
        kills += u64::from(killed.status.code().is_none());
        let again = rapport(&disk.data(), arguments);
        let verified = rapport(&disk.data(), &["verify"]);
        assert!(
            verified.status.success(),
            "{arguments:?} killed at write {at}: {}{}{}",
            text(&again.stderr),
            text(&verified.stdout),
            text(&verified.stderr)
        );
        done(&disk.data());
    }
    assert!(kills >= 4, "{arguments:?} was killed {kills} times");
}

fn old_format(data: &Path) {
    std::fs::create_dir_all(data).unwrap();
    let packed = std::fs::File::open(PathBuf::from("fixtures/formats/2.db.gz")).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
    std::fs::write(data.join("rapport.db"), bytes).unwrap();
}

fn imported(data: &Path) {
    assert!(rapport(data, &["import", "fixtures/export", "--us", "tidemark.example"]).status.success());
}

#[test]
fn killed_while_migrating_it_migrates_at_the_next_start() {
    killed_at_any_write(old_format, &["search", "budget"], |data| {
        let found = text(&rapport(data, &["search", "budget", "--json"]).stdout);
        assert!(serde_json::from_str::<Value>(&found).unwrap()["total"].as_u64().unwrap() > 0, "{found}");
    });
}

#[test]
fn killed_while_rebuilding_the_index_it_is_whole_at_the_next_start() {
    killed_at_any_write(imported, &["reindex"], |_| {});
}

#[test]
fn killed_while_importing_the_next_import_completes_it() {
    killed_at_any_write(
        |data| std::fs::create_dir_all(data).unwrap(),
        &["import", "fixtures/export", "--us", "tidemark.example"],
        |data| {
            let again = rapport(data, &["import", "fixtures/export", "--us", "tidemark.example"]);
            assert_eq!(last_line(&again), "added 0, updated 0, unchanged 21, unmatched 0, rejected 0");
        },
    );
}

#[test]
fn killed_while_erasing_the_person_goes_all_the_same() {
    let contact = |data: &Path| {
        let found = text(&rapport(data, &["account", "1001", "--json"]).stdout);
        let profile: Value = serde_json::from_str(&found).unwrap();
        profile["sections"]["contacts"]["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["name"] == "Petra Lindqvist")
            .map(|c| c["id"].as_str().unwrap().to_owned())
    };
    let id = {
        let folder = tempfile::tempdir().unwrap();
        imported(folder.path());
        contact(folder.path()).expect("the fixture has her")
    };
    killed_at_any_write(imported, &["erase", "--contact", &id], |data| {
        assert_eq!(contact(data), None);
        let found = text(&rapport(data, &["search", "lindqvist", "--json"]).stdout);
        assert_eq!(serde_json::from_str::<Value>(&found).unwrap()["total"], 0, "{found}");
        // Whatever the kill had left undone was done since: the receipts say so.
        let served = Served::launch(program(), data);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let receipts = || runtime.block_on(get(&format!("http://{}", served.address), "/v1/erasures")).1;
        let since = Instant::now();
        while receipts()["items"][0]["purged_at"].is_null() {
            assert!(since.elapsed() < Duration::from_secs(20), "{}", receipts());
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn a_database_of_a_newer_version_and_a_damaged_one_are_told_by_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    imported(&data);
    let file = data.join("rapport.db");
    let whole = std::fs::read(&file).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Executor};
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        connection
            .execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
            .await
            .unwrap();
    });
    let newer = rapport(&data, &["verify"]);
    assert!(!newer.status.success() && text(&newer.stderr).contains("written by a newer rapport (database version 9999)"), "{}", text(&newer.stderr));
    // Bytes of a page are overwritten.
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8_192].fill(0x5a);
    std::fs::write(&file, damaged).unwrap();
    let told = rapport(&data, &["verify"]);
    let said = format!("{}{}", text(&told.stdout), text(&told.stderr));
    assert!(!told.status.success() && said.contains("rapport restore"), "{said}");
}
