//! Words that were probably meant, where hardly anybody wrote the one that is asked for; and words that begin like one.

use std::collections::HashMap;

use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use super::Result;
use super::schema::Fields;

/// A word in fewer entries may be misspelt.
const RARE: u64 = 3;
/// From so many letters on one of them may be wrong, and from so many on two.
const ONE_WRONG: usize = 4;
const TWO_WRONG: usize = 8;
/// Words taken for one that is misspelt, the most frequent ones.
const MOST: usize = 8;
/// Words looked at for those that begin like one.
const SCANNED: usize = 20_000;

/// How many fields of entries hold a word.
pub(super) fn frequency(searcher: &Searcher, fields: &Fields, word: &str) -> Result<u64> {
    let mut frequency = 0;
    for field in searched(fields) {
        frequency += searcher.doc_freq(&Term::from_field_text(field, word))?;
    }
    Ok(frequency)
}

/// The words of the index that a word may be misspelt for; none where enough entries hold it as it is.
pub(super) fn meant(searcher: &Searcher, fields: &Fields, word: &str) -> Result<Vec<String>> {
    let length = word.chars().count();
    if length < ONE_WRONG || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    let frequency = frequency(searcher, fields, word)?;
    if frequency >= RARE {
        return Ok(Vec::new());
    }
    let distance = if length >= TWO_WRONG { 2 } else { 1 };
    let mut found: HashMap<String, u64> = HashMap::new();
    for segment in searcher.segment_readers() {
        for field in searched(fields) {
            let automaton = FuzzyTermQuery::new(Term::from_field_text(field, word), distance, true).automaton()?;
            let index = segment.inverted_index(field)?;
            let mut terms = index.terms().search(automaton).into_stream()?;
            while terms.advance() {
                count(&mut found, terms.key(), terms.value().doc_freq);
            }
        }
    }
    found.remove(word);
    // Commoner than the word itself, or it is no likelier to be meant.
    found.retain(|_, entries| *entries > frequency);
    Ok(most_frequent(found, MOST))
}

/// The most frequent words that begin like this.
pub(super) fn beginning(searcher: &Searcher, fields: &Fields, prefix: &str, most: usize) -> Result<Vec<String>> {
    let mut found: HashMap<String, u64> = HashMap::new();
    for segment in searcher.segment_readers() {
        for field in searched(fields) {
            let index = segment.inverted_index(field)?;
            let mut terms = index.terms().range().ge(prefix.as_bytes()).lt(format!("{prefix}\u{10ffff}").as_bytes()).into_stream()?;
            for _ in 0..SCANNED {
                if !terms.advance() {
                    break;
                }
                count(&mut found, terms.key(), terms.value().doc_freq);
            }
        }
    }
    Ok(most_frequent(found, most))
}

fn count(found: &mut HashMap<String, u64>, key: &[u8], entries: u32) {
    if let Ok(word) = std::str::from_utf8(key) {
        *found.entry(word.to_owned()).or_default() += u64::from(entries);
    }
}

fn most_frequent(found: HashMap<String, u64>, most: usize) -> Vec<String> {
    let mut found: Vec<(String, u64)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found.truncate(most);
    found.into_iter().map(|(word, _)| word).collect()
}

/// Where words are looked for that were said, or name somebody.
fn searched(fields: &Fields) -> [Field; 4] {
    [fields.subject, fields.new, fields.people, fields.files]
}
