//! Taking a person out of texts: names, addresses and words of theirs become blocks of the same length, so that every
//! offset into the text stays right.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use crate::domain::entry::Entry;
use crate::domain::{Address, entry::name_key};

/// What stands in the place of each character.
const BLOCK: char = '█';
/// Lines shorter than this are nobody's own words: "Hi", "Thanks".
const OWN_WORDS: usize = 12;

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

    /// Texts that name the person, in lower case, to find rows by.
    pub fn needles(&self) -> Vec<String> {
        let names = self.names.iter().map(|name| name.to_lowercase());
        self.addresses.iter().map(|address| address.as_str().to_owned()).chain(names).collect()
    }
}

/// Takes one person out of texts.
#[derive(Debug)]
pub struct Redactor {
    person: Person,
    named: Option<Regex>,
    /// Lines that the person wrote, wherever they are quoted.
    lines: HashSet<String>,
}

impl Redactor {
    /// For a person, and the texts that they wrote.
    pub fn new(person: Person, wrote: &[String]) -> Redactor {
        let address = |address: &Address| format!(r"\b{}", regex::escape(address.as_str()));
        let name = |name: &String| format!(r"\b{}\b", name.split_whitespace().map(regex::escape).collect::<Vec<_>>().join(r"\s+"));
        let names = person.names.iter().filter(|name| name.trim().chars().count() > 2).map(name);
        let patterns: Vec<String> = person.addresses.iter().map(address).chain(names).collect();
        let named = RegexBuilder::new(&patterns.join("|")).case_insensitive(true).size_limit(10 << 20).build();
        let named = named.ok().filter(|_| !patterns.is_empty());
        let lines = wrote.iter().flat_map(|text| text.lines()).map(plain).filter(|line| line.chars().count() >= OWN_WORDS).collect();
        Redactor { person, named, lines }
    }

    /// The text without the person; none when there was nothing to take out.
    pub fn text(&self, text: &str) -> Option<String> {
        let mut redacted = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            if self.lines.contains(&plain(line)) {
                redacted.extend(line.chars().map(|c| if c.is_whitespace() { c } else { BLOCK }));
            } else {
                redacted.push_str(line);
            }
        }
        // Names may go over the end of a line.
        if let Some(named) = &self.named {
            redacted = named.replace_all(&redacted, |found: &regex::Captures<'_>| blocks(&found[0])).into_owned();
        }
        (redacted != text).then_some(redacted)
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
        let texts = entry.participants.iter_mut().flat_map(|p| [&mut p.name, &mut p.email]);
        let turns = entry.transcript.iter_mut().map(|turn| &mut turn.speaker);
        let attachments = entry.attachments.iter_mut().map(|attachment| &mut attachment.name);
        let meeting = entry.meeting.iter_mut().flat_map(|meeting| [&mut meeting.agenda, &mut meeting.outcome]);
        for text in texts.chain(turns).chain(attachments).chain(meeting).chain([&mut entry.subject]) {
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

    /// Takes the person out of every text of a JSON value.
    pub fn json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                if let Some(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| self.json(field)),
            _ => {}
        }
    }
}

fn blocks(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { c } else { BLOCK }).collect()
}

/// A line as it reads without the marks of quoting.
fn plain(line: &str) -> String {
    line.trim_start_matches(['>', ' ', '\t', '|']).trim_end().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_quoted_words_become_blocks_of_the_same_length() {
        let person = Person { addresses: vec![Address::parse("ann.lee@acme.example").unwrap()], names: vec!["Ann Lee".to_owned()] };
        let wrote = ["Our budget is approved for March.\nThanks".to_owned()];
        let redactor = Redactor::new(person, &wrote);
        let text = "On Monday Ann\n Lee <Ann.Lee@acme.example> wrote:\n> Our budget is approved for March.\n> Thanks\nGood news, Annleen!";
        let redacted = redactor.text(text).unwrap();
        assert_eq!(redacted, "On Monday ███\n ███ <████████████████████> wrote:\n█ ███ ██████ ██ ████████ ███ ██████\n> Thanks\nGood news, Annleen!");
        assert_eq!(redacted.chars().count(), text.chars().count());
        assert_eq!(redactor.text("nobody of that name"), None);
        assert_eq!(redactor.text(&redacted), None, "once is enough");
    }
}
