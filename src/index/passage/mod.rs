//! The words of an entry that answer a query: passages with offsets, marked, none of them HTML.

mod matcher;
mod ranking;

use serde::Serialize;
use utoipa::ToSchema;

use super::query::Marks;
use crate::domain::entry::{Entry, Side};
use crate::domain::span::{Span, SpanKind, slice};
use matcher::Matcher;
use ranking::Ranking;

/// Characters of a passage, about two lines.
const LENGTH: usize = 220;
/// Characters of a stretch that is shown for its meaning.
const STRETCH: usize = 300;
/// And of one that is quoted to answer: those that are longer are of one long sentence.
const QUOTED: usize = 600;
/// Passages shown for one entry.
const MAX_PASSAGES: usize = 5;
/// Text looked at in one body or segment; transcripts come in segments, so only giant mails are cut short.
const MAX_TEXT: usize = 64 * 1024;

/// A stretch of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Passage {
    /// Index of the transcript segment; none: the body, or an attachment.
    pub segment: Option<usize>,
    /// Index of the attachment in whose words it lies.
    pub attachment: Option<usize>,
    /// In characters of the body, the segment's or the attachment's text, end exclusive.
    pub start: usize,
    pub end: usize,
    /// Who said or wrote it.
    pub speaker: Option<String>,
    pub side: Option<Side>,
    /// The words from `start` to `end`, HTML-escaped, matches inside `<mark>`.
    pub snippet: String,
    #[serde(skip)]
    pub merits: Merits,
}

/// What speaks for a passage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merits {
    /// Its words, as they were written.
    pub words: String,
    /// The numbers of the asked words that it holds.
    pub asked: Vec<usize>,
    /// How close in meaning the stretch is that it lies in, or the nearest one; 0 without any.
    pub closeness: f64,
}

/// How close in meaning a stretch of an entry is to what was asked: the cosine of their vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    pub segment: Option<usize>,
    /// In characters, end exclusive.
    pub start: usize,
    pub end: usize,
    pub closeness: f32,
}

/// Where an entry matched, best passage first, and in which fields.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    pub passages: Vec<Passage>,
    pub fields: Vec<&'static str>,
}

/// Finds the passages of an entry, by its words and by stretches near in meaning. Without any, the passage is its beginning.
pub fn find(entry: &Entry, spans: &[Span], attachments: &[(usize, String)], marks: &Marks, near: &[Near]) -> Matched {
    let marks = &Matcher::new(marks);
    let mut found: Vec<Candidate> = Vec::new();
    let body = Text::new(&entry.body, Place::Body);
    found.extend(body.candidates(marks, |at| weight(spans, at)));
    for (index, segment) in entry.transcript.iter().enumerate() {
        found.extend(Text::new(&segment.text, Place::Segment(index)).candidates(marks, |_| 1.0));
    }
    let said = found.len();
    for (index, text) in attachments {
        found.extend(Text::new(text, Place::Attachment(*index)).candidates(marks, |_| 0.6));
    }
    let in_attachments = found.len() > said;
    let mut fields = Vec::new();
    let in_text = |text: &str| marks.in_text(text).next().is_some();
    if entry.subject.as_deref().is_some_and(in_text) {
        fields.push("subject");
    }
    if found.iter().any(|c| c.weight >= 1.0) {
        fields.push("body");
    }
    if found[..said].iter().any(|c| c.weight < 1.0) {
        fields.push("quoted");
    }
    let named = |name: &Option<String>, email: &Option<String>| name.as_deref().is_some_and(in_text) || email.as_deref().is_some_and(in_text);
    if entry.participants.iter().any(|p| named(&p.name, &p.email)) || entry.transcript.iter().any(|s| named(&s.speaker, &s.email)) {
        fields.push("people");
    }
    if in_attachments || entry.attachments.iter().any(|a| a.name.as_deref().is_some_and(in_text)) {
        fields.push("attachment");
    }

    found.extend(beside(entry, near, &found));
    let ranking = Ranking::of(entry, &found, marks, near);
    let mut ranked: Vec<(f64, Candidate)> = found.into_iter().map(|candidate| (ranking.score(&candidate), candidate)).collect();
    ranked.sort_by(|(x, a), (y, b)| y.total_cmp(x).then_with(|| (a.place, a.start).cmp(&(b.place, b.start))));
    ranked.truncate(MAX_PASSAGES);
    let mut passages: Vec<Passage> = ranked
        .into_iter()
        .map(|(_, candidate)| {
            let closeness = ranking.closeness(&candidate);
            candidate.passage(entry, marks, closeness)
        })
        .collect();
    if passages.is_empty() {
        passages.extend(beginning(entry, spans, marks));
    }
    Matched { passages, fields }
}

