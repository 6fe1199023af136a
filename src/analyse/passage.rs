//! From sentences to a text: which of its words are read, and what its sentences together say.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::competitors::Book;
use super::reader::{Asked, Read};
use super::{due, rules, sentences};
use crate::domain::entry::Side;
use crate::domain::reading::{CompetitorMention, Highlight, HighlightKind, Sentiment, SentimentLabel, Stance, Subtype};
use crate::domain::span::Language;

/// Sentences of more characters are read in pieces: no sentence that somebody wrote is so long.
const LONGEST: usize = 480;
/// Pieces that are read of one: what goes on without end is a log, or letters that mean nothing.
const PIECES: usize = 8;
/// A text of more sentences is read up to here: bounded work for whatever comes.
const MOST: usize = 4_000;

/// A text to read, and who wrote it.
#[derive(Debug, Clone)]
pub struct Passage<'a> {
    pub text: &'a str,
    /// The stretches that are the writer's own new words, in characters, with their language.
    pub new: Vec<(usize, usize, Option<Language>)>,
    pub side: Side,
    /// Whether it may retell what customers said, as our notes do; mails and turns of ours speak for us alone.
    pub retells: bool,
    /// The writer's role.
    pub title: Option<&'a str>,
    /// What was said before.
    pub before: Option<&'a str>,
    pub written: Timestamp,
    pub zone: TimeZone,
}

/// One sentence of a passage, with its place in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    pub text: &'a str,
    pub start: usize,
    pub end: usize,
    pub language: Option<Language>,
}

impl<'a> Passage<'a> {
    /// The sentences that can be read: English, and what is too short to be told from it.
    pub fn pieces(&self) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut at = (0, 0);
        let mut byte_at = |character: usize| {
            let (characters, bytes) = at;
            let more: usize = self.text[bytes..].chars().take(character - characters).map(char::len_utf8).sum();
            at = (character, bytes + more);
            bytes + more
        };
        for &(start, end, language) in &self.new {
            let (from, to) = (byte_at(start), byte_at(end));
            for sentence in sentences::split(&self.text[from..to]) {
                for (text, at) in cut(sentence.text).into_iter().take(PIECES) {
                    let start = start + sentence.start + at;
                    pieces.push(Piece { text, start, end: start + text.chars().count(), language });
                }
            }
        }
        pieces.retain(|piece| matches!(piece.language, None | Some(Language::English)) && is_latin(piece.text));
        pieces.truncate(MOST);
        pieces
    }

    /// What to ask the reader about each piece.
    pub fn questions(&self, pieces: &[Piece<'_>], book: &Book) -> Vec<Asked> {
        let before = |at: usize| if at == 0 { self.before } else { Some(pieces[at - 1].text) };
        let ask = |(at, piece): (usize, &Piece<'_>)| Asked {
            text: piece.text.to_owned(),
            before: before(at).map(str::to_owned),
            side: self.side,
            title: self.title.map(str::to_owned),
            mentions: book.find(piece.text).into_iter().map(|named| named.place).collect(),
        };
        pieces.iter().enumerate().map(ask).collect()
    }

    /// What asks, promises, objects or signals, with its words.
    pub fn highlights(&self, pieces: &[Piece<'_>], read: &[Read]) -> Vec<Highlight> {
        let mut highlights = Vec::new();
        for (piece, read) in pieces.iter().zip(read) {
            let mut add = |kind, probability: f32, subtype: Option<(&[Subtype], &[f32])>, side| {
                let probability = rules::refined(kind, piece.text, probability);
                if probability < rules::least(kind) {
                    return;
                }
                let subtype = subtype.and_then(|(names, shares)| {
                    let best = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b]))?;
                    names.get(best).copied()
                });
                let due = (kind == HighlightKind::Commitment).then(|| due::find(piece.text, self.written, &self.zone)).flatten();
                highlights.push(Highlight {
                    kind,
                    subtype,
                    side,
                    quote: piece.text.to_owned(),
                    start: piece.start,
                    end: piece.end,
                    confidence: round(f64::from(probability)),
                    due_at: due.as_ref().map(|due| due.at),
                    due_date: due.map(|due| due.date),
                });
            };
            add(HighlightKind::Question, read.question, None, self.side);
            add(HighlightKind::Commitment, read.commitment, None, self.side);
            // Only customers object and signal.
            if self.side == Side::Customer || self.retells {
                add(HighlightKind::Objection, read.objection, Some((Subtype::OBJECTIONS, &read.objections)), Side::Customer);
                add(HighlightKind::PositiveSignal, read.positive_signal, Some((Subtype::SIGNALS, &read.signals)), Side::Customer);
            }
        }
        highlights
    }

    /// Where competitors are named, and how the sentence stands to them.
    pub fn mentions(&self, pieces: &[Piece<'_>], read: &[Read], book: &Book) -> Vec<CompetitorMention> {
        let mut mentions = Vec::new();
        for (piece, read) in pieces.iter().zip(read) {
            for (named, stance) in book.find(piece.text).into_iter().zip(&read.stances) {
                let Some(mut shares) = stance.clone() else { continue };
                rules::directed(&piece.text[..named.place.start], &mut shares);
                let Some(best) = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b])) else { continue };
                // Beyond the stances: the word only looks like the name.
                let Some(&stance) = Stance::ALL.get(best) else { continue };
                let start = piece.start + piece.text[..named.place.start].chars().count();
                let mention = &piece.text[named.place.clone()];
                mentions.push(CompetitorMention {
                    competitor: named.competitor.to_owned(),
                    mention: mention.to_owned(),
                    mention_start: start,
                    mention_end: start + mention.chars().count(),
                    quote: piece.text.to_owned(),
                    start: piece.start,
                    end: piece.end,
                    side: self.side,
                    stance,
                    confidence: round(f64::from(shares[best])),
                });
            }
        }
        mentions
    }
}

