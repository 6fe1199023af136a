//! Text to the words it is found by, in every language: lower-cased, accents folded, scripts without spaces as pairs.
//!
//! Words are runs of letters and digits; whatever stands between them separates. So `jane.doe@acme.com` is four words
//! next to each other, and a query for it is a phrase: found whole and in part.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;

/// Longer runs (encoded blobs) are cut here: nobody searches for more.
const MAX_WORD: usize = 60;

/// A word of a text with its place in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
}

/// The words of a text in order.
pub fn words(text: &str) -> impl Iterator<Item = Word> + '_ {
    places(text).map(|(start, end)| Word { text: fold(&text[start..end]), start, end })
}

/// Where the words of a text stand, in bytes; nothing is folded or copied.
pub fn places(text: &str) -> Places<'_> {
    Places { text, at: 0, pending: None }
}

/// Iterator over the places of the words of a text.
pub struct Places<'a> {
    text: &'a str,
    at: usize,
    /// Inside a run without spaces: where its next pair begins.
    pending: Option<Run>,
}

#[derive(Clone, Copy)]
struct Run {
    at: usize,
    end: usize,
    first: bool,
}

impl Iterator for Places<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        loop {
            if let Some(run) = self.pending {
                if let Some(pair) = self.pair(run) {
                    return Some(pair);
                }
                continue;
            }
            let start = self.after(self.at, |c| !is_word(c));
            let first = self.text[start..].chars().next()?;
            let spaceless = is_spaceless(first);
            let end = self.after(start, |c| is_word(c) && is_spaceless(c) == spaceless);
            self.at = end;
            if spaceless {
                self.pending = Some(Run { at: start, end, first: true });
                continue;
            }
            return Some((start, end));
        }
    }
}

impl Places<'_> {
    /// The first place from `at` on whose character is not such a one; bytes are enough for ASCII.
    fn after(&self, mut at: usize, such: impl Fn(char) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            let (c, length) = if byte.is_ascii() {
                (char::from(byte), 1)
            } else {
                let c = self.text[at..].chars().next().unwrap_or(' ');
                (c, c.len_utf8())
            };
            if !such(c) {
                return at;
            }
            at += length;
        }
        at
    }

    /// The next two neighbouring characters of a run; a run of one is itself a word.
    fn pair(&mut self, run: Run) -> Option<(usize, usize)> {
        let mut chars = self.text[run.at..run.end].char_indices();
        let (_, first) = chars.next()?;
        let second = run.at + first.len_utf8();
        match chars.next() {
            Some((_, next)) => {
                self.pending = Some(Run { at: second, end: run.end, first: false });
                Some((run.at, second + next.len_utf8()))
            }
            None => {
                self.pending = None;
                run.first.then_some((run.at, run.end))
            }
        }
    }
}

fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() || is_mark(c) }
}

/// Combining diacritics belong to the letter before them.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Scripts written without spaces between words.
fn is_spaceless(c: char) -> bool {
    !c.is_ascii()
        && matches!(c as u32,
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff   // Thai, Lao, Burmese, Khmer
        | 0x3040..=0x30ff | 0x31f0..=0x31ff                   // kana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

/// Lower case without accents: `Müller`, `MULLER` and `muller` are one word.
pub fn fold(word: &str) -> String {
    if word.is_ascii() {
        let end = word.len().min(MAX_WORD);
        return word[..end].to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.nfkd().filter(|c| !is_mark(*c)).take(MAX_WORD).flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'þ' => folded.push_str("th"),
            _ if is_mark(c) => {}
            _ => folded.push(c),
        }
    }
    folded
}

/// The same words for tantivy.
#[derive(Debug, Clone, Default)]
pub struct WordTokenizer;

pub struct WordStream<'a> {
    text: &'a str,
    places: Places<'a>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { text, places: places(text), token: Token { position: usize::MAX, ..Token::default() } }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((start, end)) = self.places.next() else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = start;
        self.token.offset_to = end;
        self.token.text = fold(&self.text[start..end]);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        words(text).map(|word| word.text).collect()
    }

    #[test]
    fn words_are_folded_and_split_at_anything_else() {
        assert_eq!(split("Jane.Doe@acme.com, PO-4711/2 v4.2"), ["jane", "doe", "acme", "com", "po", "4711", "2", "v4", "2"]);
        assert_eq!(split("Müller MU\u{308}LLER Straße Łódź"), ["muller", "muller", "strasse", "lodz"]);
        assert_eq!(split(""), Vec::<String>::new());
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        assert_eq!(split("価格表 abc 中"), ["価格", "格表", "abc", "中"]);
        assert_eq!(split("ราคา"), ["รา", "าค", "คา"]);
    }

    #[test]
    fn places_point_at_the_words() {
        let text = "Grüße an José";
        let found: Vec<_> = words(text).map(|w| &text[w.start..w.end]).collect();
        assert_eq!(found, ["Grüße", "an", "José"]);
        assert_eq!(words(&"x".repeat(500)).next().unwrap().text.len(), MAX_WORD);
    }
}