/// The stretches of an entry as they were compared, whole, nearest first: what is quoted to answer a question. Where nothing was
/// compared, its passages.
pub fn quotable(entry: &Entry, spans: &[Span], attachments: &[(usize, String)], marks: &Marks, near: &[Near]) -> Matched {
    if near.is_empty() {
        return find(entry, spans, attachments, marks, near);
    }
    let marks = &Matcher::new(marks);
    let mut near = near.to_vec();
    near.sort_by(|a, b| b.closeness.total_cmp(&a.closeness));
    near.truncate(MAX_PASSAGES);
    let quote = |near: &Near| {
        let candidate = stretch(entry, near, QUOTED)?;
        let asked = marks.in_text(candidate.words).map(|(.., asked)| asked).collect();
        Some(Candidate { asked, ..candidate }.passage(entry, marks, f64::from(near.closeness)))
    };
    Matched { passages: near.iter().filter_map(quote).collect(), fields: Vec::new() }
}

/// Whose words those of a segment, or of the body, are.
fn author(entry: &Entry, segment: Option<usize>) -> (Option<String>, Option<Side>) {
    match segment.and_then(|at| entry.transcript.get(at)) {
        Some(segment) => (segment.speaker.clone(), segment.side),
        None => (entry.participants.first().and_then(|p| p.name.clone().or_else(|| p.email.clone())), entry.side),
    }
}

/// New words weigh full, everything else little.
fn weight(spans: &[Span], at: usize) -> f64 {
    let span = spans.get(spans.partition_point(|s| s.end <= at)).filter(|s| s.start <= at);
    if span.is_none_or(|s| s.kind == SpanKind::New) { 1.0 } else { 0.3 }
}

/// Which text of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Body,
    Segment(usize),
    Attachment(usize),
}

impl Place {
    /// A segment, or the body.
    fn of(segment: Option<usize>) -> Place {
        segment.map_or(Place::Body, Place::Segment)
    }
}

/// One text of an entry with its words.
struct Text<'a> {
    text: &'a str,
    place: Place,
}

struct Candidate<'a> {
    place: Place,
    words: &'a str,
    /// In characters.
    start: usize,
    end: usize,
    /// The asked words that it holds, as often as they stand there.
    asked: Vec<usize>,
    weight: f64,
}

impl<'a> Text<'a> {
    fn new(text: &'a str, place: Place) -> Text<'a> {
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Text { text: &text[..end], place }
    }

    /// Stretches of at most [`LENGTH`] characters around the matches, none overlapping another.
    fn candidates(&self, marks: &Matcher, weight: impl Fn(usize) -> f64) -> Vec<Candidate<'a>> {
        let matches: Vec<(usize, usize, usize)> = marks.in_text(self.text).collect();
        if matches.is_empty() {
            return Vec::new();
        }
        // Offsets in characters, counted once along the text.
        let mut at_byte = 0;
        let mut at_char = 0;
        let starts: Vec<usize> = matches
            .iter()
            .map(|(start, ..)| {
                at_char += self.text[at_byte..*start].chars().count();
                at_byte = *start;
                at_char
            })
            .collect();
        let mut candidates = Vec::new();
        let mut first = 0;
        while first < matches.len() {
            let reach = starts[first] + LENGTH * 3 / 4;
            let worth = weight(starts[first]);
            // A passage never runs from new words into quoted ones.
            let last = (first..matches.len()).take_while(|&i| starts[i] < reach && weight(starts[i]) == worth).last().unwrap_or(first);
            let length = matches[last].1 - matches[last].0;
            let (start, end) = self.widen(matches[first].0, matches[last].1, starts[last] + length - starts[first]);
            let before = self.text[start..matches[first].0].chars().count();
            candidates.push(Candidate {
                place: self.place,
                words: &self.text[start..end],
                start: starts[first] - before,
                end: starts[first] - before + self.text[start..end].chars().count(),
                asked: matches[first..=last].iter().map(|(.., asked)| *asked).collect(),
                weight: worth,
            });
            first = (last + 1..matches.len()).find(|&i| matches[i].0 >= end).unwrap_or(matches.len());
        }
        candidates
    }

