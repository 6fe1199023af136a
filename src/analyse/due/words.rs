//! A sentence as words for reading dates: numbers keep what belongs to them (`3pm`, `12th`, `2026-03-20`), marks stand alone.

/// A word with its place in characters.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// In lower case, with straight apostrophes.
    pub low: String,
    pub start: usize,
    pub end: usize,
    pub is_capitalised: bool,
}

pub(super) fn words(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        if c.is_ascii_digit() {
            at = after(&chars, at, |c, next| c.is_alphanumeric() || (matches!(c, ':' | '.' | '/' | '-') && next.is_some_and(char::is_ascii_digit)));
        } else if c.is_alphabetic() {
            at = after(&chars, at, |c, next| c.is_alphanumeric() || (matches!(c, '\'' | '’' | '.') && next.is_some_and(|n| n.is_alphabetic())));
        } else {
            at += 1;
        }
        let low: String = chars[start..at].iter().flat_map(|c| c.to_lowercase()).map(|c| if c == '’' { '\'' } else { c }).collect();
        words.push(Word { low, start, end: at, is_capitalised: c.is_uppercase() });
    }
    words
}

fn after(chars: &[char], from: usize, goes_on: impl Fn(char, Option<&char>) -> bool) -> usize {
    (from..chars.len()).find(|&i| !goes_on(chars[i], chars.get(i + 1))).unwrap_or(chars.len())
}
