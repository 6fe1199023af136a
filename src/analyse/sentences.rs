//! A text to its sentences with their places. Knows how mails and transcripts are written: soft line breaks, lists,
//! greetings, abbreviations, links.

use unicode_segmentation::UnicodeSegmentation;

/// One sentence, with its place in characters of the text it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence<'a> {
    pub text: &'a str,
    pub start: usize,
    pub end: usize,
}

/// Abbreviations after which a period ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "dr.", "mr.", "mrs.", "ms.", "prof.", "inc.", "ltd.", "co.", "corp.", "st.", "no.", "nr.", "vs.", "e.g.", "i.e.", "etc.", "approx.", "fig.",
    "ca.", "z.b.", "d.h.", "bzw.", "usw.", "jan.", "feb.", "mar.", "apr.", "jun.", "jul.", "aug.", "sep.", "sept.", "oct.", "nov.", "dec.", "tel.",
    "ext.", "dept.", "a.m.", "p.m.", "u.s.", "u.k.",
];

/// The sentences of a text, in order, without white space around them.
pub fn split(text: &str) -> Vec<Sentence<'_>> {
    let mut sentences = Vec::new();
    let mut counter = Characters { text, byte: 0, characters: 0 };
    for (from, to) in blocks(text) {
        for (start, end) in sentences_of(text, from, to) {
            let (first, last) = (counter.at(start), counter.at(end));
            sentences.push(Sentence { text: &text[start..end], start: first, end: last });
        }
    }
    sentences
}

/// Turns growing byte offsets into character offsets without counting twice.
struct Characters<'a> {
    text: &'a str,
    byte: usize,
    characters: usize,
}

impl Characters<'_> {
    fn at(&mut self, byte: usize) -> usize {
        self.characters += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.characters
    }
}

/// Stretches that no sentence crosses: paragraphs, list items, and lines that stand alone.
fn blocks(text: &str) -> Vec<(usize, usize)> {
    let mut blocks = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut before: &str = "";
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.is_empty() || starts_item(trimmed) || stands_alone(before) {
            blocks.push((start, at));
            start = at;
        }
        before = trimmed;
        at += line.len();
    }
    blocks.push((start, text.len()));
    blocks.retain(|(from, to)| !text[*from..*to].trim().is_empty());
    blocks
}

fn starts_item(line: &str) -> bool {
    let mut chars = line.chars();
    match chars.next() {
        Some('*' | '-' | '•' | '–' | '·') => chars.next().is_some_and(char::is_whitespace),
        Some(c) if c.is_ascii_digit() => {
            let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
            (rest.starts_with(". ") || rest.starts_with(") ")) && line.len() - rest.len() <= 2
        }
        _ => false,
    }
}

/// A greeting ("Hi Ann,") or a heading ("Next steps:") ends where its line does.
fn stands_alone(line: &str) -> bool {
    let short = line.split_whitespace().count() <= 4;
    short && (line.ends_with(',') || line.ends_with(':') || line.ends_with('!'))
}

fn sentences_of(text: &str, from: usize, to: usize) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (offset, piece) in text[from..to].split_sentence_bound_indices() {
        let (start, end) = (from + offset, from + offset + piece.len());
        match found.last_mut() {
            Some(last) if open => last.1 = end,
            _ => found.push((start, end)),
        }
        open = !ends_sentence(text[..end].trim_end(), &text[end..to]);
    }
    found
        .into_iter()
        .filter_map(|(start, end)| {
            let piece = &text[start..end];
            let start = start + (piece.len() - piece.trim_start().len());
            let end = start + text[start..end].trim_end().len();
            (start < end).then_some((start, end))
        })
        .collect()
}

/// Whether a sentence really ends here, or the segmenter was misled by a line break, an abbreviation or an address.
fn ends_sentence(before: &str, after: &str) -> bool {
    let after = after.trim_start();
    if after.is_empty() {
        return true;
    }
    let closed = before.trim_end_matches(['"', '”', ')', '\'']).ends_with(['.', '!', '?', '…', '。', '！', '？']);
    if !closed {
        return false;
    }
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default().trim_start_matches(['(', '"']).to_lowercase();
    let initial = word.len() == 2 && word.ends_with('.') && word.starts_with(char::is_alphabetic);
    !ABBREVIATIONS.contains(&word.as_str()) && !initial && !after.starts_with(|c: char| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn sentences_of_mails() {
        for (text, expected) in [
            ("It works. Thanks!", vec!["It works.", "Thanks!"]),
            (
                "Hi Ann,\nDr. Lee asked about v4.2. Can you call\nhim today? See www.acme.example/?c=d now.",
                vec!["Hi Ann,", "Dr. Lee asked about v4.2.", "Can you call\nhim today?", "See www.acme.example/?c=d now."],
            ),
            ("Open points:\n- price list\n- dates, e.g. Tuesday\n\nBye", vec!["Open points:", "- price list", "- dates, e.g. Tuesday", "Bye"]),
            ("We pay 3.5 k. per site", vec!["We pay 3.5 k. per site"]),
            ("", vec![]),
            ("   \n\n ", vec![]),
        ] {
            assert_eq!(split(text).iter().map(|s| s.text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn places_are_slices_in_order(text in "[A-Za-zé .?!,\n-]{0,200}") {
            let chars: Vec<char> = text.chars().collect();
            let mut at = 0;
            for sentence in split(&text) {
                proptest::prop_assert!(sentence.start >= at && sentence.end <= chars.len());
                proptest::prop_assert_eq!(chars[sentence.start..sentence.end].iter().collect::<String>(), sentence.text);
                at = sentence.end;
            }
        }
    }
}