    /// Widens a stretch of bytes to whole words and, where near, to sentence ends, up to [`LENGTH`] characters.
    fn widen(&self, start: usize, end: usize, length: usize) -> (usize, usize) {
        let spare = LENGTH.saturating_sub(length);
        let from = back(self.text, start, spare / 3);
        let to = forward(self.text, end, spare - spare / 3);
        (from, to)
    }
}

/// Up to `chars` characters back, to the beginning of a line or sentence if one is there, else of a word.
fn back(text: &str, at: usize, chars: usize) -> usize {
    let mut word = at;
    let mut next = ' ';
    for (count, (i, c)) in text[..at].char_indices().rev().enumerate() {
        if count >= chars {
            return word;
        }
        if c == '\n' || (matches!(c, '.' | '!' | '?') && next.is_whitespace()) {
            let start = i + c.len_utf8();
            return start + text[start..at].len() - text[start..at].trim_start().len();
        }
        if c.is_whitespace() {
            word = i + c.len_utf8();
        }
        next = c;
    }
    0
}

fn forward(text: &str, at: usize, chars: usize) -> usize {
    let mut word = at;
    for (count, (i, c)) in text[at..].char_indices().enumerate() {
        if count >= chars {
            return word;
        }
        if c == '\n' && text[at + i..].starts_with("\n\n") {
            return at + i;
        }
        if c.is_whitespace() {
            word = at + i;
        }
    }
    at + text[at..].trim_end().len()
}

/// Stretches near in meaning that hold none of the words.
fn beside<'a>(entry: &'a Entry, near: &[Near], found: &[Candidate]) -> Vec<Candidate<'a>> {
    let is_shown = |one: &Candidate, near: &Near| one.place == Place::of(near.segment) && one.start < near.end && near.start < one.end;
    near.iter().filter(|near| !found.iter().any(|one| is_shown(one, near))).filter_map(|near| stretch(entry, near, STRETCH)).collect()
}

/// The words of a stretch, at most so many characters.
fn stretch<'a>(entry: &'a Entry, near: &Near, length: usize) -> Option<Candidate<'a>> {
    let text = near.segment.map_or(Some(&entry.body), |at| entry.transcript.get(at).map(|segment| &segment.text))?;
    let words = cut(slice(text, near.start, near.end)?, length);
    let end = near.start + words.chars().count();
    Some(Candidate { place: Place::of(near.segment), words, start: near.start, end, asked: Vec::new(), weight: 1.0 })
}

/// At most so many characters, whole words where there are any.
fn cut(words: &str, length: usize) -> &str {
    let Some((end, _)) = words.char_indices().nth(length) else { return words };
    let whole = words[..end].trim_end_matches(|c: char| !c.is_whitespace()).trim_end();
    if whole.is_empty() { &words[..end] } else { whole }
}

impl Candidate<'_> {
    fn passage(self, entry: &Entry, marks: &Matcher, closeness: f64) -> Passage {
        let (segment, attachment) = match self.place {
            Place::Body => (None, None),
            Place::Segment(index) => (Some(index), None),
            Place::Attachment(index) => (None, Some(index)),
        };
        let (speaker, side) = author(entry, segment);
        let snippet = marks.mark(self.words);
        let merits = Merits { words: self.words.to_owned(), asked: self.asked, closeness };
        Passage { segment, attachment, start: self.start, end: self.end, speaker, side, snippet, merits }
    }
}

