//! "Bring your data" in the README: every command there prints what stands below it, and a folder of one of each
//! becomes the timelines that a person would expect.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::cli::{Served, program};

fn rapport(data: &Path, arguments: &[String]) -> Output {
    let mut command = program(data);
    command.args(arguments).env("RAPPORT_DATA", data).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The words of a command, quoted as in a shell.
fn words(command: &str) -> Vec<String> {
    let pieces = command.split('"').enumerate();
    pieces.flat_map(|(i, piece)| if i % 2 == 1 { vec![piece.to_owned()] } else { piece.split_whitespace().map(str::to_owned).collect() }).collect()
}

#[test]
fn the_readme_shows_what_happens() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let page = readme.split("## Bring your data").nth(1).expect("the page is there");
    let page = page.split("\n## ").next().unwrap();
    let mut checked = 0;
    // The first command takes all; the others begin anew, each on top of the last.
    let (all, each) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for block in page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        for example in block.split("$ rapport ").skip(1) {
            let (command, printed) = example.split_once('\n').unwrap();
            let data = if checked == 0 { &all } else { &each };
            let output = rapport(data.path(), &words(command));
            assert_eq!(text(&output.stdout).trim_end(), printed.trim_end(), "rapport {command}\n{}", text(&output.stderr));
            checked += 1;
        }
    }
    assert!(checked >= 11, "{checked} examples were found");
}

/// One line for each entry, newest first: when, what, whose, subject, who speaks.
async fn told(server: &Served, account: &str) -> Vec<String> {
    let url = format!("http://{}/v1/accounts/{account}/timeline?limit=100", server.address);
    let timeline: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |e: &Value| {
        let mut line = format!("{} {} {} {}", word(&e["occurred_at"]), word(&e["type"]), word(&e["side"]), word(&e["subject"]));
        for turn in e["transcript"].as_array().unwrap() {
            line = format!("{line} | {} ({}) {}", word(&turn["speaker"]), word(&turn["side"]), turn["start"]);
        }
        line
    };
    // Contacts are dated by the export, which has no dates for them.
    timeline["items"].as_array().unwrap().iter().filter(|e| e["type"] != "contact_added").map(line).collect()
}

#[tokio::test]
async fn one_of_each_becomes_the_timelines_a_person_would_expect() {
    let data = tempfile::tempdir().unwrap();
    let import = ["import", "fixtures/export", "--us", "tidemark.example"].map(str::to_owned);
    assert!(rapport(data.path(), &import).status.success());
    let server = Served::start(data.path());
    assert_eq!(
        told(&server, "1001").await,
        [
            "2026-02-18T06:00:03Z email_received customer Automatische Antwort: Angebot für 40 Terminals",
            "2026-02-10T09:00:00Z meeting - Rollout Nordlicht",
            "2026-02-03T09:00:00Z meeting - Rollout Nordlicht",
            "2026-01-28T12:00:00Z meeting - Kick-off Nordlicht | Sam Okafor (us) 0.0 | Jonas Brandt (customer) 4.5",
            "2026-01-20T14:00:00Z call - Nordlicht | Sam Okafor (us) 1.0 | Petra Lindqvist (customer) 5.8 | Sam Okafor (us) 15.3",
            "2026-01-13T10:02:44Z email_sent us Re: Angebot für 40 Terminals",
            "2026-01-12T10:15:00Z deal_created - 40 Terminals Rostock (Proposal, 58,000)",
            "2026-01-12T08:41:10Z email_received customer Angebot für 40 Terminals",
        ]
    );
    assert_eq!(
        told(&server, "1002").await,
        [
            "2026-02-20T11:00:00Z order_placed customer Order 2026-014: EUR 1,290",
            "2026-02-12T10:15:00Z integration_event - Chat with Lucía Ferrer, Sam Okafor | Lucía Ferrer (customer) 0.0 | Sam Okafor (us) 60.0 | Lucía Ferrer (customer) 240.0",
            "2026-02-11T09:30:00Z call - Casa Verde | Lucía Ferrer (customer) 0.5 | Sam Okafor (us) 3.2",
            "2026-02-09T08:05:00Z integration_event customer El terminal no enciende",
            "2026-02-05T15:20:00Z email_received customer Factura de enero",
        ]
    );
}
