//! Marked words in a text: where they stand, and how they are shown.

use crate::index::query::Marks;
use crate::index::tokenizer::{fold, places};

/// Looks for marked words in texts without folding each word: most are told apart by their first letter.
pub(super) struct Matcher<'a> {
    marks: &'a Marks,
    /// ASCII characters that a marked word begins with, one bit each.
    firsts: u128,
}

impl<'a> Matcher<'a> {
    pub fn new(marks: &'a Marks) -> Matcher<'a> {
        // A stem stands behind the two letters of its language, and begins like its words.
        let stems = marks.stems.keys().filter_map(|stem| stem.as_bytes().get(2).copied());
        let prefixes = marks.prefixes.iter().map(|(prefix, _)| prefix);
        let starts = marks.exact.keys().chain(prefixes).filter_map(|word| word.bytes().next()).chain(stems);
        let firsts = starts.filter(u8::is_ascii).fold(0, |bits, byte| bits | 1 << byte);
        Matcher { marks, firsts }
    }

    /// The asked word that a word, as written, stands for.
    fn matches(&self, word: &str) -> Option<usize> {
        let first = word.bytes().next()?;
        if first.is_ascii() && self.firsts >> first.to_ascii_lowercase() & 1 == 0 {
            return None;
        }
        self.marks.matches(&fold(word))
    }

    /// The marked words of a text: place in bytes, and the asked word.
    pub fn in_text<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (usize, usize, usize)> + 't {
        places(text).filter_map(|(start, end)| self.matches(&text[start..end]).map(|asked| (start, end, asked)))
    }

    /// The text, escaped for HTML, with its marked words inside `<mark>`.
    pub fn mark(&self, text: &str) -> String {
        let mut html = String::with_capacity(text.len() + 32);
        let mut at = 0;
        for (start, end, _) in self.in_text(text) {
            // Pairs of a script without spaces overlap: one mark covers both.
            if start < at {
                continue;
            }
            escape(&mut html, &text[at..start]);
            html.push_str("<mark>");
            escape(&mut html, &text[start..end]);
            html.push_str("</mark>");
            at = end;
        }
        escape(&mut html, &text[at..]);
        html
    }
}

fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}
