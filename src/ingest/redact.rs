//! Taking a person out of texts: addresses, names and words of theirs become blocks of the same length, so that every
//! offset into the text stays right.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::domain::Address;
use crate::domain::entry::{Entry, name_key};

/// What stands in the place of each character.
const BLOCK: char = '█';
/// Words in a row that are somebody's own; fewer are everybody's: "Thanks", "See you on Monday".
const OWN_WORDS: usize = 5;
/// A whole line of fewer words is their own from this length on.
const OWN_LINE: usize = 16;
/// Fields of records that hold text; the others name, count or classify.
const TEXTS: [&str; 12] =
    ["name", "title", "subject", "body", "next_step", "old_value", "new_value", "location", "attributes", "products", "tags", "segments"];

/// Somebody who is taken out.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub addresses: Vec<Address>,
    /// In full, as written.
    pub names: Vec<String>,
}

impl Person {
    /// Whether a participant or speaker with this name and address is this person.
    pub fn is(&self, name: Option<&str>, email: Option<&str>) -> bool {
        match email.and_then(Address::parse) {
            Some(address) => self.addresses.contains(&address),
            None => name.and_then(name_key).is_some_and(|key| self.names.iter().any(|own| name_key(own).as_ref() == Some(&key))),
        }
    }

    /// Learns the names that stand beside the person's addresses in an entry.
    pub fn learn_names(&mut self, entry: &Entry) {
        let people = entry.participants.iter().map(|p| (&p.name, &p.email)).chain(entry.transcript.iter().map(|t| (&t.speaker, &t.email)));
        for (name, email) in people {
            if let (Some(name), Some(address)) = (name, email.as_deref().and_then(Address::parse))
                && self.addresses.contains(&address)
                && !self.names.contains(name)
                && !name.contains('@')
            {
                self.names.push(name.clone());
            }
        }
    }
}

/// Takes one person out of texts.
#[derive(Debug)]
pub struct Redactor {
    person: Person,
    addresses: Option<Regex>,
    names: Option<Regex>,
    /// Rows of words that the person wrote, and lines of few words.
    wrote: HashSet<String>,
}

impl Redactor {
    /// For a person, and the texts that they wrote.
    pub fn new(person: Person, wrote: &[String]) -> Redactor {
        let addresses: Vec<String> = person.addresses.iter().map(|address| regex::escape(address.as_str())).collect();
        // "Will" and "May" are words before they are names.
        let in_full = person.names.iter().filter(|name| name.split_whitespace().count() > 1 || is_written_without_spaces(name));
        let names: Vec<String> = in_full.map(|name| name.split_whitespace().map(regex::escape).collect::<Vec<_>>().join(r"\s+")).collect();
        let mut rows = HashSet::new();
        for text in wrote {
            let words: Vec<String> = text.lines().flat_map(|line| plain(line).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
            rows.extend(words.windows(OWN_WORDS).map(|row| row.join(" ")));
            rows.extend(text.lines().map(plain).filter(|line| line.chars().count() >= OWN_LINE));
        }
        Redactor { person, addresses: any_of(&addresses), names: any_of(&names), wrote: rows }
    }

    /// The text without the person; none when there was nothing to take out.
    pub fn text(&self, text: &str) -> Option<String> {
        let mut redacted = self.without_quotes(text);
        redacted = take_out(redacted, self.addresses.as_ref(), stands_alone_as_address);
        // Names may go over the end of a line.
        redacted = take_out(redacted, self.names.as_ref(), stands_alone_as_name);
        (redacted != text).then_some(redacted)
    }

    /// Lines all of whose words stand in rows that the person wrote, however the lines were broken when it was quoted.
    fn without_quotes(&self, text: &str) -> String {
        if self.wrote.is_empty() {
            return text.to_owned();
        }
        let lines: Vec<String> = text.split_inclusive('\n').map(plain).collect();
        let words: Vec<(usize, &str)> = lines.iter().enumerate().flat_map(|(at, line)| line.split_whitespace().map(move |word| (at, word))).collect();
        let mut theirs = vec![false; words.len()];
        for (from, row) in words.windows(OWN_WORDS).enumerate() {
            let row: Vec<&str> = row.iter().map(|(_, word)| *word).collect();
            if self.wrote.contains(&row.join(" ")) {
                theirs[from..from + OWN_WORDS].fill(true);
            }
        }
        let mut others = vec![false; lines.len()];
        for ((line, _), theirs) in words.iter().zip(&theirs) {
            others[*line] |= !theirs;
        }
        let kept = |at: usize| others[at] && !self.wrote.contains(&lines[at]);
        text.split_inclusive('\n').enumerate().map(|(at, line)| if kept(at) { line.to_owned() } else { blocks(line) }).collect()
    }

    /// Takes the person out of an entry; false when they were not in it.
    pub fn entry(&self, entry: &mut Entry) -> bool {
        let before = entry.clone();
        entry.participants.retain(|p| !self.person.is(p.name.as_deref(), p.email.as_deref()));
        for turn in &mut entry.transcript {
            if self.person.is(turn.speaker.as_deref(), turn.email.as_deref()) {
                turn.text = blocks(&turn.text);
                turn.email = None;
                turn.speaker = turn.speaker.as_deref().map(blocks);
            }
        }
        let names = entry.participants.iter_mut().map(|p| &mut p.name);
        let turns = entry.transcript.iter_mut().map(|turn| &mut turn.speaker);
        let attachments = entry.attachments.iter_mut().map(|attachment| &mut attachment.name);
        let meeting = entry.meeting.iter_mut().flat_map(|meeting| [&mut meeting.agenda, &mut meeting.outcome]);
        for text in names.chain(turns).chain(attachments).chain(meeting).chain([&mut entry.subject]) {
            if let Some(redacted) = text.as_deref().and_then(|text| self.text(text)) {
                *text = Some(redacted);
            }
        }
        for text in entry.transcript.iter_mut().map(|turn| &mut turn.text).chain([&mut entry.body]) {
            if let Some(redacted) = self.text(text) {
                *text = redacted;
            }
        }
        *entry != before
    }

    /// Takes the person out of the texts of a record, given as JSON; none when there was nothing to take out. Ids, stages
    /// and other words of the system stay, and so do the names of other people.
    pub fn record(&self, kind: &str, body: &str) -> Option<String> {
        let mut record: Value = serde_json::from_str(body).ok()?;
        let of_a_person = matches!(kind, "contact" | "team_member");
        for (field, value) in record.as_object_mut()? {
            if TEXTS.contains(&field.as_str()) && !(of_a_person && field == "name") {
                self.json(value);
            }
        }
        let redacted = record.to_string();
        (redacted != body).then_some(redacted)
    }

    fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.json(field)),
            _ => {}
        }
    }
}

