//! Words that stand in a mail and that nobody sees are kept, listed, and never read as said.

use std::path::Path;

use rapport::domain::entry::new_words;
use rapport::ingest::{concealed, email};
use serde_json::Value;

fn squeezed(text: &str) -> String {
    // Plain versions write links out and mark words.
    let text = text
        .split('<')
        .map(|part| if part.starts_with("http") { part.split_once('>').map_or("", |(_, rest)| rest) } else { part })
        .collect::<String>();
    concealed::visible(&text)
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '>' | '*' | '_' | '\u{200c}' | '\u{200d}'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[test]
fn what_a_reader_sees_is_said_and_nothing_else() {
    let folder = Path::new("fixtures/hidden");
    // Needs knowledge of what is painted over what.
    let beyond = ["146-covered-by-a-box.eml"];
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for line in std::fs::read_to_string(folder.join("expected.jsonl")).unwrap().lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let file = expected["file"].as_str().unwrap();
        if expected["how"].as_str().unwrap().starts_with("DOUBTFUL") || beyond.contains(&file) {
            continue;
        }
        let mail = email::parse(&std::fs::read(folder.join(file)).unwrap(), "2026-03-02T12:00:00Z".parse().unwrap()).unwrap();
        let said: String = new_words(&mail.entry.body, &mail.spans).map(|(_, words)| squeezed(words)).collect();
        let body = squeezed(&mail.entry.body);
        let names: String = mail
            .entry
            .participants
            .iter()
            .filter_map(|p| p.name.clone())
            .chain(mail.entry.attachments.iter().filter_map(|a| a.name.clone()))
            .collect();
        let elsewhere = squeezed(&format!("{}{names}", mail.entry.subject.clone().unwrap_or_default()));
        for sentence in expected["visible"].as_array().unwrap().iter().filter_map(Value::as_str) {
            checked += 1;
            let sentence = squeezed(sentence);
            if !body.contains(&sentence) && !elsewhere.contains(&sentence) {
                wrong.push(format!("{file}: not seen: {sentence}"));
            }
        }
        let listed: String = mail.hidden.iter().map(|h| squeezed(&h.text)).collect();
        for sentence in expected["hidden"].as_array().unwrap().iter().filter_map(Value::as_str) {
            checked += 1;
            let (plain, how) = (squeezed(sentence), expected["how"].as_str().unwrap());
            if said.contains(&plain) || elsewhere.contains(&plain) {
                wrong.push(format!("{file}: said: {sentence} ({how})"));
            } else if mail.hidden.is_empty()
                && !["title", "comment", "preamble", "third alternative", "meta content", "<template>"].iter().any(|w| how.contains(w))
            {
                wrong.push(format!("{file}: not listed: {sentence} ({how})"));
            } else if !listed.contains(&plain)
                && file.starts_with('1')
                && !how.contains("<title>")
                && !how.contains("<template>")
                && !how.contains("comment")
                && !how.contains("meta content")
            {
                wrong.push(format!("{file}: not listed: {sentence} ({how}) in {listed}"));
            }
        }
        if expected["legitimate"] == true && expected["hidden"] == serde_json::json!([]) && !mail.hidden.is_empty() {
            wrong.push(format!("{file}: alarm: {:?}", mail.hidden));
        }
    }
    assert!(checked > 300, "{checked}");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}
