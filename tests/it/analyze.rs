//! `rapport analyze`: texts in, readings out, as the contract says; whatever comes in, an answer or null.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::cli::text;

/// Runs the command on these lines.
fn analyze(input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    command.arg("analyze").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has read everything.
    let fed = std::thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let output = child.wait_with_output().unwrap();
    fed.join().unwrap();
    output
}

/// The readings of these lines.
fn read(lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = analyze(&input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn slice(text: &str, found: &Value, start: &str, end: &str) -> String {
    let at = |key: &str| usize::try_from(found[key].as_u64().unwrap()).unwrap();
    text.chars().skip(at(start)).take(at(end) - at(start)).collect()
}

fn kinds(reading: &Value) -> Vec<&str> {
    reading["highlights"].as_array().unwrap().iter().map(|h| h["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_line_out_for_each_line_in_with_what_the_contract_names() {
    let mail = "Hi Ann,\n\nthe new release is great, it saved us hours.\n\nI will send you the signed order form by Friday.\nCan you tell me when the licences will arrive?\n\nOn Mon, 2 Mar 2026 Ann wrote:\n> Will you sign? This is too expensive.\n\nBest regards,\nTom";
    let lines = [
        json!({ "id": "b", "text": mail, "format": "email", "occurred_at": "2026-03-10T09:00:00Z", "timezone": "Europe/Berlin" }),
        json!({ "id": "a", "text": "We are switching from Acme Cloud to you because it is far too expensive for us.", "title": "CFO",
            "competitors": [{ "id": "acme", "name": "Acme", "aliases": ["Acme Cloud"], "domains": ["acme.io"] }] }),
        json!({ "id": "de", "text": "Wir sind mit dem Angebot leider überhaupt nicht zufrieden und werden kündigen." }),
    ];
    let read = read(&lines);
    assert_eq!(read.iter().map(|reading| reading["id"].as_str().unwrap()).collect::<Vec<_>>(), ["b", "a", "de"]);
    for reading in &read {
        let mut keys: Vec<&String> = reading.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["competitor_mentions", "engine", "highlights", "id", "language", "sentiment"]);
        assert_eq!((reading["engine"]["kind"].as_str(), reading["engine"]["version"].is_string()), (Some("local"), true));
    }
    let first = &read[0];
    assert_eq!((first["language"].as_str(), first["sentiment"]["label"].as_str()), (Some("en"), Some("positive")), "{first}");
    assert_eq!(kinds(first), ["commitment", "question"], "{first}");
    for highlight in first["highlights"].as_array().unwrap() {
        assert_eq!(slice(mail, highlight, "start", "end"), highlight["quote"].as_str().unwrap());
        assert!((0.5..=1.0).contains(&highlight["confidence"].as_f64().unwrap()) && highlight["side"] == "customer");
    }
    // Friday of that week, until its last second in Berlin.
    let commitment = &first["highlights"][0];
    assert_eq!((commitment["due_date"].as_str(), commitment["due_at"].as_str()), (Some("2026-03-13"), Some("2026-03-13T22:59:59Z")));
    let mention = &read[1]["competitor_mentions"][0];
    assert_eq!(
        (mention["competitor"].as_str(), mention["mention"].as_str(), mention["stance"].as_str()),
        (Some("acme"), Some("Acme Cloud"), Some("switching_from")),
        "{mention}"
    );
    assert_eq!(slice(lines[1]["text"].as_str().unwrap(), mention, "mention_start", "mention_end"), "Acme Cloud");
    // It cannot be scored, so it is not guessed.
    assert_eq!((read[2]["language"].as_str(), &read[2]["sentiment"]), (Some("de"), &Value::Null));
}

#[test]
fn whatever_comes_in_is_answered() {
    let endless = "we went on and on about the same old thing and ".repeat(21_000);
    let letters = "x".repeat(200_000);
    let texts = [
        "",
        " \n\t ",
        "!!!",
        "👍",
        "👍 😡 🎉 👩‍🚀",
        "THIS IS NOT WORKING AND I AM VERY ANGRY ABOUT IT!!!",
        "\u{0}\u{1}\u{2}\u{fffd}\u{200b}\u{202e}abc",
        "PK\u{3}\u{4}\u{14}\u{0}\u{8}\u{0}ÿØÿà\u{0}\u{10}JFIF",
        "Guten Tag, this is great, merci beaucoup, 谢谢你 спасибо",
        "中文的句子没有空格。",
        "a",
        "?",
        "> quoted only\n> words",
        &endless,
        &letters,
    ];
    let lines: Vec<Value> = texts.iter().enumerate().map(|(at, text)| json!({ "id": at.to_string(), "text": text })).collect();
    let read = read(&lines);
    assert_eq!(read.len(), texts.len());
    for (reading, text) in read.iter().zip(texts) {
        for found in reading["highlights"].as_array().unwrap() {
            assert_eq!(slice(text, found, "start", "end"), found["quote"].as_str().unwrap());
        }
        let sentiment = &reading["sentiment"];
        assert!(sentiment.is_null() || (-1.0..=1.0).contains(&sentiment["score"].as_f64().unwrap()), "{sentiment}");
    }
    for nothing in [0, 1, 2, 3, 4, 9] {
        assert!(read[nothing]["sentiment"].is_null(), "{:?}", texts[nothing]);
    }
    assert_eq!(read[5]["sentiment"]["label"], "negative", "{}", read[5]);
}

#[test]
fn what_is_no_question_is_refused_with_its_line() {
    for (line, reason) in [
        ("not json", "line 2: "),
        (r#"{"id":"1"}"#, "line 2: missing field `text`"),
        (r#"{"id":"1","text":"x","side":"theirs"}"#, "line 2: "),
        (r#"{"id":"1","text":"x","mood":"good"}"#, "line 2: unknown field `mood`"),
        (r#"{"id":"1","text":"x","timezone":"Mars/Base"}"#, "line 2: timezone: \"Mars/Base\" is not known"),
    ] {
        let output = analyze(&format!("{{\"id\":\"0\",\"text\":\"It works.\"}}\n{line}\n"));
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
    let nothing = analyze("\n\n");
    assert!(nothing.status.success() && nothing.stdout.is_empty());
}