fn any_of(patterns: &[String]) -> Option<Regex> {
    if patterns.is_empty() {
        return None;
    }
    RegexBuilder::new(&patterns.join("|")).case_insensitive(true).size_limit(10 << 20).build().ok()
}

fn take_out(text: String, pattern: Option<&Regex>, stands_alone: fn(Option<char>, Option<char>, &str) -> bool) -> String {
    let Some(pattern) = pattern else { return text };
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for found in pattern.find_iter(&text) {
        let (before, after) = (&text[..found.start()], &text[found.end()..]);
        if stands_alone(before.chars().next_back(), after.chars().next(), after) {
            redacted.push_str(&text[from..found.start()]);
            redacted.push_str(&blocks(found.as_str()));
            from = found.end();
        }
    }
    redacted.push_str(&text[from..]);
    redacted
}

/// Whether an address is one by itself, and no piece of another: `lee@acme.com` in `ann.lee@acme.com`, `ann@acme.co` in
/// `ann@acme.com`. A full stop after it may end the sentence.
fn stands_alone_as_address(before: Option<char>, after: Option<char>, rest: &str) -> bool {
    let in_address = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let goes_on = match after {
        Some('.') => rest.chars().nth(1).is_some_and(in_address),
        Some(c) => in_address(c) || c == '@',
        None => false,
    };
    !before.is_some_and(|c| in_address(c) || matches!(c, '.' | '+')) && !goes_on
}

fn stands_alone_as_name(before: Option<char>, after: Option<char>, _: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() && !is_without_spaces(c);
    !before.is_some_and(in_word) && !after.is_some_and(in_word)
}

fn is_without_spaces(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{20000}'..='\u{2FA1F}')
}

fn is_written_without_spaces(name: &str) -> bool {
    name.chars().count() > 1 && name.chars().all(is_without_spaces)
}

fn blocks(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { c } else { BLOCK }).collect()
}

/// A line as it reads without the marks of quoting.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches(['>', ' ', '\t', '|']).trim_end().to_lowercase();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(addresses: &[&str], names: &[&str], wrote: &[&str]) -> Redactor {
        let person = Person {
            addresses: addresses.iter().map(|a| Address::parse(a).unwrap()).collect(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        Redactor::new(person, &wrote.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_addresses_and_quoted_words_become_blocks_of_the_same_length() {
        let redactor = redactor(&["ann.lee@acme.example"], &["Ann Lee"], &["Our budget is approved for March.\nThanks"]);
        let text = "On Monday Ann\n Lee <Ann.Lee@acme.example> wrote:\n> Our budget is approved for March.\n> Thanks\nGood news, Annleen!";
        let redacted = redactor.text(text).unwrap();
        assert_eq!(redacted, "On Monday ███\n ███ <████████████████████> wrote:\n█ ███ ██████ ██ ████████ ███ ██████\n█ ██████\nGood news, Annleen!");
        assert_eq!(redacted.chars().count(), text.chars().count());
        assert_eq!(redactor.text("nobody of that name"), None);
        assert_eq!(redactor.text(&redacted), None, "once is enough");
    }

    #[test]
    fn other_people_stay() {
        let redactor = redactor(&["lee@acme.co", "ann@acme.co"], &["Will", "Won Park"], &[]);
        for text in ["ann.lee@acme.co", "ann@acme.com", "xann@acme.co", "ann@acme.co.uk", "Will it work? It will.", "Wonpark"] {
            assert_eq!(redactor.text(text), None, "{text}");
        }
        assert_eq!(redactor.text("Ask ann@acme.co. Or <lee@acme.co>,ann@acme.co").unwrap(), "Ask ███████████. Or <███████████>,███████████");
        let other = r#"{"emails":["ann@acme.com"],"id":"Won Park","name":"Won Park","status":"won","title":"with Won Park"}"#;
        let record = redactor.record("contact", other).unwrap();
        assert_eq!(record, r#"{"emails":["ann@acme.com"],"id":"Won Park","name":"Won Park","status":"won","title":"with ███ ████"}"#);
    }

    #[test]
    fn quotes_are_known_however_their_lines_are_broken_and_names_in_every_script() {
        let redactor = redactor(&[], &["李小龍"], &["We decided to move all the depots to the north before the end of May."]);
        let quoted = "> We decided to move all\n> the depots\n> to the north before\n> the end of May.\nWe decided to go home.";
        let redacted = redactor.text(quoted).unwrap();
        assert!(redacted.ends_with("We decided to go home.") && !redacted.contains("depots") && !redacted.contains("move all"), "{redacted}");
        assert_eq!(redactor.text("昨日李小龍說").unwrap(), "昨日███說");
    }
}
