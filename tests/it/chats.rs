//! Exported chats and address books, as a careful person would read them.

use std::path::PathBuf;

use jiff::Timestamp;
use rapport::ingest::{card, chat};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from("fixtures/exports").join(name)
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(&format!("{name}.expected.json"))).unwrap()).unwrap()
}

#[test]
fn chats_are_read_as_a_person_would() {
    let mut wrong = Vec::new();
    for name in ["whatsapp-ios.txt", "whatsapp-android.txt", "slack-2026-03-02.json", "teams-chat.json"] {
        let words = |text: &str| text.replace(['\u{a0}', '*', '•'], " ").split_whitespace().filter(|w| *w != "-").collect::<Vec<_>>().join(" ");
        let found: Vec<(i64, String, String)> = chat::read(&std::fs::read(fixture(name)).unwrap())
            .unwrap()
            .into_iter()
            .flat_map(|c| {
                let start = c.transcript.occurred_at.unwrap().as_second();
                c.transcript.turns.into_iter().map(move |t| (start + t.start.unwrap() as i64, t.speaker.unwrap(), words(&t.text)))
            })
            .collect();
        let truth = expected(name);
        let mut left = found.clone();
        for conversation in truth["records"].as_array().unwrap() {
            let start: Timestamp = conversation["started_at"].as_str().unwrap().parse().unwrap();
            for segment in conversation["segments"].as_array().unwrap() {
                let at = start.as_second() + segment["seconds"].as_f64().unwrap() as i64;
                let (who, text) = (segment["speaker"].as_str().unwrap_or_default(), words(segment["text"].as_str().unwrap()));
                let same = |m: &(i64, String, String)| {
                    (m.0 - at).abs() <= 1 && (m.2 == text || m.2.replace('@', "") == text.replace('@', "")) && (m.1 == who || who.starts_with(&m.1))
                };
                match left.iter().position(same) {
                    Some(i) => drop(left.remove(i)),
                    None if segment["optional"] == true => left.retain(|m| (m.0 - at).abs() > 1),
                    None => wrong.push(format!(
                        "{name}: missing {at} {who}: {text:?}\n   near: {:?}",
                        found.iter().filter(|m| (m.0 - at).abs() < 90).collect::<Vec<_>>()
                    )),
                }
            }
        }
        wrong.extend(left.iter().map(|m| format!("{name}: too much: {m:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn address_books_of_every_version_are_read() {
    let drafts = card::drafts(&std::fs::read(fixture("contacts.vcf")).unwrap()).unwrap();
    let found: Vec<_> = drafts.iter().filter_map(|d| d.as_ref().ok()).collect();
    let mut wrong = Vec::new();
    for wanted in expected("contacts.vcf")["records"].as_array().unwrap() {
        let name = wanted["name"].as_str().or(wanted["name_contains"][0].as_str()).unwrap();
        let Some(draft) = found.iter().find(|d| d.record.get("name").and_then(Value::as_str).is_some_and(|n| n.contains(name))) else {
            wrong.push(format!("missing {name}: {:?}", found.iter().map(|d| d.record.get("name")).collect::<Vec<_>>()));
            continue;
        };
        for field in ["title", "phone", "timezone"] {
            if wanted[field].is_string() && draft.record.get(field) != Some(&wanted[field]) {
                wrong.push(format!("{name}: {field} {:?}, not {}", draft.record.get(field), wanted[field]));
            }
        }
        if wanted["emails"][0] != draft.record["emails"][0]
            || wanted["emails"].as_array().map(Vec::len) != draft.record["emails"].as_array().map(Vec::len)
        {
            wrong.push(format!("{name}: {}, not {}", draft.record["emails"], wanted["emails"]));
        }
        let company = draft.company.as_ref().and_then(|c| c.name.clone());
        if company.as_deref() != wanted["account"]["name"].as_str() {
            wrong.push(format!("{name}: of {company:?}, not {}", wanted["account"]["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
