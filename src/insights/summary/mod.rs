//! The extractive account summary: facts from records, and the passages of the whole history that matter, each cited.
//!
//! It says nothing that depends on today, so that equal input gives equal bytes.

mod facts;
mod passages;

use jiff::Timestamp;

use crate::domain::record::{Account, Contact, Deal, Task, TeamMember, Ticket};
use crate::domain::span::slice;
use crate::domain::summary::{Citation, Coverage, Draft, Engine, Paragraph, Sentence, Topic};
use crate::domain::{Entry, Span};

/// Part of every summary's input: a change of the method makes new versions.
pub const MODEL: &str = "extractive-1";

/// All there is to say about an account.
#[derive(Debug, Clone)]
pub struct Input {
    pub account: Account,
    pub contacts: Vec<Contact>,
    pub team: Vec<TeamMember>,
    pub deals: Vec<Deal>,
    pub tickets: Vec<Ticket>,
    pub tasks: Vec<Task>,
    /// Communications oldest first, without internal and automatic ones.
    pub communications: Vec<Communication>,
    /// Stage changes of deals, oldest first.
    pub stage_changes: Vec<Entry>,
}

/// One communication with its spans.
#[derive(Debug, Clone)]
pub struct Communication {
    pub entry: Entry,
    pub spans: Vec<Span>,
}

/// Writes the summary.
pub fn write(input: &Input) -> Draft {
    let chosen = passages::choose(&input.communications);
    let mut history = facts::history(input);
    let mut outlook = facts::opportunities(input);
    let mut next = facts::next_actions(input);
    history.extend(chosen.history);
    outlook.extend(chosen.opportunities);
    outlook.extend(facts::risks(input));
    outlook.extend(chosen.risks);
    next.extend(chosen.next_actions);

    let mut dropped = 0;
    let mut paragraphs = Vec::new();
    for sentences in [history, outlook, next] {
        let before = sentences.len();
        let sentences: Vec<Sentence> = sentences.into_iter().filter(|s| holds(s, input)).collect();
        dropped += (before - sentences.len()) as u64;
        if !sentences.is_empty() {
            paragraphs.push(Paragraph { sentences });
        }
    }
    let read = input.communications.len() as u64;
    Draft {
        language: "en".to_owned(),
        engine: Engine { kind: "local".to_owned(), model: MODEL.to_owned(), prompt: None },
        coverage: Coverage { read, total: read },
        dropped_sentences: dropped,
        paragraphs,
    }
}

/// Whether every quote of a sentence stands where it says. One that does not is a fault of this program; the sentence is
/// dropped and counted rather than shown.
fn holds(sentence: &Sentence, input: &Input) -> bool {
    !sentence.citations.is_empty()
        && sentence.citations.iter().all(|citation| match citation {
            Citation::Field { .. } => true,
            Citation::Quote { entry_id, segment, start, end, quote } => {
                let cited = input.communications.iter().find(|c| c.entry.id == *entry_id);
                let text = cited.and_then(|c| match segment {
                    Some(index) => c.entry.transcript.get(*index).map(|s| s.text.as_str()),
                    None => Some(c.entry.body.as_str()),
                });
                text.and_then(|text| slice(text, *start, *end)) == Some(quote.as_str())
            }
        })
}

fn sentence(topic: Topic, text: String, citations: Vec<Citation>) -> Sentence {
    Sentence { text, topic, citations }
}

#[expect(clippy::needless_pass_by_value, reason = "callers hand over numbers, times and texts alike")]
fn field(record: &str, field: &str, value: impl ToString) -> Citation {
    Citation::Field { record: record.to_owned(), field: field.to_owned(), value: value.to_string() }
}

/// `12 March 2026`, in UTC.
fn day(time: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    format!("{} {} {}", date.day(), MONTHS[usize::try_from(date.month() - 1).unwrap_or(0)], date.year())
}

/// `a`, `a and b`, `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