/// The first new words, or the first words said.
fn beginning(entry: &Entry, spans: &[Span], marks: &Matcher) -> Option<Passage> {
    let of = |text: &str, segment: Option<usize>, start: usize, end: usize| {
        let words = slice(text, start, end)?;
        let cut = forward(words, 0, LENGTH);
        let length = words[..cut].chars().count();
        let begun = Candidate { place: Place::of(segment), words: &words[..cut], start, end: start + length, asked: Vec::new(), weight: 1.0 };
        (length > 0).then(|| begun.passage(entry, marks, 0.0))
    };
    let first = spans.iter().find(|s| s.kind == SpanKind::New).or(spans.first());
    let body = first.and_then(|span| of(&entry.body, None, span.start, span.end));
    body.or_else(|| entry.transcript.first().and_then(|s| of(&s.text, Some(0), 0, s.text.chars().count())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::entry::{EntryType, Segment};
    use crate::index::query::{Query, QueryError};
    use crate::ingest::reply;

    fn parse(text: &str) -> Result<Query, QueryError> {
        crate::index::query::parse(text, &jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC))
    }

    fn entry(body: &str) -> Entry {
        let mut entry = Entry::new("e".into(), EntryType::EmailReceived, jiff::Timestamp::UNIX_EPOCH);
        entry.body = body.to_owned();
        entry
    }

    fn matched(entry: &Entry, query: &str) -> Matched {
        find(entry, &reply::split(&entry.body), &[], &parse(query).unwrap().marks(&HashMap::new()), &[])
    }

    #[test]
    fn a_passage_is_a_marked_slice_of_the_body() {
        let filler = "Nothing to see here at all. ".repeat(30);
        let body = format!("{filler}We agreed on the discount of 12 % for José & <b>Ann</b>. {filler}");
        let entry = entry(&body);
        let found = matched(&entry, "discount jose");
        let best = &found.passages[0];
        assert_eq!(best.snippet.matches("<mark>").count(), 2);
        assert!(best.snippet.contains("<mark>José</mark> &amp; &lt;b&gt;Ann"), "{}", best.snippet);
        let plain = best.snippet.replace("<mark>", "").replace("</mark>", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert_eq!(slice(&entry.body, best.start, best.end), Some(plain.as_str()));
        assert!(plain.starts_with("We agreed"), "{plain}");
        assert_eq!(found.fields, ["body"]);
    }

    #[test]
    fn new_words_come_before_quoted_ones() {
        let entry = entry("The price is fine.\n\nOn 3 Feb 2026, Ann wrote:\n> What about the price, the price, the price?");
        let found = matched(&entry, "price");
        assert_eq!(found.passages[0].start, 0);
        assert_eq!(found.fields, ["body", "quoted"]);
    }

    #[test]
    fn a_transcript_hit_names_its_segment_and_speaker() {
        let mut entry = entry("");
        for (speaker, text) in [("Ann", "hello there"), ("Bob", "the budget is approved")] {
            entry.transcript.push(Segment {
                speaker: Some(speaker.into()),
                email: None,
                side: Some(Side::Customer),
                start: None,
                end: None,
                text: text.into(),
            });
        }
        let found = matched(&entry, "budget");
        let best = &found.passages[0];
        assert_eq!((best.segment, best.speaker.as_deref(), best.side), (Some(1), Some("Bob"), Some(Side::Customer)));
        let elsewhere = matched(&entry, "nothing");
        assert_eq!(elsewhere.passages[0].snippet, "hello there");
    }

    #[test]
    fn a_stretch_near_in_meaning_is_shown_beyond_its_greeting() {
        let body = "Dear Maya,\n\nthe board wants the lower price before it signs.\n\nBest, Ann";
        let entry = entry(body);
        let near = [Near { segment: None, start: 0, end: body.chars().count(), closeness: 0.6 }];
        let marks = parse("board discount").unwrap().marks(&HashMap::new());
        let quoted = quotable(&entry, &reply::split(body), &[], &marks, &near);
        assert_eq!(quoted.passages[0].snippet.replace("<mark>", "").replace("</mark>", ""), body);
        assert_eq!(quoted.passages[0].merits.asked, [0]);
        let marks = parse("discount").unwrap().marks(&HashMap::new());
        let found = find(&entry, &reply::split(body), &[], &marks, &near);
        assert_eq!(found.passages[0].snippet, body);
        assert_eq!(cut("one two three", 9), "one two");
        assert_eq!(cut("unbroken", 3), "unb");
    }

    proptest::proptest! {
        #[test]
        fn every_passage_lies_inside_its_text(body in "[a-zé\u{4e2d}\u{6587} .\n<&]{0,600}", query in "[a-z]{1,3}\\*?") {
            let entry = entry(&body);
            if let Ok(query) = parse(&query) {
                for passage in find(&entry, &reply::split(&body), &[], &query.marks(&HashMap::new()), &[]).passages {
                    proptest::prop_assert!(slice(&body, passage.start, passage.end).is_some());
                    proptest::prop_assert!(!passage.snippet.replace("<mark>", "").replace("</mark>", "").contains('<'));
                }
            }
        }
    }
}
