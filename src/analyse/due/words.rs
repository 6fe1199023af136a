//! A sentence as words for reading dates: numbers keep what belongs to them (`3pm`, `12th`, `2026-03-20`), marks stand alone.

/// A word with its place in characters.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// In lower case, with straight apostrophes.
    pub low: String,
    pub start: usize,
    pub end: usize,
    pub is_capitalised: bool,
    /// Whether it stands in a short quotation: the name of something, or what a thing says.
    pub is_quoted: bool,
}

/// Words of a quotation that may be a name; what somebody is quoted with at length is not.
const QUOTED: usize = 6;

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
        words.push(Word { low, start, end: at, is_capitalised: c.is_uppercase(), is_quoted: false });
    }
    mark_quoted(&mut words);
    words
}

fn mark_quoted(words: &mut [Word]) {
    let closes = |word: &Word, opened: &str| matches!((opened, word.low.as_str()), ("\"", "\"") | ("“", "”") | ("‘" | "'", "'"));
    let mut at = 0;
    while at < words.len() {
        let opened = words[at].low.clone();
        let opens = matches!(opened.as_str(), "\"" | "“" | "‘" | "'") && words.get(at + 1).is_some_and(|next| next.start == words[at].end);
        let closed = opens.then(|| (at + 2..words.len().min(at + 2 + QUOTED)).find(|&i| closes(&words[i], &opened))).flatten();
        if let Some(closed) = closed {
            words[at..closed].iter_mut().for_each(|word| word.is_quoted = true);
            at = closed;
        }
        at += 1;
    }
}

fn after(chars: &[char], from: usize, goes_on: impl Fn(char, Option<&char>) -> bool) -> usize {
    (from..chars.len()).find(|&i| !goes_on(chars[i], chars.get(i + 1))).unwrap_or(chars.len())
}