/// What sentences together say about their writers' attitude; none when nothing was said.
pub fn sentiment<'a>(sentences: impl IntoIterator<Item = (&'a Piece<'a>, &'a Read)>) -> Option<Sentiment> {
    let sentences: Vec<(&Piece<'_>, &Read)> = sentences.into_iter().collect();
    let weights: Vec<f64> = sentences.iter().map(|(piece, read)| weight(piece.text, read)).collect();
    // A text of formulas alone says what they say.
    let weights = if weights.iter().all(|weight| *weight == 0.0) { vec![1.0; weights.len()] } else { weights };
    let total: f64 = weights.iter().sum();
    if total == 0.0 {
        return None;
    }
    let mean =
        |which: usize| sentences.iter().zip(&weights).map(|((_, read), weight)| f64::from(read.sentiment[which]) * weight).sum::<f64>() / total;
    let shares = [mean(0), mean(1), mean(2)];
    let label = (0..3).max_by(|a, b| shares[*a].total_cmp(&shares[*b]))?;
    Some(Sentiment { score: round(shares[2] - shares[0]), label: SentimentLabel::ALL[label], confidence: round(shares[label]) })
}

/// How far a sentence drew the sentiment of its text, and where to: its score times its weight.
pub fn pull(piece: &Piece<'_>, read: &Read) -> f64 {
    score(read) * weight(piece.text, read)
}

/// The score of one sentence, -1 to 1.
pub fn score(read: &Read) -> f64 {
    round(f64::from(read.sentiment[2] - read.sentiment[0]))
}

/// Whether it has letters, most of them Latin: a few words in another script are in no language that is told.
fn is_latin(text: &str) -> bool {
    const LATIN_EXTENDED_B_ENDS: char = '\u{24f}';
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (latin, all) = letters.fold((0, 0), |(latin, all), c| (latin + usize::from(c <= LATIN_EXTENDED_B_ENDS), all + 1));
    latin > 0 && latin * 2 >= all
}

/// How much a sentence weighs in its message: greetings and set phrases nothing, what judges more than what reports.
fn weight(text: &str, read: &Read) -> f64 {
    let judges = f64::from(read.sentiment[0] + read.sentiment[2]);
    if is_formula(text) { 0.0 } else { 0.15 + judges }
}

/// "Hi Ann," and "Thanks in advance" are manners.
fn is_formula(text: &str) -> bool {
    const OPENINGS: [&str; 7] = ["hi", "hello", "dear", "hey", "good morning", "good afternoon", "good evening"];
    const THANKS: [&str; 10] = [
        "thanks",
        "thank you",
        "thx",
        "cheers",
        "many thanks",
        "thanks in advance",
        "thank you in advance",
        "thanks again",
        "best regards",
        "regards",
    ];
    let low = text.trim_end_matches(['.', '!', ',', ' ']).to_lowercase();
    THANKS.contains(&low.as_str())
        || (low.split_whitespace().count() <= 4
            && OPENINGS.iter().any(|o| low.strip_prefix(o).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))))
}

/// A sentence in pieces of bearable length, cut between words, each with its place in characters.
fn cut(text: &str) -> Vec<(&str, usize)> {
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    loop {
        let rest = &text[from..];
        let Some((limit, _)) = rest.char_indices().nth(LONGEST) else {
            pieces.push((rest, at));
            return pieces;
        };
        let end = rest[..limit].rfind(char::is_whitespace).filter(|end| *end > 0).unwrap_or(limit);
        pieces.push((&rest[..end], at));
        let skipped: usize = rest[end..].chars().take_while(|c| c.is_whitespace()).map(char::len_utf8).sum();
        at += rest[..end + skipped].chars().count();
        from += end + skipped;
    }
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str) -> Passage<'_> {
        let new = vec![(0, text.chars().count(), Some(Language::English))];
        Passage { text, new, side: Side::Customer, retells: false, title: None, before: None, written: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC }
    }

    #[test]
    fn only_new_words_in_a_language_that_is_read() {
        let text = "Hello Ann.\n> quoted words here\nÇa va très bien. It works.";
        let mut passage = passage(text);
        passage.new = vec![(0, 10, Some(Language::English)), (31, 48, Some(Language::French)), (48, 57, None)];
        let pieces = passage.pieces();
        assert_eq!(pieces.iter().map(|p| (p.text, p.start, p.end)).collect::<Vec<_>>(), [("Hello Ann.", 0, 10), ("It works.", 48, 57)]);
    }

    #[test]
    fn endless_sentences_are_cut_between_words() {
        for text in ["word ".repeat(5_000), "x".repeat(3_000), "é".repeat(2_000)] {
            let passage = passage(&text);
            let chars: Vec<char> = text.chars().collect();
            assert!((1..=PIECES).contains(&passage.pieces().len()));
            for piece in passage.pieces() {
                assert!(piece.text.chars().count() <= LONGEST);
                assert_eq!(chars[piece.start..piece.end].iter().collect::<String>(), piece.text);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_quote_is_the_slice_at_its_place(text in "([A-Za-zé. ,!?\n]|😀|👩‍🚀|中){0,300}") {
            let chars: Vec<char> = text.chars().collect();
            for piece in passage(&text).pieces() {
                proptest::prop_assert_eq!(chars[piece.start..piece.end].iter().collect::<String>(), piece.text);
            }
        }
    }
}
