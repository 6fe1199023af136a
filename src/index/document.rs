//! An entry as the index sees it.

use sha2::{Digest, Sha256};

use super::query::operator::Has;
use super::stem;
use crate::domain::Address;
use crate::domain::entry::{Entry, ParticipantRole, Side, name_key};
use crate::domain::reading::{EntryReading, HighlightKind};
use crate::domain::span::{Span, SpanKind, slices};

/// The words and filters of one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub number: u64,
    pub account: u64,
    pub occurred_at: jiff::Timestamp,
    pub r#type: &'static str,
    /// Filter keys of everyone who took part.
    pub people_keys: Vec<String>,
    /// As [`thread_key`] makes it; 0 without one.
    pub thread: u64,
    /// What conditions ask for, as [`tag`] writes it.
    pub tags: Vec<String>,
    /// In ten thousandths.
    pub sentiment: Option<i64>,
    pub subject: String,
    /// What was said: new words, transcript, ticket text.
    pub new: String,
    /// Quoted words, signatures, footers, automatic text, agendas.
    pub other: String,
    /// Names and addresses.
    pub people: String,
    /// Names and words of attachments.
    pub files: String,
    /// Of the subject and what was said.
    pub stems: String,
    /// Names and addresses by the part that they took.
    pub from: String,
    pub to: String,
    pub cc: String,
}

/// Text of one entry beyond this is not indexed; what remains findable is its first mebibyte of words.
const MAX_TEXT: usize = 1024 * 1024;

impl Document {
    pub fn of(number: i64, account: i64, entry: &Entry, spans: &[Span], attachments: &[(usize, String)], reading: Option<&EntryReading>) -> Document {
        let mut document = Document {
            number: number.unsigned_abs(),
            account: account.unsigned_abs(),
            occurred_at: entry.occurred_at,
            r#type: entry.r#type.as_str(),
            people_keys: Vec::new(),
            thread: entry.thread_id.as_deref().map_or(0, thread_key),
            tags: tags(entry, reading),
            sentiment: reading.and_then(|reading| reading.sentiment.as_ref()).map(|said| (said.sentiment.score * 10_000.0).round() as i64),
            subject: entry.subject.clone().unwrap_or_default(),
            new: String::new(),
            other: String::new(),
            people: String::new(),
            files: String::new(),
            stems: String::new(),
            from: String::new(),
            to: String::new(),
            cc: String::new(),
        };
        for (span, text) in slices(&entry.body, spans) {
            match span.kind {
                SpanKind::New => {
                    line(&mut document.new, text);
                    stem::add(&mut document.stems, text, span.language);
                }
                // What nobody sees was not said, and is not found.
                SpanKind::Hidden => {}
                SpanKind::Quoted | SpanKind::Signature | SpanKind::Footer | SpanKind::Automatic => line(&mut document.other, text),
            }
        }
        // Of a subject, and of what was said, nobody told the language: it is that of the rest.
        let language = reading.and_then(|reading| reading.language).or_else(|| spans.iter().find_map(|span| span.language));
        stem::add(&mut document.stems, &document.subject, language);
        for segment in &entry.transcript {
            line(&mut document.new, &segment.text);
            stem::add(&mut document.stems, &segment.text, language);
            document.person(segment.speaker.as_deref(), segment.email.as_deref());
        }
        if let Some(meeting) = &entry.meeting {
            line(&mut document.new, meeting.outcome.as_deref().unwrap_or_default());
            line(&mut document.other, meeting.agenda.as_deref().unwrap_or_default());
        }
        for participant in &entry.participants {
            document.person(participant.name.as_deref(), participant.email.as_deref());
            let part = match participant.role {
                ParticipantRole::From | ParticipantRole::Speaker => &mut document.from,
                ParticipantRole::To | ParticipantRole::Attendee => &mut document.to,
                ParticipantRole::Cc => &mut document.cc,
            };
            line(part, participant.name.as_deref().unwrap_or_default());
            line(part, participant.email.as_deref().unwrap_or_default());
        }
        for attachment in &entry.attachments {
            line(&mut document.files, attachment.name.as_deref().unwrap_or_default());
        }
        for (_, text) in attachments {
            line(&mut document.files, text);
        }
        // Characters without width stand between the letters of a word, not between words.
        for text in [&mut document.subject, &mut document.new, &mut document.other] {
            if text.contains(is_widthless) {
                *text = text.replace(is_widthless, "");
            }
        }
        document.people_keys.sort();
        document.people_keys.dedup();
        document
    }

    /// A hash of all of it: an index that holds the same number with another hash is out of step with the store.
    pub fn hash(&self) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.number.to_le_bytes());
        hash.update(self.account.to_le_bytes());
        hash.update(self.occurred_at.as_microsecond().to_le_bytes());
        hash.update(self.thread.to_le_bytes());
        hash.update(self.sentiment.unwrap_or(i64::MIN).to_le_bytes());
        let lists = self.people_keys.iter().chain(&self.tags).map(String::as_str);
        let words =
            [&self.subject, &self.new, &self.other, &self.people, &self.files, &self.stems, &self.from, &self.to, &self.cc].map(String::as_str);
        for text in [self.r#type].into_iter().chain(words).chain(lists) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        first_eight(hash)
    }

    fn person(&mut self, name: Option<&str>, email: Option<&str>) {
        let address = email.and_then(Address::parse);
        let key = address.as_ref().map(|a| a.as_str().to_owned()).or_else(|| name.and_then(name_key));
        if let Some(key) = key
            && !self.people_keys.contains(&key)
        {
            self.people_keys.push(key);
            line(&mut self.people, name.unwrap_or_default());
            line(&mut self.people, address.as_ref().map_or("", |a| a.as_str()));
        }
    }
}

/// What an entry is and has.
fn tags(entry: &Entry, reading: Option<&EntryReading>) -> Vec<String> {
    let mut tags: Vec<String> = entry.side.iter().chain(entry.transcript.iter().filter_map(|segment| segment.side.as_ref())).map(side_tag).collect();
    tags.extend(entry.deal_id.as_deref().map(deal_tag));
    let found = |kind| reading.is_some_and(|reading| reading.highlights.iter().any(|highlight| highlight.found.kind == kind));
    tags.extend(
        Has::ALL
            .iter()
            .filter(|has| match has {
                Has::Attachment => !entry.attachments.is_empty(),
                Has::Recording => entry.recording_url.is_some(),
                Has::Transcript => !entry.transcript.is_empty(),
                Has::Question => found(HighlightKind::Question),
                Has::Commitment => found(HighlightKind::Commitment),
                Has::Objection => found(HighlightKind::Objection),
                Has::Signal => found(HighlightKind::PositiveSignal),
            })
            .map(has_tag),
    );
    tags.sort();
    tags.dedup();
    tags
}

pub(super) fn side_tag(side: &Side) -> String {
    format!("side:{side}")
}

pub(super) fn has_tag(has: &Has) -> String {
    format!("has:{has}")
}

/// A thread's id as a number.
pub(super) fn thread_key(id: &str) -> u64 {
    first_eight(Sha256::new_with_prefix(id))
}

fn first_eight(hash: Sha256) -> u64 {
    let bytes = hash.finalize();
    u64::from_le_bytes(bytes[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

pub(super) fn deal_tag(id: &str) -> String {
    format!("deal:{id}")
}

fn is_widthless(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{00AD}' | '\u{034F}' | '\u{180E}')
}

fn line(text: &mut String, more: &str) {
    if more.is_empty() || text.len() >= MAX_TEXT {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}
