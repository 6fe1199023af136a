//! `rapport eval`: the tables are printed from labelled files, and a file that cannot be used is named.

use std::process::Command;

use serde_json::json;

use crate::cli::text;

fn eval(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rapport")).arg("eval").args(arguments).output().expect("the program runs");
    (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

/// The share in a line of the table.
fn share(table: &str, what: &str) -> f64 {
    let line = table.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("no {what:?} in {table}"));
    let mut figures = line[what.len()..].split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    figures.find(|figure| *figure <= 1.0).unwrap()
}

#[test]
fn due_dates_are_found_in_the_promises_and_nowhere_else() {
    let (good, table) = eval(&["due", "fixtures/due/dates.jsonl", "fixtures/due/none.jsonl"]);
    assert!(good && share(&table, "dates") >= 0.93 && share(&table, "none") >= 0.93, "{table}");
}

#[test]
fn the_readers_table_has_its_figures_beside_simpler_methods() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let row = |text: &str, sentiment: &str, question: bool| {
        let rule = json!({ "question": text.ends_with('?'), "commitment": false, "objection": false, "positive_signal": false });
        json!({ "set": "tiny", "text": text, "side": "customer", "sentiment": sentiment, "question": question, "lexicon": 0.0, "rule": rule })
    };
    let mut lines = Vec::new();
    for n in 0..4 {
        lines.push(row(&format!("This is a terrible product, we have had {n} outages and are very angry."), "negative", false));
        lines.push(row(&format!("Excellent work, the {n} new reports are great and we love them."), "positive", false));
        lines.push(row(&format!("Could you send us {n} copies of the contract?"), "neutral", true));
    }
    lines.push(json!({ "turns": ["The weather is fine.", "We agreed to a discount of ten percent.", "Let us have lunch."],
        "queries": [{ "query": "What discount was agreed?", "relevant": [1], "original": 1 }] }));
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (good, table) = eval(&["reader", file.to_str().unwrap()]);
    assert!(good, "{table}");
    assert!(share(&table, "tiny: sentiment, non-neutral, accuracy") > 0.9, "{table}");
    assert!(share(&table, "tiny: question, F1") > 0.9, "{table}");
    assert!(table.contains("meetings: MRR of questions by vector              1  1.000, original encoder 1.000: 1.000 of it"), "{table}");

    std::fs::write(&file, "{\"set\": \"tiny\"}\n").unwrap();
    let (good, said) = eval(&["reader", file.to_str().unwrap()]);
    assert!(!good && said.contains("rows.jsonl:1: "), "{said}");
    let (good, said) = eval(&["reader", "nowhere.jsonl"]);
    assert!(!good && said.contains("nowhere.jsonl") && said.contains("held_out.py"), "{said}");
}

#[test]
fn known_mails_are_found_as_people_remember_them() {
    let (good, table) = eval(&["search", "--mails", "fixtures/export/mail", "--us", "tidemark.example"]);
    assert!(good && share(&table, "among five") > 0.9, "{table}");
    let (good, said) = eval(&["search", "--accounts", "fixtures/export"]);
    assert!(!good && said.contains("truth.json"), "{said}");
    let (good, said) = eval(&["search", "--mails", "nowhere.mbox"]);
    assert!(!good && said.contains("nowhere.mbox"), "{said}");
}
