//! The spans of a body: which words are new, and which are quoted, a signature, a footer or automatic.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What a stretch of a body is. Only `new` words count as said.
    SpanKind {
        New = "new",
        Quoted = "quoted",
        Signature = "signature",
        Footer = "footer",
        Automatic = "automatic",
        /// Characters that nobody sees.
        Hidden = "hidden",
    }
}

words! {
    /// The languages that are told apart, by their ISO 639-1 codes.
    Language {
        Dutch = "nl",
        English = "en",
        French = "fr",
        German = "de",
        Italian = "it",
        Portuguese = "pt",
        Spanish = "es",
    }
}

/// A stretch of an entry's body, in Unicode scalar values, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    pub kind: SpanKind,
    pub start: usize,
    pub end: usize,
    /// What its words are in; absent for a few letters, other scripts, signatures and footers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl Span {
    pub fn new(kind: SpanKind, start: usize, end: usize) -> Span {
        Span { kind, start, end, language: None }
    }
}

/// The slice of `text` between two offsets counted in Unicode scalar values; `None` when they lie outside.
pub fn slice(text: &str, start: usize, end: usize) -> Option<&str> {
    if start > end {
        return None;
    }
    let mut offsets = text.char_indices().map(|(byte, _)| byte).chain(std::iter::once(text.len()));
    let from = offsets.nth(start)?;
    let to = if end == start { from } else { offsets.nth(end - start - 1)? };
    Some(&text[from..to])
}

/// The text of each span in turn; the body is walked once, as spans lie in order.
pub fn slices<'a>(text: &'a str, spans: &'a [Span]) -> impl Iterator<Item = (&'a Span, &'a str)> {
    let (mut byte, mut character) = (0, 0);
    let mut to = move |wanted: usize| {
        let rest = &text[byte..];
        let step = rest.char_indices().nth(wanted.saturating_sub(character)).map_or(rest.len(), |(i, _)| i);
        byte += step;
        character = character.max(wanted);
        byte
    };
    spans.iter().map(move |span| {
        let start = to(span.start);
        (span, &text[start..to(span.end)])
    })
}

#[cfg(test)]
mod tests {
    use super::{Span, SpanKind, slice, slices};

    #[test]
    fn spans_are_cut_in_one_walk() {
        let span = |start, end| Span::new(SpanKind::New, start, end);
        let spans = [span(0, 5), span(7, 11), span(11, 11), span(12, 99)];
        let words: Vec<&str> = slices("Grüße, José!", &spans).map(|(_, words)| words).collect();
        assert_eq!(words, ["Grüße", "José", "", ""]);
    }

    #[test]
    fn offsets_count_characters_not_bytes() {
        assert_eq!(slice("Grüße, José", 0, 5), Some("Grüße"));
        assert_eq!(slice("Grüße, José", 7, 11), Some("José"));
        assert_eq!(slice("ab", 2, 2), Some(""));
        assert_eq!(slice("ab", 1, 3), None);
        assert_eq!(slice("ab", 2, 1), None);
    }
}
