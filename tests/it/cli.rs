//! The command line: exit codes, last lines, JSON, and how it shares a data directory with a server.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::app::raw_mail;
use crate::database;

/// The program, on the database that belongs to a directory.
pub fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    // Reading is tested by itself: it would take the time of all others.
    command.env("RAPPORT_READER", "off");
    if let Some(url) = database::url_now(data) {
        command.env("DATABASE_URL", url);
    }
    command
}

pub fn rapport(data: &Path, arguments: &[&str]) -> Output {
    let mut command = program(data);
    command.args(arguments).arg("--data").arg(data).output().expect("the program runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn last_line(output: &Output) -> String {
    text(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

/// A server on a free port; killed when dropped.
pub struct Served {
    pub child: Child,
    pub address: String,
}

impl Served {
    pub fn start(data: &Path) -> Served {
        Served::launch(program(data), data)
    }

    /// Starts a program that is set up already.
    pub fn launch(mut program: Command, data: &Path) -> Served {
        let mut child =
            program.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Served { child, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mbox() -> String {
    let mails = [
        raw_mail(
            "1@a",
            "ann@acme.example",
            "jo@us.example",
            "Tue, 3 Feb 2026 09:12:00 +0000",
            "Scanner outage",
            "",
            "The scanners in Leeds stopped.",
        ),
        raw_mail(
            "2@u",
            "jo@us.example",
            "ann@acme.example",
            "Tue, 3 Feb 2026 10:12:00 +0000",
            "Re: Scanner outage",
            "In-Reply-To: <1@a>\r\n",
            "We look at it.",
        ),
        raw_mail("3@g", "bob@gmail.com", "jo@us.example", "Tue, 3 Feb 2026 11:12:00 +0000", "Hello", "", "From the start it worked."),
    ];
    mails.iter().map(|m| format!("From x Tue Feb  3 09:12:00 2026\n{}\n", m.replace("\r\n", "\n"))).collect()
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn gzip(content: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn import_takes_files_and_folders_and_says_what_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let (data, files) = (directory.path().join("data"), directory.path().join("files"));
    write(&files.join("mail.mbox.gz"), gzip(&mbox()));
    write(
        &files.join("Maildir/cur/1:2,S"),
        raw_mail("4@a", "ann@acme.example", "jo@us.example", "Wed, 4 Feb 2026 09:12:00 +0000", "Third", "", "More words."),
    );
    write(&files.join("Maildir/new/.keep"), "");
    write(&files.join("Maildir/tmp/2"), "half a mail");
    write(&files.join("crm.ndjson"), "{\"kind\":\"account\",\"id\":\"corp\",\"name\":\"Corp\"}\n");
    let path = files.to_str().unwrap();
    let first = rapport(&data, &["import", path, "--us", "us.example", "--discover-accounts"]);
    assert_eq!(
        (first.status.code(), last_line(&first).as_str()),
        (Some(0), "added 5, updated 0, unchanged 0, unmatched 1, rejected 0"),
        "{}",
        text(&first.stderr)
    );
    let again = rapport(&data, &["import", path]);
    assert_eq!(last_line(&again), "added 0, updated 0, unchanged 5, unmatched 0, rejected 0");

    let found = rapport(&data, &["search", "=scanners", "--json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((found["total"].as_u64(), found["hits"][0]["account_id"].as_str()), (Some(1), Some("acme.example")));
    let profile: Value = serde_json::from_slice(&rapport(&data, &["account", "acme.example", "--json"]).stdout).unwrap();
    assert_eq!(profile["sections"]["summary"]["state"], "ready");
    assert_eq!(profile["sections"]["communications"]["data"]["counts"]["email_received"], 2);
    let shown = text(&rapport(&data, &["account", "acme.example"]).stdout);
    assert!(shown.contains("Summary") && shown.contains("Third") && !shown.contains('\u{1b}'), "{shown}");
    let summary: Value = serde_json::from_slice(&rapport(&data, &["summarize", "acme.example", "--force", "--json"]).stdout).unwrap();
    assert_eq!((summary["version"].as_i64(), summary["refreshed_because"]["trigger"].as_str()), (Some(2), Some("manual")));
    let jobs: Value = serde_json::from_slice(&rapport(&data, &["jobs", "--json"]).stdout).unwrap();
    assert_eq!(jobs["counts"], serde_json::json!({ "queued": 0, "running": 0, "failed": 0, "dead": 0 }));
    assert!(text(&rapport(&data, &["reindex"]).stdout).starts_with("indexed 4 entries"));
}

#[test]
fn each_rejection_is_a_line_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let records = directory.path().join("bad.ndjson");
    write(&records, b"{\"kind\":\"account\",\"id\":\"a\"}\n{\"kind\":\"account\"}\n\n\xff\xfe\n{\"kind\":\"lead\",\"id\":\"x\"}\n{\"kind\":\"account\",\"id\":\"b\"}".as_slice());
    let picture = directory.path().join("picture.png");
    write(&picture, b"\x89PNG\r\n\x1a\n".as_slice());
    let cut = directory.path().join("cut.mbox.gz");
    write(&cut, &gzip(&mbox())[..120]);
    let output = rapport(&data, &["import", records.to_str().unwrap(), picture.to_str().unwrap(), cut.to_str().unwrap()]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(last_line(&output).starts_with("added 2, updated 0, unchanged 0"), "{}", last_line(&output));
    for says in [
        "bad.ndjson:2: missing field `id`",
        "bad.ndjson:4: not UTF-8 from byte 0",
        "bad.ndjson:5: kind \"lead\" is none of",
        "picture.png: not a format",
        "cut.mbox.gz: the file cannot be read on",
    ] {
        assert!(errors.contains(says), "{says} in {errors}");
    }
}

#[test]
fn what_was_rejected_is_kept_and_taken_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (good, bad) = (directory.path().join("good.ndjson"), directory.path().join("bad.ndjson"));
    write(&good, "{\"kind\":\"account\",\"id\":\"a\"}\n");
    write(&bad, "{\"kind\":\"account\",\"id\":\"b\"}\n{\"kind\":\"account\"}\n");
    let (good, path) = (good.to_str().unwrap(), bad.to_str().unwrap());
    assert_eq!(rapport(&data, &["import", good, path]).status.code(), Some(3));
    let listed = rapport(&data, &["import", "--rejected"]);
    assert_eq!((listed.status.code(), text(&listed.stdout).trim()), (Some(0), format!("{path}:2: missing field `id`").as_str()));
    // Mended, the file alone is taken once more, and nothing is rejected any longer.
    write(&bad, "{\"kind\":\"account\",\"id\":\"b\"}\n{\"kind\":\"account\",\"id\":\"c\"}\n");
    let again = rapport(&data, &["import", "--retry"]);
    assert_eq!((again.status.code(), last_line(&again).as_str()), (Some(0), "added 1, updated 0, unchanged 1, unmatched 0, rejected 0"));
    assert_eq!(text(&rapport(&data, &["import", "--rejected"]).stdout).trim(), "");
}

#[test]
fn wrong_use_exits_2_and_failure_1_each_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for (arguments, code, says) in [
        (vec!["import", "/nowhere/at/all"], 2, "no such file"),
        (vec!["import", "Cargo.toml", "--us", "not a domain"], 2, "not a domain such as"),
        (vec!["search", "\"open"], 2, "never closed"),
        (vec!["search", ""], 2, "empty"),
        (vec!["search", "x", "--limit", "0"], 2, "--limit"),
        (vec!["search", "x"], 1, "holds no data yet"),
        (vec!["account", "x"], 1, "holds no data yet"),
        (vec!["serve", "--listen", "0.0.0.0:0"], 2, "can be reached from other machines"),
    ] {
        let output = rapport(&data, &arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("something"), "else").unwrap();
    let output = rapport(&data, &["demo", "--listen", "127.0.0.1:0"]);
    assert!(text(&output.stderr).contains("holds something else than the demo"), "{}", text(&output.stderr));
    assert!(data.join("something").exists());
}

#[test]
fn beside_a_server_reading_goes_on_and_writing_goes_through_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mail = directory.path().join("mail.mbox");
    write(&mail, mbox());
    let served = Served::start(&data);
    let imported = rapport(&data, &["import", mail.to_str().unwrap(), "--us", "us.example", "--discover-accounts"]);
    assert_eq!(last_line(&imported), "added 3, updated 0, unchanged 0, unmatched 1, rejected 0", "{}", text(&imported.stderr));
    let found: Value = serde_json::from_slice(&rapport(&data, &["search", "leeds", "--json"]).stdout).unwrap();
    assert_eq!(found["total"], 1);
    let summary = rapport(&data, &["summarize", "acme.example", "--force", "--json"]);
    let summary: Value = serde_json::from_slice(&summary.stdout).unwrap_or_else(|_| panic!("{}", text(&summary.stderr)));
    // The first summary is due anyway: of several causes the first in the contract's order counts, unless it was made already.
    assert!(["first", "manual"].contains(&summary["refreshed_because"]["trigger"].as_str().unwrap()), "{summary}");
    assert!(text(&rapport(&data, &["reindex"]).stdout).starts_with("indexed 3 entries"));
    let second = rapport(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains(&format!("already served on http://{}", served.address)), "{}", text(&second.stderr));
    // SIGTERM: it finishes what is under way and ends well.
    let pid = served.child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let mut served = served;
    assert!(served.child.wait().unwrap().success());
}

#[test]
fn logs_hold_no_words_and_no_addresses() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mail = directory.path().join("mail.mbox");
    write(&mail, mbox());
    let output = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["import", mail.to_str().unwrap(), "--us", "us.example", "--data", data.to_str().unwrap()])
        .env("RAPPORT_LOG", "trace")
        .env("RAPPORT_LOG_FORMAT", "json")
        .output()
        .unwrap();
    let log = text(&output.stderr);
    assert!(log.lines().count() > 3, "{log}");
    for secret in ["scanners", "Leeds", "ann@acme", "bob@gmail", "Hello"] {
        assert!(!log.contains(secret), "{secret}: {}", log.lines().find(|l| l.contains(secret)).unwrap_or_default());
    }
}
